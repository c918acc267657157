"""Patches: json (RFC 6902), merge (RFC 7386) and strategic merge.

Errors are those of k8s.io/apiserver/pkg/endpoints/handlers/patch.go: a body that is no patch is
400, a patch that does not fit (a failed test, a missing path) is 422.
"""

import copy
from typing import Any, Final

import msgspec

from cluster.api import causes, decoding, errors, json_text, operations, schema, strategic
from cluster.api.objects import Object
from cluster.api.resources import Resource

JSON_PATCH_LIMIT: Final = 10_000  # operations
COPY_LIMIT: Final = 3 << 20  # bytes that the copies of a JSON patch add; kube-apiserver's own
REJECTED: Final = "the server rejected our request due to an error in our request"

_encode = msgspec.json.Encoder().encode


def patched(
    resource: Resource, old: Object, body: bytes, patch_type: str, version: str = schema.NEWEST
) -> Object:
    """What the patch makes of `old`, which it leaves alone; the two may share parts.

    metadata.uid and metadata.resourceVersion of a patch are in the result: they are preconditions,
    and the caller's to check. errors.BadRequest, Invalid, UnsupportedMediaType.
    """
    if patch_type == operations.JSON_PATCH:
        result = _json_patched(old, _decoded(body, "error decoding patch: "))
    elif patch_type == operations.MERGE_PATCH:
        patch = _decoded(body, "error decoding patch: ")
        if not isinstance(patch, dict):
            raise errors.BadRequest("Invalid JSON Patch")
        result = merged(old, patch)
    elif patch_type == operations.STRATEGIC_PATCH:
        result = _strategic(resource, old, body, version)
    else:
        raise errors.UnsupportedMediaType(_unsupported(patch_type))
    if not isinstance(result, dict):
        raise errors.Invalid(REJECTED)
    _same_identity(old, result)
    return result


def unfit(
    body: bytes, patch_type: str, result: Object, error: decoding.Undecodable
) -> errors.Invalid:
    """What Kubernetes says where the `result` of a patch is no object of its kind.

    It shows the whole result, and of a strategic merge patch, which it applies to the object in
    memory and not to its JSON text, the patch as Go prints it.
    """
    shown, why = causes.shown(result), error.why
    if patch_type == operations.STRATEGIC_PATCH:
        shown, why = _go_text(json_text.decoded(body)), error.converter
    return errors.invalid("", "", "", [causes.invalid("patch", shown, why)])


def _go_text(value: Any) -> str:
    """A value as Go's `%+v` prints it."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_go_text(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_go_text, value))}]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386: `target` with the merge patch applied; nothing that comes in is changed."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _decoded(body: bytes, prefix: str) -> Any:
    try:
        return json_text.decoded(body)
    except json_text.Malformed as error:
        raise errors.BadRequest(f"{prefix}{error}") from None


def _json_patched(old: Object, patch: Any) -> Any:
    # Imported when it is first needed: it is slow to load, and most processes never patch.
    import jsonpatch

    if not isinstance(patch, list) or not all(isinstance(step, dict) for step in patch):
        raise errors.BadRequest(
            "error decoding patch: json: cannot unmarshal object into Go value of type "
            "jsonpatch.Patch"
        )
    if len(patch) > JSON_PATCH_LIMIT:
        raise errors.RequestEntityTooLarge(
            f"The allowed maximum operations in a JSON patch is {JSON_PATCH_LIMIT}, "
            f"got {len(patch)}"
        )
    try:
        whole = jsonpatch.JsonPatch(patch)
        if any(step.get("op") == "copy" for step in patch):
            return _copied(old, patch)
        return whole.apply(old)
    except (
        jsonpatch.JsonPatchException, jsonpatch.JsonPointerException,
        AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError,
    ) as error:  # fmt: skip
        # The library answers odd documents with all of these.
        raise errors.Invalid(REJECTED) from error


def _copied(old: Object, patch: list[Object]) -> Any:
    """A patch that copies, step by step: each copy may double the document, so they are counted.

    ValueError past COPY_LIMIT.
    """
    import jsonpatch

    result: Any = copy.deepcopy(old)
    size = 0
    for step in patch:
        if step["op"] == "copy":
            size += len(_encode(jsonpatch.JsonPointer(step["from"]).resolve(result)))
            if size > COPY_LIMIT:
                raise ValueError(f"the copies of a patch are larger than {COPY_LIMIT} bytes")
        result = jsonpatch.JsonPatch([step]).apply(result, in_place=True)
    return result


def _strategic(resource: Resource, old: Object, body: bytes, version: str) -> Object:
    node = schema.for_kind(resource.api_version, resource.kind, version)
    if node is None or resource.custom is not None:
        accepted = (operations.JSON_PATCH, operations.MERGE_PATCH, operations.APPLY_PATCH)
        raise errors.UnsupportedMediaType(_unknown_format(accepted))
    try:
        patch = json_text.decoded(body)
    except json_text.Malformed:
        patch = None
    if not isinstance(patch, dict):
        raise errors.BadRequest("invalid JSON document")
    try:
        return strategic.merged(old, patch, node)
    except strategic.Malformed as error:
        raise errors.BadRequest(str(error)) from None
    except strategic.Inapplicable as error:
        raise errors.Invalid(str(error)) from None


def _unsupported(patch_type: str) -> str:
    kinds = (operations.JSON_PATCH, operations.MERGE_PATCH, operations.STRATEGIC_PATCH)
    return _unknown_format(kinds)


def _unknown_format(accepted: tuple[str, ...]) -> str:
    return (
        "the body of the request was in an unknown format - accepted media types include: "
        f"{', '.join(accepted)}"
    )


def _same_identity(old: Object, new: Object) -> None:
    before, after = old.get("metadata") or {}, new.get("metadata")
    if not isinstance(after, dict):
        return
    for field in ("name", "namespace"):
        if field in after and after[field] != before.get(field) and before.get(field):
            raise errors.BadRequest(
                f"the {field} of the object ({after[field]}) does not match the {field} on the "
                f"URL ({before[field]})"
            )
