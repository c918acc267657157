"""What a revision remembers of its owner: the pod template, as a strategic merge patch of it.

Kubernetes' own form, `{"spec": {"template": {"$patch": "replace", ...}}}`: `kubectl rollout undo`
sends it as it is, and `kubectl rollout history --revision` shows the template in it. Its JSON is
that of Go's structs, in which some fields are written though they are empty; so names of revisions
are those that Kubernetes gives.
"""

from typing import Any

import msgspec

from cluster.api import objects

_canonical = msgspec.json.Encoder(order="deterministic").encode

_ESCAPED = (
    (b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"),
    ("\u2028".encode(), b"\\u2028"), ("\u2029".encode(), b"\\u2029"),
)  # fmt: skip
"""What Go's JSON writer escapes and others do not. All of it stands within strings only."""


def of(owner: objects.Object) -> objects.Object:
    """The data of the revision that brings the present spec.template of `owner` back."""
    template = _as_go_writes(objects.spec(owner).get("template") or {})
    return {"spec": {"template": {**template, "$patch": "replace"}}}


def template_in(data: objects.Object) -> objects.Object:
    """The pod template that `data` remembers; {} where it remembers none.

    Anybody may write data by hand: what has not the shape of a template is none.
    """
    template: Any = data
    for field in ("spec", "template"):
        template = template.get(field) if isinstance(template, dict) else None
    if not isinstance(template, dict) or not isinstance(template.get("spec"), dict):
        return {}
    metadata = template.get("metadata") or {}
    if not isinstance(metadata, dict):
        return {}
    kept = {key: value for key, value in metadata.items() if value is not None}
    if any(not isinstance(kept.get(field, {}), dict) for field in ("labels", "annotations")):
        return {}
    restored = {key: value for key, value in template.items() if key != "$patch"}
    return {**restored, "metadata": kept}


def encoded(data: objects.Object) -> bytes:
    """The data as Go writes it, keys in order: what is hashed."""
    text: bytes = _canonical(data)
    for plain, escaped in _ESCAPED:
        if plain in text:
            text = text.replace(plain, escaped)
    return text


def _as_go_writes(template: objects.Object) -> dict[str, Any]:
    metadata = {"creationTimestamp": None, **objects.meta(template)}
    spec = dict(objects.spec(template))
    for field in ("initContainers", "containers"):
        if spec.get(field):
            spec[field] = [{"resources": {}, **container} for container in spec[field]]
    if spec.get("volumes"):
        spec["volumes"] = [_volume(volume) for volume in spec["volumes"]]
    return {**template, "metadata": metadata, "spec": spec}


def _volume(volume: objects.Object) -> objects.Object:
    """Claims within ephemeral volumes have empty fields of their own."""
    claim = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
    if not claim:
        return volume
    written = {
        **claim,
        "metadata": {"creationTimestamp": None, **objects.meta(claim)},
        "spec": {"resources": {}, **objects.spec(claim)},
    }
    return {**volume, "ephemeral": {**volume["ephemeral"], "volumeClaimTemplate": written}}
