"""The messages of events about pods that are resized in place. Pure.

Source: PodResizeStartedMsg and the rest in pkg/kubelet/events.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from cluster.api import objects
from cluster.kubelet.lifecycle import podspec

_PARTS: Final = ("limits", "requests", "claims")


def message(what: str, pod: objects.Object, error: str = "", *, generation: bool = True) -> str:
    """`Pod resize WHAT`, and what the pod's containers ask for."""
    told: dict[str, Any] = {}
    for name, specs in (
        ("initContainers", podspec.init_containers(pod)),
        ("containers", podspec.containers(pod)),
    ):
        if specs:
            told[name] = _summaries(specs)
    if generation:
        told["generation"] = objects.meta(pod).get("generation", 0)
    if error:
        told["error"] = error
    return f"Pod resize {what}: {msgspec.json.encode(told).decode()}"


def _summaries(specs: Sequence[objects.Object]) -> list[objects.Object]:
    found = []
    for spec in specs:
        asked = spec.get("resources") or {}
        parts = {
            part: dict(sorted(asked[part].items())) if part != "claims" else asked[part]
            for part in _PARTS
            if asked.get(part)
        }
        found.append({"name": spec["name"], "resources": parts})
    return found
