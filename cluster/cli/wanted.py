"""What somebody asks for: `po`, `po,svc`, `po web db`, `po/web svc/db`."""

from collections.abc import Sequence
from typing import NamedTuple


class Wanted(NamedTuple):
    """All objects of some types, or one that each of them has."""

    types: str
    """With commas between."""
    name: str = ""


def read(words: Sequence[str]) -> list[Wanted]:
    """What is asked for, in its order and each once; ValueError with a sentence.

    Words are read as kubectl reads them: where one is TYPE/NAME, all are.
    """
    if any("/" in word for word in words):
        return list(dict.fromkeys(_pair(word) for word in words))
    types, *names = words
    if "" in types.split(","):
        raise ValueError(f'"{types}" lacks a type before or after a comma')
    for name in names:
        _check(name)
    return list(dict.fromkeys(Wanted(types, name) for name in names)) or [Wanted(types)]


def _pair(word: str) -> Wanted:
    one, slash, name = word.partition("/")
    if not slash:
        raise ValueError("say TYPE NAME… or TYPE/NAME…, not both")
    if not one or not name or "," in one:
        raise ValueError(f'"{word}" is not TYPE/NAME')
    _check(name)
    return Wanted(one, name)


def _check(name: str) -> None:
    if not name:
        raise ValueError("a name is empty")
    if "," in name or "/" in name:
        raise ValueError(f'"{name}" is no name: say TYPE NAME NAME, or TYPE/NAME TYPE/NAME')
