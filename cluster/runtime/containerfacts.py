"""What a simulated container's programs learn of the machine and of their limits. Pure."""

from cluster.aio import clock as clocks
from cluster.runtime import handlers, usage
from cluster.runtime.records import Container
from cluster.runtime.vos.facts import PLAIN, Facts, weight


def of(container: Container, clock: clocks.Clock) -> Facts:
    """As /proc and /sys/fs/cgroup show them now."""
    resources, now = container.resources, clock.now()
    age = max(now - container.started_at / 1e9, 0.0) if container.started_at else 0.0
    meter = container.machine.kernel.meter if container.machine is not None else None
    worked = (0, 0) if meter is None else meter.read(now)
    used = usage.of(container.script, resources, age, worked)
    return Facts(
        release=handlers.kernel(container.sandbox.handler),
        memory_limit=max(resources.memory_limit_in_bytes, 0),
        memory_used=used.memory,
        quota=max(resources.cpu_quota, 0),
        period=resources.cpu_period or PLAIN.period,
        weight=weight(resources.cpu_shares),
        worked=used.total // 1000,
    )
