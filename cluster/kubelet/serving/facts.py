"""What the pages of a kubelet are made of, gathered when somebody asks for one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cluster.kubelet.agent import NodeAgent
from cluster.kubelet.eviction import measuring
from cluster.kubelet.eviction.picture import PodUse
from cluster.kubelet.eviction.signals import Observation
from cluster.kubelet.lifecycle.model import Container, State
from cluster.kubelet.pods import Pod
from cluster.kubelet.serving import usage


@dataclass(frozen=True, slots=True)
class Facts:
    """`now` in seconds since the epoch; `used` by container; what eviction sees by signal and by
    uid of pod; `images` is the bytes and inodes of the images.
    """

    now: float
    used: usage.Usage = field(default_factory=dict)
    seen: Mapping[str, Observation] = field(default_factory=dict)
    pods: Mapping[str, PodUse] = field(default_factory=dict)
    images: tuple[int, int] = (0, 0)


async def gather(agent: NodeAgent, used: usage.Usage, now: float) -> Facts:
    """All of them."""
    images = await measuring.images(agent)
    seen, candidates = await measuring.measure(agent, used, now, images)
    pods = {one.uid: one.use for one in candidates if one.use is not None}
    return Facts(now, used, seen, pods, images)


def live(agent: NodeAgent) -> list[Pod]:
    """The pods that the API, or a manifest, has."""
    return [pod for pod in agent.pods.values() if not pod.memory.removed]


def running(pod: Pod, used: usage.Usage) -> list[tuple[Container, usage.Used]]:
    """The running containers of a pod, with what they use."""
    return [
        (one, used[one.id])
        for one in pod.seen.containers
        if one.state is State.RUNNING and one.id in used
    ]
