"""What a key holds. Strings are `bytes`, lists deques; the rest are classes here."""

import bisect
from collections import deque
from collections.abc import Iterator
from typing import Final

List = deque[bytes]


class Hash(dict[bytes, bytes]):
    """Values by field."""


class Set(dict[bytes, None]):
    """Members, in the order in which they came: what is random is drawn, nothing is by chance."""


class SortedSet:
    """Members by score, then by name."""

    __slots__ = ("rows", "scores")

    def __init__(self) -> None:
        self.scores: dict[bytes, float] = {}
        self.rows: list[tuple[float, bytes]] = []

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[bytes]:
        return (member for _, member in self.rows)

    def put(self, member: bytes, score: float) -> None:
        """Add a member, or give it another score."""
        old = self.scores.get(member)
        if old is not None:
            if old == score:
                return
            del self.rows[self.rank(member)]
        self.scores[member] = score
        bisect.insort(self.rows, (score, member))

    def drop(self, member: bytes) -> bool:
        """Take a member out; whether it was there."""
        if member not in self.scores:
            return False
        del self.rows[self.rank(member)]
        del self.scores[member]
        return True

    def rank(self, member: bytes) -> int:
        """The place of a member that is there."""
        return bisect.bisect_left(self.rows, (self.scores[member], member))


Value = bytes | List | Hash | Set | SortedSet
NAMES: Final[tuple[tuple[type, str], ...]] = (
    (bytes, "string"), (deque, "list"), (Hash, "hash"), (Set, "set"), (SortedSet, "zset"),
)  # fmt: skip
_EACH: Final = 64
"""What an entry takes beside its bytes, about."""


def kind(value: Value) -> str:
    """What TYPE says."""
    return next(name for made, name in NAMES if isinstance(value, made))


def size(value: Value) -> int:
    """Bytes that a value takes, about."""
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, Hash):
        return sum(len(one) + len(other) + _EACH for one, other in value.items())
    return sum(len(one) + _EACH for one in value)


def copy(value: Value) -> Value:
    """The same, apart."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, SortedSet):
        made = SortedSet()
        made.scores, made.rows = dict(value.scores), list(value.rows)
        return made
    if isinstance(value, Hash):
        return Hash(value)
    return Set(value) if isinstance(value, Set) else deque(value)
