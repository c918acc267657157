"""From a decoded request body to an object of a resource with its defaults.

Most pods come from templates: the rest of a pod, without its metadata, is known again by its text,
and what became of it the first time is read from text, so that each has dicts of its own.
"""

from typing import Any, Final

import msgspec

from cluster.api import decoding, defaults
from cluster.api.objects import Object
from cluster.api.recall import Recall
from cluster.api.resources import Resource

_ENVELOPE: Final = ("apiVersion", "kind", "metadata")
_pods: Final[Recall[bytes]] = Recall()
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def completed(
    resource: Resource,
    document: Any,
    version: str,
    field_validation: str,
    repeated: tuple[str, ...] = (),
) -> tuple[Object, tuple[str, ...]]:
    """`decoding.decoded`, and the defaults."""
    if resource.id == "pods" and isinstance(document, dict):
        return _pod(resource, document, version, field_validation, repeated)
    return _whole(resource, document, version, field_validation, repeated)


def _whole(
    resource: Resource,
    document: Any,
    version: str,
    field_validation: str,
    repeated: tuple[str, ...],
) -> tuple[Object, tuple[str, ...]]:
    made, warnings = decoding.decoded(resource, document, version, field_validation, repeated)
    defaults.apply(resource, made, version)
    return made, warnings


def _pod(
    resource: Resource,
    document: Object,
    version: str,
    field_validation: str,
    repeated: tuple[str, ...],
) -> tuple[Object, tuple[str, ...]]:
    rest = {name: value for name, value in document.items() if name not in _ENVELOPE}
    text = _pods.text((version, rest))
    known = _pods.get(text) if text is not None else None
    if known is not None:
        envelope = {name: document[name] for name in _ENVELOPE if name in document}
        made, warnings = decoding.decoded(resource, envelope, version, field_validation, repeated)
        made.update(_decode(known))
        return made, warnings
    made, warnings = _whole(resource, document, version, field_validation, repeated)
    # Who ignores unknown fields is not told of them; the next one may want to be.
    if text is not None and not warnings and field_validation != "Ignore":
        kept = {name: value for name, value in made.items() if name not in _ENVELOPE}
        _pods.keep(text, _encode(kept))
    return made, warnings
