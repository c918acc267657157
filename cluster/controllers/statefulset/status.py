"""What a StatefulSet's status says."""

from collections.abc import Iterable
from dataclasses import dataclass

from cluster.api import objects
from cluster.controllers.statefulset.observed import Replica
from cluster.controllers.statefulset.settings import Settings

ALWAYS = ("replicas", "availableReplicas", "collisionCount")
"""Written though they are zero; the other counts are left out then."""
_COUNTS = (
    "observedGeneration", "replicas", "readyReplicas", "currentReplicas", "updatedReplicas",
    "currentRevision", "updateRevision", "availableReplicas",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Revisions:
    """The names of the two revisions that count, and how often a name was taken."""

    current: str
    update: str
    collisions: int


def compute(
    stateful_set: objects.Object,
    settings: Settings,
    pods: Iterable[Replica],
    revisions: Revisions,
    replaced: int = 0,
) -> objects.Object:
    """The status with these pods, of which `replaced` have just been deleted for an update."""
    total = ready = available = current = updated = 0
    for replica in pods:
        total += 1
        if replica.ready:
            ready += 1
            available += replica.available
        if not replica.terminating:
            current += replica.revision == revisions.current
            updated += replica.revision == revisions.update
    current = max(0, current - replaced)
    status: objects.Object = {
        "observedGeneration": objects.meta(stateful_set).get("generation") or 0,
        "replicas": total,
        "readyReplicas": ready,
        "currentReplicas": current,
        "updatedReplicas": updated,
        "currentRevision": revisions.current,
        "updateRevision": revisions.update,
        "collisionCount": revisions.collisions,
        "availableReplicas": available,
    }
    if settings.rolling and updated == ready == total == settings.replicas:
        status["currentRevision"], status["currentReplicas"] = revisions.update, updated
    return {name: value for name, value in status.items() if value or name in ALWAYS}


def same(old: objects.Object, new: objects.Object) -> bool:
    """Whether `new` says nothing new. What others put into a status is no reason to write."""
    return all((old.get(name) or 0) == (new.get(name) or 0) for name in _COUNTS)
