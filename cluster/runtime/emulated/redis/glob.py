"""Patterns of KEYS, SCAN and PSUBSCRIBE: `*`, `?`, `[a-z]`, `[^a]`, `\\x`.

Time grows with pattern times text at worst: only the last star is tried again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_LONGEST = 1024


@dataclass(frozen=True, slots=True)
class _One:
    """Fits one byte of `letters`, or any other where it is `negated`."""

    letters: frozenset[int]
    negated: bool = False

    def fits(self, byte: int) -> bool:
        return (byte in self.letters) != self.negated


_ANY = _One(frozenset(), negated=True)


@lru_cache(256)
def _parsed(pattern: bytes) -> tuple[_One | None, ...]:
    """What each place of a text has to fit; None stands for a star."""
    made: list[_One | None] = []
    at = 0
    while at < len(pattern):
        letter = pattern[at : at + 1]
        at += 1
        if letter == b"*":
            if not made or made[-1] is not None:
                made.append(None)
        elif letter == b"?":
            made.append(_ANY)
        elif letter == b"[":
            one, at = _class(pattern, at)
            made.append(one)
        else:
            if letter == b"\\" and at < len(pattern):
                letter = pattern[at : at + 1]
                at += 1
            made.append(_One(frozenset(letter)))
    return tuple(made)


def _class(pattern: bytes, at: int) -> tuple[_One, int]:
    negated = pattern[at : at + 1] == b"^"
    at += negated
    letters: set[int] = set()
    while at < len(pattern) and pattern[at : at + 1] != b"]":
        if pattern[at : at + 1] == b"\\" and at + 1 < len(pattern):
            at += 1
        elif pattern[at + 1 : at + 2] == b"-" and at + 2 < len(pattern):
            low, high = sorted((pattern[at], pattern[at + 2]))
            letters.update(range(low, high + 1))
            at += 3
            continue
        letters.add(pattern[at])
        at += 1
    return _One(frozenset(letters), negated), at + 1


def matches(pattern: bytes, text: bytes) -> bool:
    """Whether the whole text fits. A pattern that is too long fits nothing."""
    if pattern == b"*":
        return True
    if len(pattern) > _LONGEST:
        return False
    return _match(_parsed(pattern), text)


def _match(wanted: Sequence[_One | None], text: bytes) -> bool:
    at = place = 0
    star, again = -1, 0
    while place < len(text):
        one = wanted[at] if at < len(wanted) else _NEVER
        if one is None:
            star, again = at, place
            at += 1
        elif one.fits(text[place]):
            at += 1
            place += 1
        elif star >= 0:
            again += 1
            at, place = star + 1, again
        else:
            return False
    return all(one is None for one in wanted[at:])


_NEVER = _One(frozenset())
