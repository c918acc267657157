"""What a pod asks of a node, computed as Kubernetes' resource helpers compute it.

Containers and sidecars (init containers that restart always) add up; an ordinary init container
needs its own share beside the sidecars started before it, and only for its time, so the larger of
both counts. Pod-level requests take the place of what they name. Overhead comes on top.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec

from cluster.api import objects, quantity

CPU: Final = "cpu"
MEMORY: Final = "memory"
EPHEMERAL_STORAGE: Final = "ephemeral-storage"
PODS: Final = "pods"

DEFAULT_MILLI_CPU_REQUEST: Final = 100
DEFAULT_MEMORY_REQUEST: Final = 200 * 1024 * 1024

Amounts = dict[str, int]
"""Amounts by resource name: cpu in thousandths of a core, all else in whole units."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_DEFAULTS: Final = {CPU: DEFAULT_MILLI_CPU_REQUEST, MEMORY: DEFAULT_MEMORY_REQUEST}


@dataclass(frozen=True, slots=True)
class Requests:
    """A pod's requests, without the pod itself (`pods` is not in `amounts`).

    `scoring` has cpu and memory with Kubernetes' defaults for containers that ask for none: what
    spreads pods without requests.
    """

    amounts: tuple[tuple[str, int], ...] = ()
    scoring: tuple[int, int] = (0, 0)


def fragment(pod: Mapping[str, Any]) -> Any:
    """All of a pod that its requests depend on, as plain JSON data."""
    spec = objects.spec(pod)
    return [
        [_asked(container) for container in spec.get("containers") or ()],
        [
            [_asked(container), container.get("restartPolicy") == "Always"]
            for container in spec.get("initContainers") or ()
        ],
        _asked(spec),
        spec.get("overhead"),
    ]


def of(pod: Mapping[str, Any]) -> Requests:
    """The requests of a pod. ValueError for a malformed quantity (the API admits none)."""
    return _of_fragment(_encode(fragment(pod)))


def amount(resource: str, text: str | float) -> int:
    """A quantity in the unit of its column: cpu in thousandths, all else whole, rounded up."""
    return quantity.milli(text) if resource == CPU else quantity.value(text)


def _asked(holder: Mapping[str, Any]) -> Any:
    return (holder.get("resources") or {}).get("requests")


@lru_cache(4096)
def _of_fragment(text: bytes) -> Requests:
    containers, inits, pod_level, overhead = _decode(text)
    plain = _needed(containers, inits, {})
    scoring = _needed(containers, inits, _DEFAULTS)
    for name, asked in _amounts(pod_level).items():
        plain[name] = scoring[name] = asked
    _add(plain, _amounts(overhead))
    _add(scoring, _amounts(overhead))
    kept = tuple((name, asked) for name, asked in sorted(plain.items()) if asked)
    return Requests(kept, (scoring.get(CPU, 0), scoring.get(MEMORY, 0)))


def _needed(containers: list[Any], inits: list[Any], defaults: Mapping[str, int]) -> Amounts:
    running: Amounts = {}
    for asked in containers:
        _add(running, {**defaults, **_amounts(asked)})
    sidecars: Amounts = {}
    starting: Amounts = {}
    for asked, restarts in inits:
        own = {**defaults, **_amounts(asked)}
        if restarts:
            _add(running, own)
            _add(sidecars, own)
            own = sidecars
        else:
            _add(own, sidecars)
        _raise_to(starting, own)
    _raise_to(running, starting)
    return running


def _amounts(asked: Mapping[str, Any] | None) -> Amounts:
    return {name: amount(name, text) for name, text in (asked or {}).items()}


def _add(total: Amounts, more: Mapping[str, int]) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0) + value


def _raise_to(total: Amounts, least: Mapping[str, int]) -> None:
    for name, value in least.items():
        total[name] = max(total.get(name, 0), value)
