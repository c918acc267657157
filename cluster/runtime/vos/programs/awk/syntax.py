"""The tree of an awk program."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class Wrong(Exception):
    """The program is none, or does what cannot be; the message says what."""


@dataclass(frozen=True, slots=True)
class Node:
    """An expression or statement: what it is, and its parts."""

    kind: str
    parts: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """`pattern { action }`. No pattern fits every record, no action prints it. A range has two."""

    patterns: tuple[Node, ...]
    action: Node | None


@dataclass(frozen=True, slots=True)
class Function:
    """A user's function."""

    name: str
    params: Sequence[str]
    body: Node


@dataclass(frozen=True, slots=True)
class Program:
    """A whole program."""

    begin: Sequence[Node]
    rules: Sequence[Rule]
    end: Sequence[Node]
    functions: dict[str, Function]
