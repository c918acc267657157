"""Whether a node takes a pod that was bound to it. Follows the kubelet's predicates (lifecycle)."""

from dataclasses import dataclass

from cluster.api import objects, podrequests
from cluster.kubelet.lifecycle.model import Rejection


@dataclass(frozen=True, slots=True)
class Amounts:
    """Of what pods ask for: thousandths of a CPU; bytes; pods."""

    cpu: int = 0
    memory: int = 0
    storage: int = 0
    pods: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(
            self.cpu + other.cpu,
            self.memory + other.memory,
            self.storage + other.storage,
            self.pods + other.pods,
        )

    def __sub__(self, other: "Amounts") -> "Amounts":
        return Amounts(
            self.cpu - other.cpu,
            self.memory - other.memory,
            self.storage - other.storage,
            self.pods - other.pods,
        )


def requests(pod: objects.Object) -> Amounts:
    """What a pod asks for."""
    asked = podrequests.of(pod)
    return Amounts(
        asked.get(podrequests.CPU, 0),
        asked.get(podrequests.MEMORY, 0),
        asked.get(podrequests.EPHEMERAL_STORAGE, 0),
        pods=1,
    )


def judge(asked: Amounts, used: Amounts, capacity: Amounts) -> Rejection | None:
    """Why the pod does not fit beside what is used, or None."""
    rows = (
        ("pods", asked.pods, used.pods, capacity.pods),
        ("cpu", asked.cpu, used.cpu, capacity.cpu),
        ("memory", asked.memory, used.memory, capacity.memory),
        ("ephemeral-storage", asked.storage, used.storage, capacity.storage),
    )
    for name, wanted, taken, limit in rows:
        if wanted and taken + wanted > limit:
            message = (
                f"Pod was rejected: Node didn't have enough resource: {name}, "
                f"requested: {wanted}, used: {taken}, capacity: {limit}"
            )
            return Rejection(f"OutOf{name}", message)
    return None
