"""The quality-of-service class of a pod: pkg/apis/core/helper/qos (ComputePodQOS)."""

from typing import Final

from cluster.api import quantity
from cluster.api.objects import Object
from cluster.api.recall import Recall

_COUNTED: Final = ("cpu", "memory")
_known: Final[Recall[str]] = Recall()


def of(spec: Object) -> str:
    """Guaranteed, Burstable or BestEffort, by requests and limits of cpu and memory."""
    holders = [spec["resources"]] if spec.get("resources") else _container_resources(spec)
    if not any(holders):
        return "BestEffort"
    text = _known.text(holders)
    known = _known.get(text) if text is not None else None
    if known is None:
        known = _of(holders)
        _known.keep(text, known)
    return known


def _of(holders: list[Object]) -> str:
    requests: dict[str, quantity.Amount] = {}
    limits: dict[str, quantity.Amount] = {}
    everywhere = True
    for holder in holders:
        _add(requests, holder.get("requests"))
        limited = _add(limits, holder.get("limits"))
        everywhere = everywhere and limited == len(_COUNTED)
    if not requests and not limits:
        return "BestEffort"
    return "Guaranteed" if everywhere and requests == limits else "Burstable"


def _container_resources(spec: Object) -> list[Object]:
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return [container.get("resources") or {} for container in containers]


def _add(total: dict[str, quantity.Amount], amounts: dict[str, str] | None) -> int:
    """Add the counted amounts that are not zero; how many there were."""
    count = 0
    for name in _COUNTED:
        amount = quantity.parse((amounts or {}).get(name, "0"))
        if amount > 0:
            total[name] = total.get(name, 0) + amount
            count += 1
    return count
