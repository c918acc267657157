"""When a schedule's time comes, on a clock of any time zone.

Times are seconds since the epoch. A schedule is due at each instant whose local time it names: one
that names an hour that a change to summer time leaps over is not due that day, and an hour that
comes twice is due twice. So does github.com/robfig/cron v3, and Kubernetes by it.
"""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from cluster.api import cron

_YEARS: Final = 5
"""How far ahead is looked: what comes later (or never, as 31 February) is no time at all."""
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Timetable:
    """A schedule and whose clock it means."""

    fields: cron.Fields
    zone: tzinfo = UTC

    def following(self, moment: float) -> int | None:
        """The first time after `moment`; None where there is none within five years."""
        if self.fields.every:
            return math.floor(moment) + self.fields.every
        return _first(self.fields, self.zone, -(-(math.floor(moment) + 1) // 60) * 60)

    def latest(self, after: float, until: float) -> int | None:
        """The last time after `after` and not after `until`; None where there is none."""
        first = self.following(after)
        if first is None or first > until:
            return None
        every = self.fields.every
        if every:
            return first + int(until - first) // every * every
        # What follows a moment comes later the later the moment is: halve the minutes left.
        low, high = first // 60, math.floor(until) // 60
        while low < high:
            middle = (low + high + 1) // 2
            found = self.following(middle * 60 - 1)
            if found is not None and found <= until:
                low, first = max(middle, found // 60), found
            else:
                high = middle - 1
        return first


def timetable(text: str, zone: tzinfo = UTC) -> Timetable:
    """The timetable of a schedule; a zone in its text goes before `zone`. cron.InvalidSchedule."""
    fields = cron.parse(text)
    return Timetable(fields, (cron.find_zone(fields.zone) if fields.zone else None) or zone)


@lru_cache(4096)
def _first(fields: cron.Fields, zone: tzinfo, moment: int) -> int | None:
    """The first time from `moment`, a whole minute, on. Many schedules are asked the same."""
    if not _possible(fields):
        return None
    local = datetime.fromtimestamp(moment, zone)
    last = local.year + _YEARS
    while local.year <= last:
        if not fields.months >> local.month & 1:
            moment = _midnight(_next_month(local), zone, moment)
        elif not _day_fits(fields, local):
            moment = _midnight(local.date() + _DAY, zone, moment)
        else:
            rest = fields.minutes >> local.minute
            if not fields.hours >> local.hour & 1 or not rest:
                moment += 3600 - 60 * local.minute
            elif rest & 1:
                return moment
            else:
                moment += 60 * ((rest & -rest).bit_length() - 1)
        local = datetime.fromtimestamp(moment, zone)
    return None


def _possible(fields: cron.Fields) -> bool:
    """Whether each field names something: a lone comma is a field that names nothing."""
    days = bool(fields.days), bool(fields.weekdays)
    named = all(days) if fields.any_day else any(days)
    return bool(fields.minutes and fields.hours and fields.months) and named


def _day_fits(fields: cron.Fields, local: datetime) -> bool:
    day = bool(fields.days >> local.day & 1)
    weekday = bool(fields.weekdays >> local.isoweekday() % 7 & 1)
    return (day and weekday) if fields.any_day else (day or weekday)


def _next_month(local: datetime) -> date:
    return (local.date().replace(day=28) + timedelta(days=4)).replace(day=1)


def _midnight(day: date, zone: tzinfo, after: int) -> int:
    """When a day begins on the zone's clock, or its first instant where midnight is leapt over.

    Where midnight comes twice, it is the one after `after`.
    """
    begin = int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())
    if begin > after:
        return begin
    return int(datetime(day.year, day.month, day.day, tzinfo=zone, fold=1).timestamp())
