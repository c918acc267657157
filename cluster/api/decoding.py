"""From a decoded request body to an object of a resource: type check, schema, field validation.

Messages: k8s.io/apiserver/pkg/endpoints/handlers (create.go, update.go, rest.go) and the strict
decoder of k8s.io/apimachinery/pkg/runtime/serializer.
"""

from functools import cache
from typing import Any, Final

from cluster.api import causes, errors, schema, walker
from cluster.api.objects import Object
from cluster.api.resources import Resource

_SCHEME: Final = "pkg/api/legacyscheme/scheme.go:30"
_FIRST: Final = ("apiVersion", "kind", "metadata")


class Undecodable(errors.BadRequest):
    """A document that is no object of its resource.

    `why` is the decoder's complaint alone; `converter` is that of Kubernetes' converter of
    unstructured objects, which strategic merge patches go through.
    """

    def __init__(self, message: str, why: str, converter: str = "") -> None:
        super().__init__(message)
        self.why = why
        self.converter = converter or why


def decoded(
    resource: Resource,
    document: Any,
    version: str,
    field_validation: str,
    repeated: tuple[str, ...] = (),
    *,
    unknown: walker.Unknown | None = None,
) -> tuple[Object, tuple[str, ...]]:
    """A new object of `resource`, and warnings about fields that were dropped.

    It has apiVersion, kind and metadata first. `field_validation` is Strict (unknown fields are an
    error), Warn or Ignore; so are `repeated` fields, those that the text of the document gave more
    than once. `unknown`, where it is given, hears of unknown fields whatever it says.
    Parts without a schema are shared with `document`. errors.BadRequest.
    """
    if not isinstance(document, dict):
        raise errors.BadRequest(_unrecognized(resource, document))
    api_version = document.get("apiVersion") or resource.api_version
    kind = document.get("kind") or resource.kind
    if api_version != resource.api_version or kind != resource.kind:
        why = _wrong_kind(resource, api_version, kind, version)
        raise Undecodable(why, why)
    unknown = unknown if unknown is not None else walker.Unknown()
    try:
        if resource.custom is not None:
            walked = resource.custom.decoded(document, unknown)
        else:
            node = schema.for_kind(resource.api_version, resource.kind, version)
            walked = _walked(node, document, kind, version, unknown)
    except walker.Malformed as error:
        why = str(error)
        raise Undecodable(_cannot_be_handled(resource, why), why, error.converter) from None
    complaints = [f'duplicate field "{path}"' for path in repeated]
    complaints += [f'unknown field "{path}"' for path in unknown.paths]
    if complaints and field_validation == "Strict":
        told = f"strict decoding error: {', '.join(complaints)}"
        raise Undecodable(_cannot_be_handled(resource, told), told)
    warnings = tuple(complaints) if field_validation != "Ignore" else ()
    return _ordered(resource, walked), warnings


def _walked(
    node: schema.Node | None, document: Object, kind: str, version: str, unknown: walker.Unknown
) -> Object:
    if node is not None:
        walked: Object = walker.walk(node, document, unknown)
        return walked
    known = {"metadata": document.get("metadata")}
    walked = walker.walk(_envelope(version, kind), known, unknown)
    return document | walked


@cache
def _envelope(version: str, kind: str) -> schema.Node:
    return schema.Node.envelope(version, kind)


def _ordered(resource: Resource, walked: Object) -> Object:
    result: Object = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": walked.get("metadata") or {},
    }
    for key, value in walked.items():
        if key not in _FIRST:
            result[key] = value
    return result


def _cannot_be_handled(resource: Resource, why: str, kind: str = "", version: str = "") -> str:
    return (
        f'{kind or resource.kind} in version "{version or resource.version}" '
        f"cannot be handled as a {resource.kind}: {why}"
    )


def _wrong_kind(resource: Resource, api_version: Any, kind: Any, version: str) -> str:
    if not isinstance(api_version, str) or not isinstance(kind, str):
        wrong = api_version if not isinstance(api_version, str) else kind
        name = "apiVersion" if wrong is api_version else "kind"
        return _not_typed(resource, f"struct field .{name} of type string", wrong)
    if resource.custom is not None:
        return _wrong_custom_kind(resource, api_version, kind)
    short = api_version.rpartition("/")[2]
    if not schema.kind_exists(api_version, kind, version):
        why = f'no kind "{kind}" is registered for version "{api_version}" in scheme "{_SCHEME}"'
        return _cannot_be_handled(resource, why, kind, short)
    if kind == resource.kind and api_version.rpartition("/")[0] == resource.group:
        return (
            f"the API version in the data ({api_version}) does not match the expected API "
            f"version ({resource.api_version})"
        )
    internal = resource.group.split(".")[0] or "core"
    why = f"converting (v1.{kind}) to ({internal}.{resource.kind}): unknown conversion"
    return _cannot_be_handled(resource, why.replace("v1.", f"{short}.", 1), kind, short)


def _wrong_custom_kind(resource: Resource, api_version: str, kind: str) -> str:
    """Custom objects decode into anything: Kubernetes compares what they say afterwards."""
    if api_version != resource.api_version:
        return (
            f"the API version in the data ({api_version}) does not match the expected API "
            f"version ({resource.api_version})"
        )
    cause = causes.invalid("kind", kind, f"must be {resource.kind}")
    raise errors.invalid(kind, resource.group, "", [cause])


def _unrecognized(resource: Resource, document: Any) -> str:
    target = (
        'value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; '
        'Kind string "json:\\"kind,omitempty\\"" }'
    )
    return _not_typed(resource, target, document)


def _not_typed(resource: Resource, target: str, value: Any) -> str:
    found = walker.json_type(value)
    return (
        f"the object provided is unrecognized (must be of type {resource.kind}): couldn't get "
        f"version/kind; json parse error: json: cannot unmarshal {found} into Go {target}"
    )
