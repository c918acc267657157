"""One pod of a node, as the shell keeps it between two looks at it."""

import asyncio
from dataclasses import dataclass, field

from cluster.api import objects
from cluster.kubelet.lifecycle import podspec, restartall
from cluster.kubelet.lifecycle.model import NOTHING, Memory, Seen, Waiting
from cluster.pb.cri.v1 import api_pb2 as pb


@dataclass(slots=True, eq=False)
class Pod:
    """A pod that the kubelet has to do with: from the API, or a leftover of the runtime.

    `object` is shared with the informer and read-only; where the API has no such pod any more it
    is the last that was known, or a stand-in made of the sandbox's labels.
    """

    uid: str
    object: objects.Object
    seen: Seen = NOTHING
    agreed: tuple[Seen, frozenset[tuple[str, int]]] | None = None
    """A `seen`, and a list of the runtime that says the same: not to be compared again."""
    stale: bool = False
    """`seen` may be wrong: ask the runtime before deciding."""
    searching: bool = False
    """The runtime is being asked, and until it answers `seen` says nothing that may be told."""
    memory: Memory = field(default_factory=Memory)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    cause: int = 0
    """The revision that made the kubelet look at it last."""
    event_at: int = 0
    """The runtime's time of the newest event about it."""
    sandbox_ids: list[str] = field(default_factory=list)
    """The sandboxes that are known, the newest first."""
    addresses: tuple[str, ...] = ()
    """Those of the sandbox in use, as soon as it has been made."""
    sandbox_config: pb.PodSandboxConfig | None = None
    killing: dict[str, bool] = field(default_factory=dict)
    """Containers that are asked to end, which is said once, and whether their hook was run."""

    status: objects.Object | None = None
    """What was computed last."""
    written: objects.Object | None = None
    """What the API acknowledged last."""
    told: asyncio.Event | None = None
    """Set with each acknowledgement, where somebody waits for one."""
    reconciled: float = 0.0
    """When the API's status was last found to differ from what had been written."""
    overwritten: bool = False
    """Somebody else wrote its status, and it is to be written again."""
    static: bool = False
    """It comes from a manifest, and the API has only a mirror of it, or nothing yet."""
    mirror: objects.Object | None = None
    finalize: bool = False
    """All has stopped: the API object may go."""

    @property
    def phase(self) -> str:
        """The phase that was told last, or that the API has."""
        status = self.status if self.status is not None else objects.status(self.object)
        return str(status.get("phase") or "Pending")

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return objects.key(self.object)


def seed(pod: Pod) -> None:
    """Remember what the API says of earlier attempts: counts never go down."""
    status = objects.status(pod.object)
    for name in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"):
        for one in status.get(name) or ():
            if one.get("containerID") or one.get("restartCount"):
                pod.memory.attempts[one["name"]] = int(one.get("restartCount") or 0)
    if restartall.shown(status):
        # What the runtime has no more of was forgotten on purpose.
        pod.memory.afresh = dict.fromkeys(pod.memory.attempts)


def stand_in(sandbox: pb.PodSandbox) -> objects.Object:
    """A pod object for a sandbox whose pod the API does not have."""
    meta = sandbox.metadata
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid},
        "spec": {},
    }


def asks_more(old: objects.Object, new: objects.Object) -> bool:
    """Whether the pod changed in anything that the kubelet acts upon."""
    before, after = objects.meta(old), objects.meta(new)
    return (
        before.get("generation") != after.get("generation")
        or before.get("annotations") != after.get("annotations")
        or before.get("labels") != after.get("labels")
        or ("generation" not in after and objects.spec(old) != objects.spec(new))
        or podspec.ephemeral_containers(old) != podspec.ephemeral_containers(new)
        or bool(objects.spec(new).get("readinessGates"))
    )
