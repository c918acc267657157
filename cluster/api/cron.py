"""Cron schedules: what is wrong with one, in the words of github.com/robfig/cron, which Kubernetes
parses them with (five fields, names of months and days, `@hourly` and its like, `@every 5m`).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_DESCRIPTORS: Final = (
    "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly",
)  # fmt: skip
_EVERY: Final = "@every "
_DURATION: Final = re.compile(
    r"[-+]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)", re.ASCII
)
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_MONTHS: Final = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
)  # fmt: skip
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True, slots=True)
class _Bounds:
    low: int
    high: int
    names: tuple[str, ...] = ()
    first: int = 0


_FIELDS: Final = (
    _Bounds(0, 59),
    _Bounds(0, 23),
    _Bounds(1, 31),
    _Bounds(1, 12, _MONTHS, 1),
    _Bounds(0, 6, _DAYS),
)


class _Wrong(ValueError):
    pass


@lru_cache(1024)
def complaint(schedule: str) -> str:
    """What is wrong with a schedule that is not empty; "" for a good one."""
    try:
        if schedule.startswith("@"):
            _descriptor(schedule)
        else:
            _five(schedule.split())
    except _Wrong as wrong:
        return str(wrong)
    return ""


def _descriptor(schedule: str) -> None:
    if schedule in _DESCRIPTORS:
        return
    if not schedule.startswith(_EVERY):
        raise _Wrong(f"unrecognized descriptor: {schedule}")
    text = schedule[len(_EVERY) :]
    if _DURATION.fullmatch(text) is None:
        why = f'time: invalid duration "{text}"'
        raise _Wrong(f"failed to parse duration {schedule}: {why}")


def _five(fields: list[str]) -> None:
    if len(fields) != len(_FIELDS):
        shown = " ".join(fields)
        raise _Wrong(f"expected exactly 5 fields, found {len(fields)}: [{shown}]")
    for field, bounds in zip(fields, _FIELDS, strict=True):
        for term in filter(None, field.split(",")):
            _term(term, bounds)


def _term(text: str, bounds: _Bounds) -> None:
    spread, *step = text.split("/")
    low, *high = spread.split("-")
    if low in ("*", "?"):
        start, end = bounds.low, bounds.high
    else:
        start = end = _number(low, bounds)
        if len(high) == 1:
            end = _number(high[0], bounds)
        elif high:
            raise _Wrong(f"too many hyphens: {text}")
    if len(step) > 1:
        raise _Wrong(f"too many slashes: {text}")
    stride = _integer(step[0]) if step else 1
    if step and not high and low not in ("*", "?"):
        end = bounds.high  # `5/15` is `5-59/15`
    if start < bounds.low:
        raise _Wrong(f"beginning of range ({start}) below minimum ({bounds.low}): {text}")
    if end > bounds.high:
        raise _Wrong(f"end of range ({end}) above maximum ({bounds.high}): {text}")
    if start > end:
        raise _Wrong(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if stride == 0:
        raise _Wrong(f"step of range should be a positive number: {text}")


def _number(text: str, bounds: _Bounds) -> int:
    name = text.lower()
    return bounds.names.index(name) + bounds.first if name in bounds.names else _integer(text)


def _integer(text: str) -> int:
    if _INTEGER.fullmatch(text) is None:
        why = f'strconv.Atoi: parsing "{text}": invalid syntax'
        raise _Wrong(f"failed to parse int from {text}: {why}")
    number = int(text)
    if number < 0:
        raise _Wrong(f"negative number ({number}) not allowed: {text}")
    return number
