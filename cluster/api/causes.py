"""Field errors: what is wrong with one field, worded as k8s.io/apimachinery's field.Error words it.

Each function gives an errors.Cause; paths are the JSON paths that Kubernetes shows
(`spec.containers[0].image`, `metadata.labels`).
"""

import json
from collections.abc import Iterable
from typing import Any

from cluster.api.errors import Cause


def required(path: str, detail: str = "") -> Cause:
    """FieldValueRequired: the field must have a value."""
    return Cause("FieldValueRequired", _joined("Required value", detail), path)


def invalid(path: str, value: Any, detail: str) -> Cause:
    """FieldValueInvalid: the value breaks a rule."""
    return Cause("FieldValueInvalid", _joined(f"Invalid value: {shown(value)}", detail), path)


def invalid_without_value(path: str, detail: str) -> Cause:
    """FieldValueInvalid of something too large to show."""
    return Cause("FieldValueInvalid", f"Invalid value: {detail}", path)


def not_supported(path: str, value: Any, supported: Iterable[str]) -> Cause:
    """FieldValueNotSupported: the value is none of the known ones."""
    known = ", ".join(quoted(text) for text in supported)
    detail = f"supported values: {known}" if known else ""
    text = _joined(f"Unsupported value: {shown(value)}", detail)
    return Cause("FieldValueNotSupported", text, path)


def duplicate(path: str, value: Any) -> Cause:
    """FieldValueDuplicate: the value occurs twice where it must be unique."""
    return Cause("FieldValueDuplicate", f"Duplicate value: {shown(value)}", path)


def not_found(path: str, value: Any) -> Cause:
    """FieldValueNotFound: the value names something that does not exist."""
    return Cause("FieldValueNotFound", f"Not found: {shown(value)}", path)


def forbidden(path: str, detail: str) -> Cause:
    """FieldValueForbidden: the field may not be set, or not be changed."""
    return Cause("FieldValueForbidden", _joined("Forbidden", detail), path)


def too_long(path: str, limit: int) -> Cause:
    """FieldValueTooLong: more than `limit` bytes."""
    noun = "byte" if limit == 1 else "bytes"
    return Cause("FieldValueTooLong", f"Too long: may not be more than {limit} {noun}", path)


def too_many(path: str, found: int, limit: int) -> Cause:
    """FieldValueTooMany: more than `limit` items."""
    noun = "item" if limit == 1 else "items"
    text = f"Too many: {found}: must have at most {limit} {noun}"
    return Cause("FieldValueTooMany", text, path)


def shown(value: Any) -> str:
    """A value as an error message shows it: JSON, keys in order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def quoted(text: str) -> str:
    """Text in double quotes, with escapes."""
    return json.dumps(text, ensure_ascii=False)


def _joined(head: str, detail: str) -> str:
    return f"{head}: {detail}" if detail else head
