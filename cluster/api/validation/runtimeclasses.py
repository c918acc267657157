"""RuntimeClass (pkg/apis/node/validation)."""

from typing import Final

from cluster.api import causes, metadata, objectmeta
from cluster.api.objects import Object
from cluster.api.validation import family, resourcelists, scheduling, values
from cluster.api.validation.values import Causes

_IDENTITY: Final = ("key", "operator", "value", "effect")


def runtime_class(obj: Object) -> Causes:
    """What is wrong with a new runtime class."""
    handler = obj.get("handler") or ""
    found = values.complaints("handler", handler, metadata.dns1123_label(handler))
    if "overhead" in obj:
        amounts = {"limits": (obj["overhead"] or {}).get("podFixed") or {}}
        found += resourcelists.requirements("overhead", amounts)
    wanted = obj.get("scheduling")
    if wanted is None:
        return found
    found += objectmeta.check_labels(wanted.get("nodeSelector") or {}, "scheduling.nodeSelector")
    return found + _tolerations("scheduling.tolerations", wanted.get("tolerations") or [])


def _tolerations(path: str, listed: list[Object]) -> Causes:
    # Kubernetes names the field twice where one toleration is wrong.
    found = scheduling.tolerations(f"{path}.tolerations", listed)
    seen: set[tuple[str, ...]] = set()
    for index, toleration in enumerate(listed):
        key = tuple(toleration.get(field) or "" for field in _IDENTITY)
        if key in seen:
            found.append(causes.duplicate(f"{path}[{index}]", toleration))
        seen.add(key)
    return found


def runtime_class_update(old: Object, new: Object) -> Causes:
    """What is wrong with a changed runtime class: its handler stays."""
    return values.immutable("handler", old.get("handler") or "", new.get("handler") or "")


_ID: Final = "runtimeclasses.node.k8s.io"
NEW: Final[family.Creates] = {_ID: runtime_class}
UPDATE: Final[family.Updates] = {_ID: runtime_class_update}
STATUS: Final[family.Updates] = {}
OTHER: Final[family.Others] = {}
