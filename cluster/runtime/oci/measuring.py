"""What the shim read from cgroups, as CRI's figures. Pure."""

from collections.abc import Mapping

from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.records import Container


class Rates:
    """Makes a rate of what only grows: each look tells of the time since the last."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int, int]] = {}

    def stats(
        self, container: Container, told: Mapping[str, int] | None, now: int
    ) -> pb.ContainerStats:
        """What a container uses; nothing where nobody told."""
        config = container.config
        found = pb.ContainerStats(
            attributes=pb.ContainerAttributes(
                id=container.id,
                metadata=config.metadata,
                labels=config.labels,
                annotations=config.annotations,
            )
        )
        if told is None:
            return found
        found.cpu.timestamp = found.memory.timestamp = now
        found.cpu.usage_core_nano_seconds.value = told["cpu"]
        found.cpu.usage_nano_cores.value = self._rate(container, told["cpu"], now)
        found.memory.working_set_bytes.value = told["working"]
        found.memory.usage_bytes.value = told["memory"]
        found.memory.rss_bytes.value = told["rss"]
        limit = container.resources.memory_limit_in_bytes
        if limit > 0:
            found.memory.available_bytes.value = max(limit - told["working"], 0)
        return found

    def forget(self, id: str) -> None:
        """A container has ended."""
        self._last.pop(id, None)

    def _rate(self, container: Container, used: int, now: int) -> int:
        """Billionths of a core since the last look; two close together give the same."""
        at, then, rate = self._last.get(container.id, (container.started_at, 0, 0))
        if now - at < 500_000_000 and rate:
            return rate
        rate = max(used - then, 0) * 1_000_000_000 // max(now - at, 1)
        self._last[container.id] = now, used, rate
        return rate
