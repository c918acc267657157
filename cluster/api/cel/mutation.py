"""What MutatingAdmissionPolicies construct: `Object{spec: Object.spec{…}}` and `JSONPatch{…}`.

The types of `Object` and of its parts are named by their paths and take any field; whether each
part stands where its name says is seen in the value (`checked_object`).
"""

from typing import Any, Final

from cluster.api.cel import types
from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.timetext import duration_text, timestamp_text
from cluster.api.cel.types import DYN, STRING, Field, Type
from cluster.api.cel.values import Duration, Message, Optional, Timestamp, TypeName

_NODES: Final = 1_000_000
"""Values that a result may have, parts that are shared counted each time."""

JSON_PATCH: Final = types.object_of(
    "JSONPatch", {"op": STRING, "path": STRING, "from": STRING, "value": DYN}
)
JSON_PATCHES: Final = types.list_of(JSON_PATCH)
"""The type that an expression of a JSONPatch mutation must have."""


def objects(name: str) -> Type | None:
    """The object types that an expression of a mutation may construct (`Environment.objects`)."""
    if name == "JSONPatch":
        return JSON_PATCH
    if name == "Object" or name.startswith("Object."):
        return Type("object", name=name, fields={"*": Field(DYN, "*")})
    return None


def checked_object(value: Any) -> dict[str, Any]:
    """The result of an ApplyConfiguration expression as JSON. EvaluationError."""
    if not isinstance(value, Message) or value.type_name != "Object":
        raise EvaluationError(
            "must evaluate to Object but got "
            f"{value.type_name if isinstance(value, Message) else type(value).__name__}"
        )
    _check_names(value, "Object", 0)
    found: dict[str, Any] = to_json(value)
    return found


def _check_names(value: Any, path: str, depth: int) -> None:
    if depth > 256:
        raise EvaluationError("values are nested too deeply")
    if isinstance(value, list):
        for item in value:
            _check_names(item, path, depth + 1)
        return
    if not isinstance(value, Message):
        return
    if value.type_name != path:
        raise EvaluationError(
            f'unexpected type name "{value.type_name}", expected "{path}", which matches field '
            "name path from root Object type"
        )
    for name, item in value.items():
        _check_names(item, f"{path}.{name}", depth + 1)


def to_json(value: Any) -> Any:
    """A value as JSON has it. EvaluationError for one that JSON cannot have, or too large a one."""
    return _Writer().written(value, 0)


class _Writer:
    def __init__(self) -> None:
        self._left = _NODES

    def written(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > 256:
            raise EvaluationError("the result of the expression is too large")
        if value is None or isinstance(value, str | bool | float):
            return value
        if isinstance(value, int):
            return int(value)
        if isinstance(value, dict):
            return {str(key): self.written(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.written(item, depth + 1) for item in value]
        return _special(value)


def _special(value: Any) -> Any:
    if isinstance(value, Timestamp):
        return timestamp_text(value)
    if isinstance(value, Duration):
        return duration_text(value)
    if isinstance(value, bytes):
        import base64

        return base64.b64encode(value).decode()
    if isinstance(value, Optional | TypeName):
        raise EvaluationError(f"unsupported conversion from '{type(value).__name__}' to JSON")
    raise EvaluationError(f"unsupported conversion from '{getattr(value, 'kind', '?')}' to JSON")
