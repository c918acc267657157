"""Bodies of requests: from JSON text to a document, with Kubernetes' words where that fails.

Words: transformDecodeError in k8s.io/apiserver/pkg/endpoints/handlers/response.go.
"""

from typing import Any

from cluster.api import errors, json_text, objects
from cluster.api.operations import Operation
from cluster.api.resources import Resource

MAX_BODY = 3 << 20
"""Bytes; MaxRequestBodyBytes of kube-apiserver."""
_SHOWN = 30


def decoded(body: bytes, kind: str) -> objects.Object:
    """The document of a body that should be a `kind`.

    errors.BadRequest, errors.RequestEntityTooLarge.
    """
    if len(body) > MAX_BODY:
        raise errors.RequestEntityTooLarge(f"Request entity too large: limit is {MAX_BODY}")
    try:
        found = json_text.decoded(body)
    except json_text.Malformed as error:
        raise _unrecognized(body, kind, f"json parse error: {error}") from None
    if not isinstance(found, dict):
        why = f"json parse error: cannot unmarshal {_go_type(found)} into an object"
        raise _unrecognized(body, kind, why)
    return found


def repeated(operation: Operation, document: Any) -> tuple[str, ...]:
    """Paths of the fields that a body gives more than once, where anybody wants to know.

    `document` is the body, decoded.
    """
    if operation.field_validation == "Ignore":
        return ()
    return json_text.repeated(operation.body, document)


def check_place(row: Resource, obj: objects.Object, namespace: str) -> objects.Object:
    """`obj` with the namespace of its request.

    A body without metadata, or with a broken one, is left for the rules to complain about.
    errors.BadRequest where body and request name different namespaces.
    """
    metadata = obj.get("metadata")
    if metadata is None:
        metadata = obj["metadata"] = {}
    if not isinstance(metadata, dict):
        return obj
    said = metadata.get("namespace")
    if not row.namespaced:
        return obj
    if not namespace:
        raise errors.BadRequest("an empty namespace may not be set during creation")
    if said and said != namespace:
        raise errors.BadRequest(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    metadata["namespace"] = namespace
    return obj


def check_name(obj: objects.Object, name: str) -> None:
    """errors.BadRequest where the body names another object than the request does."""
    metadata = obj.get("metadata")
    said = metadata.get("name") if isinstance(metadata, dict) else None
    if not said:
        raise errors.BadRequest("name must be provided")
    if said != name:
        raise errors.BadRequest(
            f"the name of the object ({said}) does not match the name on the URL ({name})"
        )


def named_revision(obj: objects.Object) -> str:
    """metadata.resourceVersion of a body, "" where it has none or none that could be meant."""
    metadata = obj.get("metadata")
    said = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    return said if isinstance(said, str) and said != "0" else ""


def _unrecognized(body: bytes, kind: str, why: str) -> errors.BadRequest:
    return errors.BadRequest(
        f"the object provided is unrecognized (must be of type {kind}): "
        f"couldn't get version/kind; {why} ({_summary(body)})"
    )


def _summary(body: bytes) -> str:
    if not body:
        return "<empty>"
    more = " ..." if len(body) > _SHOWN else ""
    if body[:1] == b"{":
        return body[:_SHOWN].decode(errors="replace") + more
    return body[:_SHOWN].hex() + more


def _go_type(value: Any) -> str:
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, list):
        return "array"
    return "null" if value is None else "number"
