"""What the containers of a node use, as its runtime reports it.

The runtime is asked only when a page wants to know. Nothing in CRI tells what the rest of the
machine uses (the kubelet, the runtime, the kernel): a constant stands for it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cluster.aio import rpc
from cluster.api import errors, objects, quantity
from cluster.kubelet.agent import NodeAgent
from cluster.pb.cri.v1 import api_pb2 as pb

_SECONDS: Final = 10.0
_SYSTEM_CPU: Final = 50_000_000
_SYSTEM_MEMORY: Final = 256 << 20
_SYSTEM_SHARE: Final = 10
"""Beside its containers a machine uses 50m and 256Mi, and never more than a tenth of itself."""


@dataclass(frozen=True, slots=True)
class Used:
    """`cpu` in billionths of a core (None: not known), `total` in nanoseconds of a core since the
    start, `memory` in bytes, `rootfs` those of the writable layer.
    """

    cpu: int | None
    total: int
    memory: int
    rootfs: int = 0


NOTHING: Final = Used(0, 0, 0)
Usage = Mapping[str, Used]
"""By container id, and by sandbox id what a sandbox uses beside its containers; only what runs is
in it."""


async def of(agent: NodeAgent) -> Usage:
    """What the running containers of a node use. errors.InternalError: the runtime does not say."""
    try:
        async with asyncio.timeout(_SECONDS):
            answer = await agent.cri.list_container_stats(pb.ListContainerStatsRequest())
            machines = await _machines(agent)
    except TimeoutError:
        why = f"the container runtime did not answer within {_SECONDS:g} s"
        raise errors.InternalError(f"failed to list container stats: {why}") from None
    except rpc.Failure as failure:
        raise errors.InternalError(f"failed to list container stats: {failure.text}") from failure
    used = {one.attributes.id: _used(one) for one in answer.stats}
    return used | {one.attributes.id: _beside(one.linux) for one in machines}


async def _machines(agent: NodeAgent) -> list[pb.PodSandboxStats]:
    """Sandboxes that take something themselves: a node without any is not asked for them."""
    if not any(objects.spec(pod.object).get("overhead") for pod in agent.pods.values()):
        return []
    try:
        answer = await agent.cri.list_pod_sandbox_stats(pb.ListPodSandboxStatsRequest())
    except rpc.Failure as failure:
        if failure.code == "UNIMPLEMENTED":
            return []  # a runtime that tells of containers alone
        raise
    return list(answer.stats)


def _beside(stats: pb.LinuxPodSandboxStats) -> Used:
    """What a sandbox uses beside its containers."""
    cpu, total, memory = (
        stats.cpu.usage_nano_cores.value,
        stats.cpu.usage_core_nano_seconds.value,
        stats.memory.working_set_bytes.value,
    )
    for one in stats.containers:
        cpu -= one.cpu.usage_nano_cores.value
        total -= one.cpu.usage_core_nano_seconds.value
        memory -= one.memory.working_set_bytes.value
    return Used(max(cpu, 0), max(total, 0), max(memory, 0))


def _used(stats: pb.ContainerStats) -> Used:
    known = stats.cpu.HasField("usage_nano_cores")
    return Used(
        stats.cpu.usage_nano_cores.value if known else None,
        stats.cpu.usage_core_nano_seconds.value,
        stats.memory.working_set_bytes.value,
        stats.writable_layer.used_bytes.value,
    )


def together(parts: list[Used]) -> Used:
    """The sum; of the cores of those that are known."""
    return Used(
        sum(one.cpu or 0 for one in parts),
        sum(one.total for one in parts),
        sum(one.memory for one in parts),
        sum(one.rootfs for one in parts),
    )


def system(agent: NodeAgent, now: float) -> Used:
    """What the machine uses beside its containers, `now` in seconds since the epoch."""
    cpu = min(_SYSTEM_CPU, quantity.milli(agent.config.cpu) * 1_000_000 // _SYSTEM_SHARE)
    memory = min(_SYSTEM_MEMORY, quantity.value(agent.config.memory) // _SYSTEM_SHARE)
    return Used(cpu, int(cpu * max(now - agent.began, 0.0)), memory)
