"""YAML to JSON and back. Times stay text: JSON has none, and Kubernetes means strings by them.

Aliases let a small document stand for a huge one, and libyaml goes as deep as a document does, on
the stack of the process. Both are bounded here before anything is built.
"""

from typing import Any, Final

import msgspec
import yaml

from cluster.api import errors, json_text
from cluster.apiserver import bodies

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_MERGE = "tag:yaml.org,2002:merge"

_MAX_DEPTH: Final = 500
_TOO_DEEP: Final = f"exceeded max depth of {_MAX_DEPTH}"
_MAX_EVENTS: Final = 80_000
"""Beginnings, ends and scalars of a document: building what they stand for takes the server's loop
about a third of a second, and nobody else is answered meanwhile. JSON takes a hundredth of that.
"""
_SMALL: Final = 100_000
_GROWTH: Final = 10  # what aliases may make of each byte


class _Hostile(ValueError):
    """A document that stands for far more than it says."""


class _Loader(yaml.CSafeLoader):
    """The C loader without times, and with a bound on what `<<` merges."""

    def __init__(self, body: bytes, budget: "_Budget") -> None:
        super().__init__(body)
        self._budget = budget

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge the maps under `<<`, the innermost first, and count what that copies."""
        for key, value in list(node.value):
            if key.tag == _MERGE:
                for inner in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    if isinstance(inner, yaml.MappingNode):
                        self.flatten_mapping(inner)
                        self._budget.spend(len(inner.value))
        super().flatten_mapping(node)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def to_json(body: bytes) -> bytes:
    """The JSON text of a YAML document.

    errors.BadRequest with the place where it is malformed; errors.RequestEntityTooLarge.

    JSON is YAML, and what kubectl sends: it is not read as slowly as YAML.
    """
    if body[:1] == b"{" and _is_json(body):
        return body
    try:
        _check_depth(body)
        budget = _Budget(len(body))
        return _encode(_plain(_loaded(body, budget), budget))
    except yaml.YAMLError as error:
        raise errors.BadRequest(f"error converting YAML to JSON: yaml: {_place(error)}") from None
    except _Hostile as error:
        raise errors.BadRequest(f"error converting YAML to JSON: yaml: {error}") from None
    except RecursionError:
        raise errors.BadRequest(f"error converting YAML to JSON: yaml: {_TOO_DEEP}") from None
    except (UnicodeDecodeError, TypeError, ValueError, MemoryError) as error:
        raise errors.BadRequest(f"error converting YAML to JSON: {error}") from None


def _is_json(body: bytes) -> bool:
    try:
        json_text.decoded(body)
    except json_text.Malformed:
        return False
    return True


def from_json(body: bytes) -> bytes:
    """The YAML text of a JSON document. errors.NotAcceptable for one that is very deep."""
    document = _decode(body)
    try:
        text: bytes = yaml.dump(
            document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, encoding="utf-8"
        )
    except RecursionError:
        why = "the object is nested too deeply to be given as YAML: ask for application/json"
        raise errors.NotAcceptable(why) from None
    return text


def _place(error: yaml.YAMLError) -> str:
    """`line 3: mapping values are not allowed in this context`."""
    mark = getattr(error, "problem_mark", None)
    if isinstance(error, yaml.reader.ReaderError):
        return str(error.reason)
    problem = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}: {problem}" if mark is not None else str(problem)


def _check_depth(body: bytes) -> None:
    depth = 0
    for count, event in enumerate(yaml.parse(body, Loader=yaml.CSafeLoader)):
        if count > _MAX_EVENTS:
            why = f"a YAML body may have {_MAX_EVENTS} values at most: send this one as JSON"
            raise errors.RequestEntityTooLarge(why)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise _Hostile(_TOO_DEEP)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Budget:
    """How much a document of `length` bytes may stand for: values and the letters of texts."""

    def __init__(self, length: int) -> None:
        self._left = min(_SMALL + _GROWTH * length, 2 * bodies.MAX_BODY)

    def spend(self, size: int) -> None:
        """_Hostile when nothing is left."""
        self._left -= size
        if self._left < 0:
            raise _Hostile("document contains excessive aliasing")


def _loaded(body: bytes, budget: _Budget) -> Any:
    loader = _Loader(body, budget)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _plain(value: Any, budget: _Budget) -> Any:
    """The value with its aliases written out and with text keys: `80: x` is common."""
    budget.spend(1 + (len(value) if isinstance(value, str) else 0))
    if isinstance(value, dict):
        return {_key(key): _plain(inner, budget) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, budget) for inner in value]
    return value


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int | float):
        return str(key)
    raise ValueError(f"unsupported map key of type {type(key).__name__}")
