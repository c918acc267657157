"""Configuration and manifests to plain values: YAML (JSON is YAML), within bounds.

Words: sigs.k8s.io/yaml. In configuration a key that is there twice is an error, as strict decoding
has it.
"""

from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

LARGEST: Final = 1 << 20
_DEEPEST: Final = 100
_MOST: Final = 100_000
_MOST_OF_MANIFESTS: Final = 5_000_000
_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"
_MERGE: Final = "tag:yaml.org,2002:merge"


class Unreadable(ValueError):
    """The text is no document; the message says where, as does `line` (from 1; 0: nobody knows)."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


class _Loader(yaml.CSafeLoader):
    """Times stay text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def read(text: str) -> Any:
    """The one document of a text. Unreadable."""
    if len(text) > LARGEST:
        raise Unreadable(f"the file is larger than {LARGEST >> 20} MiB")
    try:
        check_shape(text)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _Check(_MOST).go(node)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise Unreadable(f"error converting YAML to JSON: yaml: {_place(error)}") from None
    except (TypeError, RecursionError) as error:
        raise Unreadable(f"error converting YAML to JSON: {error}") from None


def documents(text: str | bytes) -> list[Any]:
    """All documents of manifests, with None for empty ones; of equal keys the last. Unreadable."""
    try:
        check_shape(text, _MOST_OF_MANIFESTS)
        loader, check, found = _Loader(text), _Check(_MOST_OF_MANIFESTS, strict=False), []
        try:
            while loader.check_node() and (node := loader.get_node()) is not None:
                check.go(node)
                found.append(loader.construct_document(node))
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise Unreadable(_place(error), _line(error)) from None
    except (TypeError, RecursionError) as error:
        raise Unreadable(str(error)) from None
    return found


def _place(error: yaml.YAMLError) -> str:
    line = _line(error)
    problem = getattr(error, "problem", None) or str(error)
    return f"line {line}: {problem}" if line else str(problem)


def _line(error: yaml.YAMLError) -> int:
    mark = getattr(error, "problem_mark", None)
    return mark.line + 1 if mark is not None else 0


def check_shape(text: str | bytes, most: int = _MOST) -> None:
    """How deep and how long it is, before libyaml goes down into it on the process's stack.

    Unreadable, yaml.YAMLError.
    """
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.CSafeLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise Unreadable(f"the file is nested more than {_DEEPEST} levels deep")
        if count > most:
            raise Unreadable(f"the file has more than {most} values")


class _Check:
    """Goes through documents with their aliases written out, over `most` values at most."""

    def __init__(self, most: int, *, strict: bool = True) -> None:
        self._left = most
        self._strict = strict

    def go(self, node: Node) -> None:
        """Unreadable where it is too long or, if strict, a key is there twice, or is no text."""
        self._left -= 1
        if self._left < 0:
            raise Unreadable("document contains excessive aliasing")
        if isinstance(node, SequenceNode):
            for inner in node.value:
                self.go(inner)
        elif isinstance(node, MappingNode):
            self._mapping(node)

    def _mapping(self, node: MappingNode) -> None:
        seen: dict[str, None] = {}
        for key, value in node.value:
            if self._strict:
                _check_key(key, seen)
            self.go(value)


def _check_key(key: Node, seen: dict[str, None]) -> None:
    line = key.start_mark.line + 1
    if not isinstance(key, ScalarNode):
        raise Unreadable(f"yaml: line {line}: a key must be a text")
    if key.value in seen and key.tag != _MERGE:
        raise Unreadable(
            "error converting YAML to JSON: yaml: unmarshal errors:\n"
            f'  line {line}: key "{key.value}" already set in map'
        )
    seen[key.value] = None
