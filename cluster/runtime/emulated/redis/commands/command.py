"""What a command is, what it is called with, and how its arguments are read."""

import decimal
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cluster.runtime.emulated.redis.database import Database
from cluster.runtime.emulated.redis.resp import MAX_BULK, Fault, number

if TYPE_CHECKING:
    from cluster.runtime.emulated.redis.engine import Engine
    from cluster.runtime.emulated.redis.session import Session

Reply = Any
"""int, float, bool, bytes, None, Status, Fault, list, Members, Pairs, Push, NIL_ARRAY (`resp`)."""

NOT_INTEGER: Final = "ERR value is not an integer or out of range"
NOT_FLOAT: Final = "ERR value is not a valid float"
SYNTAX: Final = "ERR syntax error"
NO_KEY: Final = "ERR no such key"
_MOST: Final = (1 << 63) - 1


@dataclass(slots=True)
class Call:
    """A command that runs. `args` are the words after its name; `now` is in milliseconds."""

    name: str
    args: list[bytes]
    db: Database
    session: "Session"
    engine: "Engine"
    now: int
    sent: list[list[bytes]] | None = field(default=None)
    """What followers are told instead of the command itself."""


Body = Callable[[Call], Reply]


@dataclass(frozen=True, slots=True)
class Command:
    """A command. `arity` counts its name; a negative one is the least."""

    name: str
    arity: int
    body: Body
    write: bool = False
    grows: bool = False
    """Whether it may take memory."""
    open: bool = False
    """Whether it may be called before AUTH."""
    listening: bool = False
    """Whether it may be called while one is subscribed (RESP2)."""
    at_once: bool = False
    """Whether it is carried out inside MULTI, too."""


class Table:
    """The commands of a module."""

    def __init__(self) -> None:
        self.commands: dict[str, Command] = {}

    def add(self, name: str, arity: int, flags: str = "") -> Callable[[Body], Body]:
        """Register commands, several names parted by blanks. Flags as Command's fields: w, g (grows
        and writes), o, l, a.
        """

        def register(body: Body) -> Body:
            for one in name.split():
                self.commands[one] = Command(
                    one, arity, body, "w" in flags or "g" in flags, "g" in flags,
                    "o" in flags, "l" in flags, "a" in flags,
                )  # fmt: skip
            return body

        return register


def integer(text: bytes, message: str = NOT_INTEGER) -> int:
    """A 64-bit number. Fault."""
    if not re.fullmatch(rb"0|-?[1-9]\d{0,18}", text):
        raise Fault(message)
    return bounded(int(text), message)


def positive(text: bytes, message: str = "ERR value is out of range, must be positive") -> int:
    """A number that is not negative. Fault."""
    found = integer(text, message)
    if found < 0:
        raise Fault(message)
    return found


def bounded(value: int, message: str = "ERR increment or decrement would overflow") -> int:
    """A number that fits 64 bits. Fault."""
    if not -_MOST - 1 <= value <= _MOST:
        raise Fault(message)
    return value


def real(text: bytes, message: str = NOT_FLOAT) -> float:
    """A double. Fault."""
    try:
        found = float(text) if text and not text[:1].isspace() and b"_" not in text else math.nan
    except ValueError:
        raise Fault(message) from None
    if math.isnan(found):
        raise Fault(message)
    return found


def added(old: bytes | None, text: bytes, wrong: str = NOT_FLOAT) -> bytes:
    """Two doubles added, as Redis prints it: 17 decimals at most. Fault."""
    one, other = real(b"0" if old is None else old, wrong), real(text)
    if not (math.isfinite(one) and math.isfinite(other) and math.isfinite(one + other)):
        raise Fault("ERR increment would produce NaN or Infinity")
    context = decimal.Context(prec=40)
    try:
        exact = context.add(decimal.Decimal((old or b"0").decode()), decimal.Decimal(text.decode()))
        shown = format(exact, ".17f")
    except (decimal.InvalidOperation, UnicodeDecodeError):
        return number(one + other)
    shown = shown.rstrip("0").rstrip(".")
    return b"0" if shown in ("-0", "") else shown.encode()


def short(size: int) -> int:
    """The size of a string that is made. Fault."""
    if size > MAX_BULK:
        raise Fault("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
    return size


def span(start: int, stop: int, size: int) -> tuple[int, int]:
    """A range with both ends, counted from the end where negative, as a slice of `size` things."""
    first = max(start + size, 0) if start < 0 else start
    last = stop + size if stop < 0 else stop
    return first, max(min(last, size - 1) + 1, first)


def words(args: list[bytes]) -> list[str]:
    """Arguments as options: upper case."""
    return [arg.upper().decode(errors="replace") for arg in args]
