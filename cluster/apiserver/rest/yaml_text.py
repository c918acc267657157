"""YAML to JSON and back. Times stay text: JSON has none, and Kubernetes means strings by them."""

from typing import Any

import msgspec
import yaml

from cluster.api import errors

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.CSafeLoader):
    """The C loader without times."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def to_json(body: bytes) -> bytes:
    """The JSON text of a YAML document. errors.BadRequest with the place where it is malformed."""
    try:
        return _encode(_plain(yaml.load(body, Loader=_Loader)))
    except yaml.YAMLError as error:
        raise errors.BadRequest(f"error converting YAML to JSON: yaml: {_place(error)}") from None
    except (UnicodeDecodeError, TypeError, ValueError, RecursionError, MemoryError) as error:
        raise errors.BadRequest(f"error converting YAML to JSON: {error}") from None


def from_json(body: bytes) -> bytes:
    """The YAML text of a JSON document."""
    document = _decode(body)
    text: bytes = yaml.dump(
        document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, encoding="utf-8"
    )
    return text


def _place(error: yaml.YAMLError) -> str:
    """`line 3: mapping values are not allowed in this context`."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}: {problem}" if mark is not None else str(problem)


def _plain(value: Any) -> Any:
    """The value with text keys, as JSON needs them: `80: x` and `true: y` are common."""
    if isinstance(value, dict):
        return {_key(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int | float):
        return str(key)
    raise ValueError(f"unsupported map key of type {type(key).__name__}")
