"""What a pod asks of a node, as the scheduler counts it: kept for pods that ask for the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec

from cluster.api import objects, podrequests
from cluster.api.podrequests import CPU, MEMORY

PODS: Final = "pods"

DEFAULT_MILLI_CPU_REQUEST: Final = 100
DEFAULT_MEMORY_REQUEST: Final = 200 * 1024 * 1024

_DEFAULTS: Final = {CPU: DEFAULT_MILLI_CPU_REQUEST, MEMORY: DEFAULT_MEMORY_REQUEST}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Requests:
    """A pod's requests, without the pod itself (`pods` is not in `amounts`).

    `scoring` has cpu and memory with Kubernetes' defaults for containers that ask for none: what
    spreads pods without requests.
    """

    amounts: tuple[tuple[str, int], ...] = ()
    scoring: tuple[int, int] = (0, 0)


def of(pod: Mapping[str, Any]) -> Requests:
    """The requests of a pod. ValueError for a malformed quantity (the API admits none)."""
    return _of_spec(_encode(_fragment(objects.spec(pod))))


def _fragment(spec: Mapping[str, Any]) -> dict[str, Any]:
    """All of a pod's spec that its requests depend on, as a spec."""
    return {
        "containers": [_asked(container) for container in spec.get("containers") or ()],
        "initContainers": [
            {**_asked(container), "restartPolicy": container.get("restartPolicy")}
            for container in spec.get("initContainers") or ()
        ],
        "overhead": spec.get("overhead"),
        **_asked(spec),
    }


def _asked(holder: Mapping[str, Any]) -> dict[str, Any]:
    return {"resources": {"requests": (holder.get("resources") or {}).get("requests")}}


@lru_cache(4096)
def _of_spec(text: bytes) -> Requests:
    pod = {"spec": _decode(text)}
    plain = podrequests.of(pod)
    scoring = podrequests.of(pod, _DEFAULTS)
    kept = tuple((name, asked) for name, asked in sorted(plain.items()) if asked)
    return Requests(kept, (scoring.get(CPU, 0), scoring.get(MEMORY, 0)))
