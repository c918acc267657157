"""The commands of a sed script."""

from dataclasses import dataclass, field
from typing import Any, Protocol


class Wrong(Exception):
    """The script is none; the message says why."""


class Lines(Protocol):
    """Where a run is: the pattern space, and the number of its line."""

    space: bytes
    number: int
    is_last: bool


@dataclass(slots=True)
class Place:
    """An address: a line's number, the last line, a pattern, or every `step`th line."""

    number: int = 0
    last: bool = False
    pattern: Any = None
    step: int = 0

    def fits(self, run: Lines) -> bool:
        """Whether it is this line."""
        if self.pattern is not None:
            return self.pattern.search(run.space) is not None
        if self.step:
            return run.number >= self.number and (run.number - self.number) % self.step == 0
        return run.is_last if self.last else run.number == self.number


@dataclass(slots=True)
class Command:
    """A command with its addresses."""

    name: str
    first: Place | None = None
    second: Place | None = None
    more: int = 0
    """`addr,+N`."""
    negated: bool = False
    text: bytes = b""
    pattern: Any = None
    flags: str = ""
    nth: int = 1
    label: str = ""
    jump: int = -1
    open: bool = False
    until: int = 0
    table: dict[int, int] = field(default_factory=dict)
