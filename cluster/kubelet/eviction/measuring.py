"""Measures a node and its pods: what the runtime tells, what is on the node's disk.

The node has what its configuration says (`Config.memory`, `ephemeral_storage`); images, logs,
writable layers and volumes share one file system, as where a runtime has no disk of its own.
"""

from typing import Final

from cluster.aio import rpc
from cluster.api import curves, objects, quantity, timestamps
from cluster.kubelet.agent import NodeAgent
from cluster.kubelet.eviction import signals
from cluster.kubelet.eviction.picture import Candidate, ContainerUse, PodUse
from cluster.kubelet.eviction.signals import Observation, Observations
from cluster.kubelet.lifecycle import podspec
from cluster.kubelet.lifecycle.model import State
from cluster.kubelet.pods import Pod
from cluster.kubelet.serving import usage
from cluster.pb.cri.v1 import api_pb2 as pb

PIDS: Final = "kubemu.dev/pids"
"""Annotation: how many processes a simulated pod pretends to have, an amount or a curve."""
PID_MAX: Final = 32_768
"""kernel.pid_max of a small Linux machine."""
_AWAY: Final = ("UNAVAILABLE", "DEADLINE_EXCEEDED")
_BYTES_PER_INODE: Final = 16_384
"""mke2fs makes so many bytes of a disk for each inode."""


async def measure(
    agent: NodeAgent, used: usage.Usage, now: float, known: tuple[int, int] | None = None
) -> tuple[Observations, list[Candidate]]:
    """What every signal says, and the pods that may be evicted. `now`: seconds since the epoch;
    `known`: what `images` said.
    """
    await agent.disk_use.look(list(agent.pods.values()))
    candidates = [
        Candidate(pod.object, _of_pod(agent, pod, used, now), pod.static) for pod in active(agent)
    ]
    held = await images(agent) if known is None else known
    return _observed(agent, used, candidates, held, now), candidates


def active(agent: NodeAgent) -> list[Pod]:
    """The pods that run, or are about to."""
    return [
        pod
        for pod in agent.pods.values()
        if not pod.memory.removed
        and pod.memory.verdict is None
        and pod.memory.rejection is None
        and not objects.deleting(pod.object)
        and not podspec.finished(pod.object)
        and pod.seen.sandboxes
    ]


def _of_pod(agent: NodeAgent, pod: Pod, used: usage.Usage, now: float) -> PodUse:
    containers: dict[str, ContainerUse] = {}
    for one in pod.seen.containers:
        its = used.get(one.id)
        if one.state is State.RUNNING and its is not None:
            logs = agent.disk_use.logs(pod, one.name)
            containers[one.name] = ContainerUse(its.memory, its.rootfs, logs)
    volumes = agent.disk_use.volumes(pod)
    beside = sum(used[one.id].memory for one in pod.seen.sandboxes if one.id in used)
    return PodUse(containers, volumes, beside, processes=_processes(pod, len(containers), now))


def _processes(pod: Pod, running: int, now: float) -> int:
    """One for each container and one for the sandbox, or what the annotation says."""
    text = objects.annotations(pod.object).get(PIDS)
    if text is None:
        return running + 1
    try:
        begun = timestamps.decode(objects.status(pod.object).get("startTime") or "")
        return int(curves.parse(text, 1).at(max(now - begun, 0.0)))
    except ValueError:
        return running + 1


async def images(agent: NodeAgent) -> tuple[int, int]:
    """Bytes and inodes of the images. A runtime that does not say has none; one that is away for a
    moment has what it had: no pressure ends by that.
    """
    try:
        answer = await agent.cri.image_fs_info(pb.ImageFsInfoRequest())
    except rpc.Failure as failure:
        return agent.disk_use.images if failure.code in _AWAY else (0, 0)
    found = answer.image_filesystems
    size = sum(one.used_bytes.value for one in found)
    agent.disk_use.images = size, sum(one.inodes_used.value for one in found)
    return agent.disk_use.images


def _observed(
    agent: NodeAgent,
    used: usage.Usage,
    candidates: list[Candidate],
    held_images: tuple[int, int],
    now: float,
) -> Observations:
    config = agent.config
    memory, storage = quantity.value(config.memory), quantity.value(config.ephemeral_storage)
    held = sum(one.memory for one in used.values())
    system = usage.system(agent, now).memory
    pods = [one.use for one in candidates if one.use is not None]
    disk = Observation(max(storage - held_images[0] - sum(one.disk for one in pods), 0), storage)
    inodes = max(storage // _BYTES_PER_INODE, 1)
    free = Observation(max(inodes - held_images[1] - sum(one.inodes for one in pods), 0), inodes)
    allocatable = config.reserved_memory_left
    processes = sum(one.processes for one in pods)
    return {
        signals.MEMORY: Observation(max(memory - held - system, 0), memory),
        signals.ALLOCATABLE_MEMORY: Observation(max(allocatable - held, 0), allocatable),
        signals.NODE_FS: disk,
        signals.IMAGE_FS: disk,
        signals.CONTAINER_FS: disk,
        signals.NODE_FS_INODES: free,
        signals.IMAGE_FS_INODES: free,
        signals.CONTAINER_FS_INODES: free,
        signals.PID: Observation(max(PID_MAX - processes, 0), PID_MAX),
    }
