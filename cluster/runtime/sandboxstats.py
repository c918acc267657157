"""What whole sandboxes use: their containers, and what the handler's machine takes. Pure."""

from collections.abc import Sequence
from typing import Final

from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import handlers
from cluster.runtime.records import Sandbox

_LARGEST: Final = 2**64 - 1


def of(sandbox: Sandbox, containers: Sequence[pb.ContainerStats], now: int) -> pb.PodSandboxStats:
    """One sandbox at `now` (nanoseconds since the epoch); `containers` are the running ones of it.

    A handler that is none of ours takes nothing that we would know of.
    """
    config = sandbox.config
    kind = handlers.BY_NAME.get(sandbox.handler, handlers.BY_NAME[""])
    age = max(now - sandbox.created_at, 0) / 1e9
    cpu = kind.cpu + sum(one.cpu.usage_nano_cores.value for one in containers)
    total = int(kind.cpu * age)
    total += sum(one.cpu.usage_core_nano_seconds.value for one in containers)
    held = kind.memory + sum(one.memory.working_set_bytes.value for one in containers)
    memory = pb.UInt64Value(value=min(held, _LARGEST))
    return pb.PodSandboxStats(
        attributes=pb.PodSandboxAttributes(
            id=sandbox.id,
            metadata=config.metadata,
            labels=config.labels,
            annotations=config.annotations,
        ),
        linux=pb.LinuxPodSandboxStats(
            cpu=pb.CpuUsage(
                timestamp=now,
                usage_nano_cores=pb.UInt64Value(value=min(cpu, _LARGEST)),
                usage_core_nano_seconds=pb.UInt64Value(value=min(total, _LARGEST)),
            ),
            memory=pb.MemoryUsage(
                timestamp=now, working_set_bytes=memory, usage_bytes=memory, rss_bytes=memory
            ),
            containers=containers,
        ),
    )
