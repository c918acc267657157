"""From a decoded request body to an object of a resource with its defaults.

Most of what is written has a spec that was seen before: pods come from templates, and a status is
written for a spec that stays. A spec is known again by its text, and what became of it the first
time is read from text, so that each object has dicts of its own.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from cluster.api import decoding, defaults, walker
from cluster.api.objects import Object
from cluster.api.recall import Recall
from cluster.api.resources import Resource

_PODS: Final = "pods"
"""Whose defaults are those of the spec, and depend on nothing else: they are remembered, too."""
_known: Final[Recall[bytes]] = Recall(1024)
_encode = msgspec.json.Encoder().encode
_decode: Callable[[bytes], Any] = msgspec.json.Decoder().decode


def completed(
    resource: Resource,
    document: Any,
    version: str,
    field_validation: str,
    repeated: tuple[str, ...] = (),
) -> tuple[Object, tuple[str, ...]]:
    """`decoding.decoded`, and the defaults."""
    spec = document.get("spec") if type(document) is dict else None
    if not spec or type(spec) is not dict or resource.custom is not None:
        made, warnings = decoding.decoded(resource, document, version, field_validation, repeated)
        defaults.apply(resource, made, version)
        return made, warnings
    text = _known.text((version, resource.api_version, resource.kind, spec))
    known = _known.get(text) if text is not None else None
    if known is not None:
        rest = {**document, "spec": {}}
        made, warnings = decoding.decoded(resource, rest, version, field_validation, repeated)
        made["spec"] = _decode(known)
        if resource.id != _PODS:
            defaults.apply(resource, made, version)
        return made, warnings
    unknown = walker.Unknown()
    made, warnings = decoding.decoded(
        resource, document, version, field_validation, repeated, unknown=unknown
    )
    if text is not None and resource.id != _PODS:
        _keep(text, made, unknown)
    defaults.apply(resource, made, version)
    if text is not None and resource.id == _PODS:
        _keep(text, made, unknown)
    return made, warnings


def _keep(text: bytes, made: Object, unknown: walker.Unknown) -> None:
    """Remember a spec; not one with unknown fields, of which the next one may want to be told."""
    if not unknown.paths and "spec" in made:
        _known.keep(text, _encode(made["spec"]))
