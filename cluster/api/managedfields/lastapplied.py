"""kubectl's last-applied annotation beside server-side apply, so that both kinds can be mixed.

Source: internal/lastapplied.go, lastappliedmanager.go and lastappliedupdater.go. Only the manager
`kubectl` is looked after; whoever does not want that takes another name.
"""

from typing import Any, Final

import msgspec

from cluster.api import json_text, objectmeta, objects
from cluster.api.managedfields import fieldsets, roots, types, walking
from cluster.api.managedfields.fieldsets import NOTHING, Set
from cluster.api.objects import Object

KUBECTL: Final = "kubectl"
ANNOTATION: Final = "kubectl.kubernetes.io/last-applied-configuration"

_encode = msgspec.json.Encoder(order="sorted").encode


def fields(kind: types.Type, live: Object, api_version: str) -> Set:
    """The fields that the annotation of `live` says were applied, and that still are as they were.

    Nothing where there is no annotation, or none that can be read, or one of another version.
    """
    text = _annotations(live).get(ANNOTATION)
    if not isinstance(text, str) or not text:
        return NOTHING
    try:
        applied = json_text.decoded(text.encode())
        if not isinstance(applied, dict) or applied.get("apiVersion") != api_version:
            return NOTHING
        root = roots.of(kind)
        found = root.claims(applied) or NOTHING
        touched, removed = root.diff(applied, live)
    except (json_text.Malformed, walking.Unkeyed, UnicodeError):
        return NOTHING
    return fieldsets.difference(fieldsets.difference(found, touched or {}), removed or {})


def refreshed(obj: Object, config: Object) -> Object:
    """The object with the annotation telling of `config`, where it has the annotation."""
    annotations = _annotations(obj)
    if not annotations.get(ANNOTATION):
        return obj
    changed = annotations | {ANNOTATION: _text(config)}
    if _size(changed) > objectmeta.ANNOTATIONS_LIMIT:
        changed[ANNOTATION] = ""
    return obj | {"metadata": objects.meta(obj) | {"annotations": changed}}


def _annotations(obj: Object) -> dict[str, Any]:
    metadata = obj.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def _text(config: Object) -> str:
    """The configuration as the annotation holds it: sorted, without the annotation itself."""
    annotations = _annotations(config)
    if ANNOTATION in annotations:
        rest = {name: value for name, value in annotations.items() if name != ANNOTATION}
        metadata = dict(objects.meta(config))
        metadata.pop("annotations")
        if rest:
            metadata["annotations"] = rest
        config = config | {"metadata": metadata}
    return _encode(config).decode() + "\n"


def _size(annotations: dict[str, Any]) -> int:
    return sum(len(key.encode()) + len(str(value).encode()) for key, value in annotations.items())
