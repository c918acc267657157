"""Whether a node takes a pod that was bound to it. Follows the kubelet's predicates (lifecycle)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cluster.api import objects, quantity
from cluster.kubelet.lifecycle import podspec
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


def amounts(values: Mapping[str, str], pods: int) -> Amounts:
    """Of a resource list such as requests or capacity."""
    return Amounts(
        quantity.milli(values.get("cpu", "0")),
        quantity.value(values.get("memory", "0")),
        quantity.value(values.get("ephemeral-storage", "0")),
        pods,
    )


def requests(pod: objects.Object) -> Amounts:
    """What a pod asks for: its app containers together, or its largest init container if more.

    Sidecars run beside both, and overhead comes on top (k8s.io/component-helpers/resource).
    """
    apps = _sum(_requests(spec) for spec in podspec.containers(pod))
    sidecars, peak = Amounts(), Amounts()
    for spec in podspec.init_containers(pod):
        own = _requests(spec)
        if podspec.sidecar(spec):
            sidecars = sidecars + own
            peak = _most(peak, sidecars)
        else:
            peak = _most(peak, sidecars + own)
    overhead = amounts(objects.spec(pod).get("overhead") or {}, 0)
    return _most(apps + sidecars, peak) + overhead + Amounts(pods=1)


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


def _requests(spec: objects.Object) -> Amounts:
    asked = (spec.get("resources") or {}).get("requests")
    return amounts(asked, 0) if asked else Amounts()


def _sum(found: Iterable[Amounts]) -> Amounts:
    total = Amounts()
    for one in found:
        total = total + one
    return total


def _most(one: Amounts, other: Amounts) -> Amounts:
    return Amounts(
        max(one.cpu, other.cpu),
        max(one.memory, other.memory),
        max(one.storage, other.storage),
        max(one.pods, other.pods),
    )
