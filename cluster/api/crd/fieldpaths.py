"""Paths of fields in a schema (`.spec.replicas`, `.labels['a.b']`): fieldPath and selectableFields.

Grammar and words: ValidFieldPath of apiextensions-apiserver pkg/apiserver/schema/cel.
"""

import re
from dataclasses import dataclass
from typing import Final

from cluster.api.crd.structure import Schema

_TOKEN: Final = re.compile(r"'(?:[^'\\]|\\.)*'|[.\[\]]|[^.\[\]']+|'")
_ESCAPES: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "'": "'",
    "\\": "\\",
}  # fmt: skip


class Malformed(ValueError):
    """A path that is none, or leads nowhere; the message is Kubernetes'."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path leads: its names, its text as field errors write it, and the node there."""

    names: tuple[str, ...]
    text: str
    node: Schema


def resolve(path: str, root: Schema, *, brackets: bool = True) -> Place:
    """The place of a path in a schema. Malformed."""
    tokens = _TOKEN.findall(path)
    names: list[str] = []
    text, node, at = "", root, 0
    while at < len(tokens):
        sign = tokens[at]
        if sign == "[":
            if not brackets:
                raise Malformed("array notation is not allowed")
            name = _quoted(_token(tokens, at + 1))
            known = _inside(node, name)
            if _token(tokens, at + 2) != "]":
                raise Malformed(f"expected ] but got {tokens[at + 2]}")
            at += 3
        elif sign == ".":
            name = _token(tokens, at + 1)
            known = _inside(node, name)
            at += 2
        else:
            raise Malformed(f"expected [ or . but got: {sign}")
        text += f".{name}" if node.properties else f"[{name}]"
        names.append(name)
        node = known
    return Place(tuple(names), text.removeprefix("."), node)


def _inside(node: Schema, name: str) -> Schema:
    found = node.properties.get(name) if node.properties else node.element
    if found is None:
        raise Malformed("does not refer to a valid field")
    return found


def _token(tokens: list[str], at: int) -> str:
    if at >= len(tokens):
        raise Malformed("unexpected end of JSON path")
    return tokens[at]


def _quoted(token: str) -> str:
    if len(token) < 2 or token[0] != "'" or token[-1] != "'":
        raise Malformed(f"expected single quoted string but got {token}")

    def plain(found: re.Match[str]) -> str:
        if found[1] not in _ESCAPES:
            raise Malformed(f"invalid string literal: invalid escape char {found[0]}")
        return _ESCAPES[found[1]]

    return re.sub(r"\\(.)", plain, token[1:-1])
