"""What happens in a cluster that can make an unschedulable pod schedulable.

A plugin that turns pods down says which events may help, each with a hint: a function that looks
at one occurrence and one waiting pod (Kubernetes: queueing hints).
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from cluster.scheduler.pods import PodInfo


class Event(Enum):
    """Kinds of event. Names follow Kubernetes' `resource/action`."""

    NODE_ADD = "Node/Add"
    NODE_ALLOCATABLE = "Node/UpdateNodeAllocatable"
    NODE_LABELS = "Node/UpdateNodeLabel"
    NODE_TAINTS = "Node/UpdateNodeTaint"
    """Taints or spec.unschedulable."""
    NODE_DELETE = "Node/Delete"
    ASSIGNED_POD_ADD = "AssignedPod/Add"
    ASSIGNED_POD_UPDATE = "AssignedPod/Update"
    """A placed pod's labels or requests changed, or its deletion began."""
    ASSIGNED_POD_DELETE = "AssignedPod/Delete"
    POD_UPDATE = "Pod/Update"
    """The waiting pod itself: its spec or labels."""
    CLAIM_ADD = "PersistentVolumeClaim/Add"
    CLAIM_UPDATE = "PersistentVolumeClaim/Update"
    VOLUME_ADD = "PersistentVolume/Add"
    VOLUME_UPDATE = "PersistentVolume/Update"
    STORAGE_CLASS_ADD = "StorageClass/Add"
    STORAGE_CLASS_UPDATE = "StorageClass/Update"
    CSI_NODE_ADD = "CSINode/Add"
    CSI_NODE_UPDATE = "CSINode/Update"
    CSI_DRIVER_UPDATE = "CSIDriver/Update"
    CSI_CAPACITY_ADD = "CSIStorageCapacity/Add"
    CSI_CAPACITY_UPDATE = "CSIStorageCapacity/Update"
    ANY = "*"
    """So much happened that nobody knows what: every pod may be tried again."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One event: the objects before and after (None where there is none)."""

    event: Event
    old: Any = None
    new: Any = None


Hint = Callable[[PodInfo, Occurrence], bool]
"""Whether this occurrence may make this pod, which the plugin turned down, schedulable."""


@dataclass(frozen=True, slots=True)
class Alike:
    """A hint that looks at few facts of a pod: of pods with the same facts, one is asked for all.

    The answer follows from the facts, the occurrence, and what is the same for all pods.
    """

    judge: Hint
    facts: Callable[[PodInfo], Hashable]

    def __call__(self, pod: PodInfo, occurrence: Occurrence) -> bool:
        """As any hint."""
        return self.judge(pod, occurrence)


def always(_pod: PodInfo, _occurrence: Occurrence) -> bool:
    """The hint of an event that always may help."""
    return True


def never(_pod: PodInfo, _occurrence: Occurrence) -> bool:
    """The hint of an event that the plugin must hear of but leaves to others to judge."""
    return False
