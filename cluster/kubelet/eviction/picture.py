"""What a node's pods use, as eviction looks at it. Values; bytes unless said otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cluster.api import objects, podrequests
from cluster.api.objects import Object
from cluster.kubelet.eviction import signals

SYSTEM_CRITICAL: int = 2_000_000_000
"""scheduling.SystemCriticalPriority."""


@dataclass(frozen=True, slots=True)
class ContainerUse:
    """What one container uses: `rootfs` is its writable layer, `logs` its log."""

    memory: int = 0
    rootfs: int = 0
    logs: int = 0


@dataclass(frozen=True, slots=True)
class PodUse:
    """What one pod uses. `volumes` are its local ephemeral ones by name, without those in memory;
    `processes` counts.
    """

    containers: Mapping[str, ContainerUse] = field(default_factory=dict)
    volumes: Mapping[str, int] = field(default_factory=dict)
    beside: int = 0
    """Memory that the sandbox takes beside its containers."""
    inodes: int = 0
    processes: int = 0

    @property
    def memory(self) -> int:
        """Its working set."""
        return self.beside + sum(one.memory for one in self.containers.values())

    @property
    def disk(self) -> int:
        """What counts as its ephemeral storage."""
        held = sum(one.rootfs + one.logs for one in self.containers.values())
        return held + sum(self.volumes.values())

    def of(self, resource: str) -> int:
        """How much of a starved resource it has."""
        if resource == "memory":
            return self.memory
        if resource == signals.STORAGE:
            return self.disk
        return self.inodes if resource == signals.INODES else self.processes


@dataclass(frozen=True, slots=True)
class Candidate:
    """An active pod. `use` is None where nothing could be measured."""

    pod: Object
    use: PodUse | None
    static: bool = False

    @property
    def uid(self) -> str:
        """The pod's uid, as its kubelet knows it."""
        return objects.uid(self.pod)

    def requested(self, resource: str) -> int:
        """What it requests of a resource; nobody requests inodes or process ids."""
        return podrequests.of(self.pod).get(resource, 0)


def priority(pod: Object) -> int:
    """The pod's priority, 0 where it has none."""
    return int(objects.spec(pod).get("priority") or 0)


def critical(pod: Object, *, static: bool) -> bool:
    """IsCriticalPod of pkg/kubelet/types: what the node cannot do without. Whether it is `static`
    is the kubelet's to know: annotations of a pod of the API may say anything.
    """
    return static or priority(pod) >= SYSTEM_CRITICAL
