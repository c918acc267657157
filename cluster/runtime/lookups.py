"""Finding what a client names: by id, or by the begin of one, as people type it."""

import operator
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from cluster.aio import rpc

T = TypeVar("T")
A = TypeVar("A")


class Listed(Generic[T, A]):
    """The answer to a list, kept as long as it would be made of the same messages.

    A kubelet lists its runtime every few minutes, and most of the time nothing has changed.
    """

    def __init__(self, make: Callable[[list[T]], A]) -> None:
        self._make = make
        self._found: list[T] = []
        self._answer = make([])

    def of(self, found: list[T]) -> A:
        """The answer with these messages: shared, not to be changed."""
        if len(found) != len(self._found) or any(map(operator.is_not, found, self._found)):
            self._found, self._answer = found, self._make(found)
        return self._answer


def find(known: Mapping[str, T], name: str) -> T | None:
    """What an id names, or the begin of one where only one has it. rpc.Failure where many do."""
    found = known.get(name)
    if found is not None or not name or len(name) >= 64:
        return found
    hits = [one for key, one in known.items() if key.startswith(name)]
    if len(hits) > 1:
        raise rpc.Failure("NOT_FOUND", f"multiple IDs found with provided prefix: {name}")
    return hits[0] if hits else None


def need(known: Mapping[str, T], name: str, kind: str) -> T:
    """The same; rpc.Failure NOT_FOUND, in containerd's words, where there is none."""
    found = find(known, name)
    if found is None:
        raise missing(kind, name)
    return found


def missing(kind: str, name: str) -> rpc.Failure:
    """There is none, in containerd's words."""
    text = f'an error occurred when try to find {kind} "{name}": not found'
    return rpc.Failure("NOT_FOUND", text)


def whole(known: Mapping[str, T], name: str) -> str:
    """The id that a filter means by a begin; as it is where none or many are meant."""
    if not name or name in known:
        return name
    hits = [key for key in known if key.startswith(name)]
    return hits[0] if len(hits) == 1 else name
