"""The quality-of-service class of a pod (k8s.io/kubernetes/pkg/apis/core/v1/helper/qos)."""

from typing import Final

from cluster.api import objects, quantity
from cluster.kubelet.lifecycle import podspec

_COUNTED: Final = ("cpu", "memory")


def of(pod: objects.Object) -> str:
    """Guaranteed, Burstable or BestEffort."""
    everything = [*podspec.containers(pod), *podspec.init_containers(pod)]
    some = False
    guaranteed = True
    for container in everything:
        resources = container.get("resources") or {}
        requests = _positive(resources.get("requests") or {})
        limits = _positive(resources.get("limits") or {})
        some = some or bool(requests or limits)
        full = len(limits) == len(_COUNTED)
        guaranteed = (
            guaranteed
            and full
            and all(requests.get(name, limits[name]) == limits[name] for name in _COUNTED)
        )
    if not some:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _positive(amounts: objects.Object) -> dict[str, int]:
    found = {name: quantity.milli(amounts[name]) for name in _COUNTED if name in amounts}
    return {name: amount for name, amount in found.items() if amount > 0}
