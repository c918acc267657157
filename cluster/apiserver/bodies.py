"""Bodies of requests: from JSON text to a document, with Kubernetes' words where that fails.

Words: transformDecodeError in k8s.io/apiserver/pkg/endpoints/handlers/response.go.
"""

from typing import Any

from cluster.api import errors, json_text, objects
from cluster.api.operations import Operation
from cluster.api.resources import Resource

MAX_BODY = 3 << 20
"""Bytes; MaxRequestBodyBytes of kube-apiserver."""
MOST_VALUES = 100_000
"""Of a body: whoever asks meanwhile waits while they are looked through, a second for so many."""
_FEW_BYTES = 2 * MOST_VALUES
"""A body of fewer has fewer values."""
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
    if len(body) > _FEW_BYTES:
        _check_values(found)
    return found


def _check_values(document: objects.Object) -> None:
    """errors.RequestEntityTooLarge where a document is made of too many values."""
    rest: list[Any] = [document]
    count = 0
    while rest:
        inner = rest.pop()
        count += len(inner)
        if count > MOST_VALUES:
            raise errors.RequestEntityTooLarge(
                f"Request entity too large: limit is {MOST_VALUES} values"
            )
        values = inner.values() if isinstance(inner, dict) else inner
        rest.extend(value for value in values if isinstance(value, dict | list))


def check_stored(value: bytes | None) -> None:
    """errors.RequestEntityTooLarge where an object has grown beyond what a body may have: what
    managed fields and defaults add to it comes on top, and etcd takes half of that.
    """
    if value is not None and len(value) > MAX_BODY:
        why = f"the object would take {len(value)} bytes in the store: limit is {MAX_BODY}"
        raise errors.RequestEntityTooLarge(f"Request entity too large: {why}")


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
