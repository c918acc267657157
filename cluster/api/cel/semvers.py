"""Semantic versions: `semver("1.2.3").isLessThan(semver("2.0.0"))`."""

import re
from typing import Any, Final

from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.overloads import Overload, declare, strings_cost
from cluster.api.cel.values import Opaque

_NUMBER: Final = r"(0|[1-9][0-9]{0,18})"
_PART: Final = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SHAPE: Final = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_PART}(?:\.{_PART})*))?"
    r"(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?",
    re.ASCII,
)
_LONGEST: Final = 256


class Semver(Opaque):
    """A version. Build metadata does not count."""

    __slots__ = ("numbers", "order")
    kind = "kubernetes.Semver"

    def __init__(self, numbers: tuple[int, int, int], before: str) -> None:
        self.numbers = numbers
        parts = tuple(
            (0, int(part), "") if part.isdigit() else (1, 0, part) for part in before.split(".")
        )
        # A version without a pre-release comes after all of its pre-releases.
        self.order: tuple[Any, ...] = (*numbers, (0, parts) if before else (1, ()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Semver) and other.order == self.order

    def __hash__(self) -> int:
        return hash(self.order)


def _semver(text: str, normalize: bool = False) -> Semver:
    if normalize:
        text = _normalized(text)
    found = _SHAPE.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        raise EvaluationError(f'semver parse error: "{text[:_LONGEST]}" is not a valid version')
    return Semver((int(found[1]), int(found[2]), int(found[3])), found[4] or "")


def _normalized(text: str) -> str:
    """Without a leading `v`, with zeros for parts that are missing, without leading zeros."""
    core = re.match(r"v?([0-9.]*)(.*)\Z", text[: _LONGEST + 1], re.DOTALL)
    if core is None:
        return text
    numbers = core[1].split(".")
    numbers += ["0"] * (3 - len(numbers))
    return ".".join(item.lstrip("0") or ("0" if item else "") for item in numbers) + core[2]


def _is_semver(text: str, normalize: bool = False) -> bool:
    try:
        _semver(text, normalize)
    except EvaluationError:
        return False
    return True


def overloads() -> list[Overload]:
    """What the library declares."""
    cost = strings_cost()
    return [
        declare("semver(string) -> semver", _semver, cost),
        declare("semver(string, bool) -> semver", _semver, cost),
        declare("isSemver(string) -> bool", _is_semver, cost),
        declare("isSemver(string, bool) -> bool", _is_semver, cost),
        declare("semver.major() -> int", lambda value: value.numbers[0]),
        declare("semver.minor() -> int", lambda value: value.numbers[1]),
        declare("semver.patch() -> int", lambda value: value.numbers[2]),
        declare("semver.isGreaterThan(semver) -> bool", lambda a, b: a.order > b.order),
        declare("semver.isLessThan(semver) -> bool", lambda a, b: a.order < b.order),
        declare("semver.compareTo(semver) -> int",
                lambda a, b: (a.order > b.order) - (a.order < b.order)),
    ]  # fmt: skip
