"""Cron schedules as github.com/robfig/cron v3 reads them, which Kubernetes parses them with: five
fields, names of months and days, `@hourly` and its like, `@every 5m`, a time zone before it all
(`TZ=Europe/Paris 0 3 * * *`). What is wrong with one is said in its words.
"""

import re
import zoneinfo
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cluster.api import durations

_DESCRIPTORS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY: Final = "@every "
_LONGEST: Final = 2**63 / 1e9  # Go counts a duration's nanoseconds in 64 bits
_ZONES: Final = ("TZ=", "CRON_TZ=")
_ZONE: Final = re.compile(r"[A-Za-z0-9._+-]+(/[A-Za-z0-9._+-]+)*", re.ASCII)
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


@dataclass(frozen=True, slots=True)
class Fields:
    """When it is time, as bit sets: bit 5 of `minutes` is the fifth minute. With `every`, seconds
    between two times, the sets mean nothing. `zone` is that of the schedule's own text, or "".
    """

    minutes: int = 0
    hours: int = 0
    days: int = 0
    months: int = 0
    weekdays: int = 0
    any_day: bool = False
    """Whether days or weekdays are a star: then a day must be in both sets, else in one."""
    every: int = 0
    zone: str = ""


class InvalidSchedule(ValueError):
    """What is no schedule, and why."""


def complaint(schedule: str) -> str:
    """What is wrong with a schedule that is not empty; "" for a good one."""
    try:
        parse(schedule)
    except InvalidSchedule as wrong:
        return str(wrong)
    return ""


@lru_cache(1024)
def parse(schedule: str) -> Fields:
    """The fields of a schedule. InvalidSchedule, in robfig/cron's words."""
    zone = ""
    if schedule.startswith(_ZONES) and " " in schedule:
        head, schedule = schedule.split(" ", 1)
        zone = head.split("=", 1)[1]
        if find_zone(zone) is None:
            why = f"unknown time zone {zone}"
            raise InvalidSchedule(f"provided bad location {zone}: {why}")
        schedule = schedule.strip()
    if schedule.startswith(_EVERY):
        return Fields(every=_delay(schedule), zone=zone)
    if schedule.startswith("@"):
        if schedule not in _DESCRIPTORS:
            raise InvalidSchedule(f"unrecognized descriptor: {schedule}")
        schedule = _DESCRIPTORS[schedule]
    return _five(schedule.split(), zone)


@lru_cache(1024)
def find_zone(name: str) -> zoneinfo.ZoneInfo | None:
    """The time zone of a name of the IANA data base; None where there is none."""
    if len(name) > 100 or _ZONE.fullmatch(name) is None:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return None


def _delay(schedule: str) -> int:
    """Whole seconds of `@every`, one at least, as robfig/cron rounds them."""
    text = schedule[len(_EVERY) :]
    seconds = _LONGEST
    if _DURATION.fullmatch(text) is not None:
        seconds = durations.parse(text.lstrip("+-"))
    if seconds >= _LONGEST:
        why = f'time: invalid duration "{text}"'
        raise InvalidSchedule(f"failed to parse duration {schedule}: {why}")
    return 1 if text.startswith("-") else max(1, int(seconds))


def _five(fields: list[str], zone: str) -> Fields:
    if len(fields) != len(_FIELDS):
        shown = " ".join(fields)
        raise InvalidSchedule(f"expected exactly 5 fields, found {len(fields)}: [{shown}]")
    found = [_field(field, bounds) for field, bounds in zip(fields, _FIELDS, strict=True)]
    (minutes, _), (hours, _), (days, any_day), (months, _), (weekdays, any_weekday) = found
    return Fields(minutes, hours, days, months, weekdays, any_day or any_weekday, zone=zone)


def _field(field: str, bounds: _Bounds) -> tuple[int, bool]:
    """The bits of a field, and whether one of its terms is a star."""
    bits, star = 0, False
    for term in filter(None, field.split(",")):
        more, starred = _term(term, bounds)
        bits |= more
        star |= starred
    return bits, star


def _term(text: str, bounds: _Bounds) -> tuple[int, bool]:
    spread, *step = text.split("/")
    low, *high = spread.split("-")
    star = low in ("*", "?")
    if star:
        start, end = bounds.low, bounds.high
    else:
        start = end = _number(low, bounds)
        if len(high) == 1:
            end = _number(high[0], bounds)
        elif high:
            raise InvalidSchedule(f"too many hyphens: {text}")
    if len(step) > 1:
        raise InvalidSchedule(f"too many slashes: {text}")
    stride = _integer(step[0]) if step else 1
    if step and not high and not star:
        end = bounds.high  # `5/15` is `5-59/15`
    if start < bounds.low:
        raise InvalidSchedule(f"beginning of range ({start}) below minimum ({bounds.low}): {text}")
    if end > bounds.high:
        raise InvalidSchedule(f"end of range ({end}) above maximum ({bounds.high}): {text}")
    if start > end:
        raise InvalidSchedule(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if stride == 0:
        raise InvalidSchedule(f"step of range should be a positive number: {text}")
    # A star with a step, as in `*/2`, is no star any more.
    return sum(1 << number for number in range(start, end + 1, stride)), star and stride == 1


def _number(text: str, bounds: _Bounds) -> int:
    name = text.lower()
    return bounds.names.index(name) + bounds.first if name in bounds.names else _integer(text)


def _integer(text: str) -> int:
    if _INTEGER.fullmatch(text) is None:
        why = f'strconv.Atoi: parsing "{text}": invalid syntax'
        raise InvalidSchedule(f"failed to parse int from {text}: {why}")
    number = int(text)
    if number < 0:
        raise InvalidSchedule(f"negative number ({number}) not allowed: {text}")
    return number
