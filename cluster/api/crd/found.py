"""What checking an object found, and how much work it may still take."""

from decimal import Decimal
from typing import Any, Final

from cluster.api import errors, walker

STEPS: Final = 2_000_000
"""Branches of schemas that may be tried for one object: about a second."""
CAUSES_LIMIT: Final = 1_000
"""Causes that are told; an answer with more would help nobody."""

MISSING: Final[Any] = object()
"""There is no old value to compare with."""

Path = walker.Path


class Enough(Exception):
    """The limit of causes or of work is reached: what was found is enough to refuse the object."""


class Found:
    """Causes in the order in which they were found."""

    __slots__ = ("causes", "steps")

    def __init__(self) -> None:
        self.causes: list[errors.Cause] = []
        self.steps = STEPS

    def add(self, reason: str, path: Path, message: str) -> None:
        """A cause about the field at `path`. Enough."""
        self.put(errors.Cause(reason, message, walker.shown(path)))

    def put(self, cause: errors.Cause) -> None:
        """A cause. Enough."""
        self.causes.append(cause)
        if len(self.causes) >= CAUSES_LIMIT:
            raise Enough

    def spend(self, steps: int) -> None:
        """Count work. Enough, with a cause that says so."""
        self.steps -= steps
        if self.steps < 0:
            why = "checking the object against its schema takes too much work"
            self.causes.append(
                errors.Cause("FieldValueInvalid", f'Invalid value: "": {why}', NO_PATH)
            )
            raise Enough

    def branch(self) -> "Found":
        """An empty one, for a branch whose causes may be dropped, that shares the work."""
        self.spend(1)
        inner = Found()
        inner.steps = self.steps
        return inner


NO_PATH: Final = "<nil>"
"""How Kubernetes writes the path of a cause that names no field."""


def same(old: Any, new: Any) -> bool:
    """Whether two JSON values are equal; unlike ==, 1 is not true and not 1.0."""
    if old != new:
        return False
    return _same_types(old, new)


def _same_types(old: Any, new: Any) -> bool:
    kind = type(old)
    if kind is not type(new):
        return False
    if kind is dict:
        return all(_same_types(value, new[key]) for key, value in old.items())
    if kind is list:
        return all(map(_same_types, old, new))
    return True


def go_number(value: float) -> str:
    """A number as Go's %v prints it: `5`, `0.5`, `1e+06`, `1.23e-07`."""
    if isinstance(value, int):
        return str(value)
    if value == 0:
        return "0"
    shown = Decimal(repr(value)).normalize()
    digits = "".join(map(str, shown.as_tuple().digits))
    exponent = shown.adjusted()
    if -4 <= exponent < 6:
        return str(int(value)) if value.is_integer() else f"{shown:f}"
    sign = "-" if value < 0 else ""
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
