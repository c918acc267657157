"""Parts of timestamps, in UTC or a time zone, and of durations."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final

from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.overloads import Overload, declare
from cluster.api.cel.timetext import SECOND, moment
from cluster.api.cel.values import Duration, Timestamp

_OFFSET: Final = re.compile(r"([+-])?(\d\d):(\d\d)", re.ASCII)
_PARTS: Final[dict[str, Callable[[datetime], int]]] = {
    "getFullYear": lambda at: at.year,
    "getMonth": lambda at: at.month - 1,
    "getDate": lambda at: at.day,
    "getDayOfMonth": lambda at: at.day - 1,
    "getDayOfYear": lambda at: at.timetuple().tm_yday - 1,
    "getDayOfWeek": lambda at: at.isoweekday() % 7,
    "getHours": lambda at: at.hour,
    "getMinutes": lambda at: at.minute,
    "getSeconds": lambda at: at.second,
    "getMilliseconds": lambda at: at.microsecond // 1000,
}
_SPANS: Final = {
    "getHours": 3600 * SECOND, "getMinutes": 60 * SECOND, "getSeconds": SECOND,
    "getMilliseconds": 10**6,
}  # fmt: skip


@lru_cache(256)
def _zone(name: str) -> tzinfo:
    found = _OFFSET.fullmatch(name)
    if found is not None:
        size = timedelta(hours=int(found[2]), minutes=int(found[3]))
        if size < timedelta(days=1):
            return timezone(-size if found[1] == "-" else size)
        raise EvaluationError(f"invalid timezone: {name}")
    if name in ("", "UTC"):
        return UTC
    from zoneinfo import ZoneInfo  # late: reads the machine's files

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise EvaluationError(f"unknown time zone {name}") from None


def _in_zone(part: Callable[[datetime], int]) -> Callable[[Timestamp, str], int]:
    def run(value: Timestamp, zone: str) -> int:
        try:
            return part(moment(value).astimezone(_zone(zone)))
        except (OverflowError, ValueError):
            raise EvaluationError("timestamp overflow") from None

    return run


def _in_utc(part: Callable[[datetime], int]) -> Callable[[Timestamp], int]:
    return lambda value: part(moment(value))


def _span(scale: int) -> Callable[[Duration], int]:
    return lambda value: (abs(value.nanos) // scale) * (-1 if value.nanos < 0 else 1)


def overloads() -> list[Overload]:
    """What the library declares."""
    made = []
    for name, part in _PARTS.items():
        made.append(declare(f"timestamp.{name}() -> int", _in_utc(part)))
        made.append(declare(f"timestamp.{name}(string) -> int", _in_zone(part)))
    for name, scale in _SPANS.items():
        made.append(declare(f"duration.{name}() -> int", _span(scale)))
    return made
