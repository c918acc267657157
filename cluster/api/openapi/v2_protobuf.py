"""OpenAPI v2 in protobuf form, which kubectl up to 1.28 and Argo CD insist on.

The message is `openapi.v2.Document` of gnostic (openapiv2/OpenAPIv2.proto), whose field numbers
stand here as constants beside their names. Extensions (`x-…`) travel as YAML text, for which JSON
will do.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
ASKED = (MEDIA_TYPE, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
"""What clients ask for. The older name, with an @, is no media type that Go could parse in an
answer.
"""

_encode_json = msgspec.json.Encoder().encode
_LEN, _VARINT = 2, 0
# Of PathItem.
_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "options": 6, "head": 7, "patch": 8}
_PATH_PARAMETERS = 9
_QUERY, _PATH = 3, 4  # of NonBodyParameter

Document = Mapping[str, Any]


def encode(document: Document) -> bytes:
    """A document of `v2.document` as protobuf."""
    paths = document["paths"]
    definitions = document["definitions"]
    return b"".join(
        (
            _text(1, document["swagger"]),
            _message(2, _text(1, document["info"]["title"]), _text(2, document["info"]["version"])),
            _message(8, *(_named(2, name, _path_item(paths[name])) for name in paths)),
            _message(9, *(_named(1, name, _schema(definitions[name])) for name in definitions)),
        )
    )


def _path_item(item: Document) -> bytes:
    found = [
        _message(number, _operation(item[method]))
        for method, number in _METHODS.items()
        if method in item
    ]
    found += [_message(_PATH_PARAMETERS, _parameter(each)) for each in item.get("parameters", ())]
    return b"".join(found)


def _operation(operation: Document) -> bytes:
    return b"".join(
        (
            _text(5, operation["operationId"]),
            _texts(6, operation["produces"]),
            _texts(7, operation["consumes"]),
            *(_message(8, _parameter(each)) for each in operation["parameters"]),
            _message(9, *(_response(*each) for each in operation["responses"].items())),
            _extensions(13, operation),
        )
    )


def _response(code: str, response: Document) -> bytes:
    schema = response.get("schema")
    item = _message(2, _message(1, _schema(schema))) if schema else b""
    return _named(1, code, _message(1, _text(1, response["description"]), item))


def _parameter(parameter: Document) -> bytes:
    """A ParametersItem."""
    description, name, place = parameter.get("description", ""), parameter["name"], parameter["in"]
    required = parameter.get("required", False)
    if place == "body":
        body = (
            _text(1, description), _text(2, name), _text(3, place), _flag(4, value=required),
            _message(5, _schema(parameter["schema"])),
        )  # fmt: skip
        return _message(1, _message(1, *body))
    at_type = 6 if place == "query" else 5
    plain = _message(
        _QUERY if place == "query" else _PATH,
        _flag(1, value=required),
        _text(2, place),
        _text(3, description),
        _text(4, name),
        _text(at_type, parameter["type"]),
    )
    return _message(1, _message(2, plain))


def _schema(schema: Document) -> bytes:
    found = [write(schema[name]) for name, write in _SCHEMA.items() if name in schema]
    return b"".join((*found, _extensions(31, schema)))


def _additional(value: Any) -> bytes:
    inner = _flag(2, value=value) if isinstance(value, bool) else _message(1, _schema(value))
    return _message(21, inner)


def _properties(value: Document) -> bytes:
    return _message(25, *(_named(1, name, _schema(value[name])) for name in value))


_SCHEMA: dict[str, Callable[[Any], bytes]] = {
    "$ref": lambda value: _text(1, value),
    "format": lambda value: _text(2, value),
    "description": lambda value: _text(4, value),
    "default": lambda value: _message(5, _any(value)),
    "required": lambda value: _texts(19, value),
    "enum": lambda value: b"".join(_message(20, _any(each)) for each in value),
    "additionalProperties": _additional,
    "type": lambda value: _message(22, _text(1, value)),
    "items": lambda value: _message(23, _message(1, _schema(value))),
    "properties": _properties,
}


def _extensions(number: int, holder: Document) -> bytes:
    """Every `x-…` of `holder`, as NamedAny."""
    found = (name for name in holder if name.startswith("x-"))
    return b"".join(_named(number, name, _any(holder[name])) for name in found)


def _any(value: Any) -> bytes:
    return _text(2, _encode_json(value).decode())


def _named(number: int, name: str, value: bytes) -> bytes:
    """An entry of a map: its name and its message."""
    return _message(number, _text(1, name), _message(2, value))


def _texts(number: int, values: Iterable[str]) -> bytes:
    return b"".join(_text(number, value) for value in values)


def _text(number: int, value: str) -> bytes:
    return _message(number, value.encode()) if value else b""


def _flag(number: int, *, value: bool) -> bytes:
    return _varint(number << 3 | _VARINT) + b"\x01" if value else b""


def _message(number: int, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return _varint(number << 3 | _LEN) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
