"""What a pod asks of a node, computed as Kubernetes' resource helpers compute it.

Containers and sidecars (init containers that restart always) add up; an ordinary init container
needs its own share beside the sidecars started before it, and only for its time, so the larger of
both counts. Pod-level requests take the place of what they name. Overhead comes on top.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from cluster.api import objects, quantity

CPU: Final = "cpu"
MEMORY: Final = "memory"
EPHEMERAL_STORAGE: Final = "ephemeral-storage"

Amounts = dict[str, int]
"""Amounts by resource name: cpu in thousandths of a core, all else in whole units."""

_NOTHING: Final[Mapping[str, int]] = {}


def of(pod: Mapping[str, Any], defaults: Mapping[str, int] = _NOTHING) -> Amounts:
    """The requests of a pod; `defaults` count for each container that does not name them.

    ValueError for a malformed quantity (the API admits none).
    """
    spec = objects.spec(pod)
    total = _needed(spec.get("containers") or (), spec.get("initContainers") or (), defaults)
    total.update(_asked(spec))
    _add(total, amounts(spec.get("overhead")))
    return total


def limits_of(pod: Mapping[str, Any]) -> Amounts:
    """The limits of a pod, of what any container limits; overhead raises those alone."""
    spec = objects.spec(pod)
    inits = spec.get("initContainers") or ()
    total = _needed(spec.get("containers") or (), inits, _NOTHING, "limits")
    total.update(_asked(spec, "limits"))
    for name, more in amounts(spec.get("overhead")).items():
        if total.get(name):
            total[name] += more
    return total


def amount(resource: str, text: str | float) -> int:
    """A quantity in the unit of its resource: cpu in thousandths, all else whole, rounded up."""
    return quantity.milli(text) if resource == CPU else quantity.value(text)


def amounts(listed: Mapping[str, str] | None) -> Amounts:
    """A resource list such as requests, overhead or allocatable."""
    return {name: amount(name, text) for name, text in (listed or {}).items()}


def _asked(holder: Mapping[str, Any], side: str = "requests") -> Amounts:
    return amounts((holder.get("resources") or {}).get(side))


def _needed(
    containers: Iterable[Mapping[str, Any]],
    inits: Iterable[Mapping[str, Any]],
    defaults: Mapping[str, int],
    side: str = "requests",
) -> Amounts:
    running: Amounts = {}
    for container in containers:
        _add(running, {**defaults, **_asked(container, side)})
    sidecars: Amounts = {}
    starting: Amounts = {}
    for container in inits:
        own = {**defaults, **_asked(container, side)}
        if container.get("restartPolicy") == "Always":
            _add(running, own)
            _add(sidecars, own)
            own = sidecars
        else:
            _add(own, sidecars)
        _raise_to(starting, own)
    _raise_to(running, starting)
    return running


def _add(total: Amounts, more: Mapping[str, int]) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0) + value


def _raise_to(total: Amounts, least: Mapping[str, int]) -> None:
    for name, value in least.items():
        total[name] = max(total.get(name, 0), value)
