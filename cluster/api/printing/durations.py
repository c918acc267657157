"""Ages as kubectl shows them.

The steps and their rounding are those of k8s.io/apimachinery/pkg/util/duration: the longer ago,
the fewer units are worth showing.
"""

from typing import Any

from cluster.api import timestamps

_MINUTE = 60
_HOUR = 3600
_DAY_HOURS = 24
_YEAR_HOURS = 24 * 365

UNKNOWN = "<unknown>"


def human(seconds: float) -> str:
    """A duration in one or two units: `45s`, `3m20s`, `7h`, `5d4h`, `2y10d`.

    Up to one second in the future counts as now (clocks differ); more is `<invalid>`.
    """
    whole = int(seconds)
    if whole < 0:
        return "<invalid>" if whole < -1 else "0s"
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    minutes, hours = whole // _MINUTE, whole // _HOUR
    if minutes < 10:
        return _pair(minutes, "m", whole % _MINUTE, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    return _human_days(hours)


def _human_days(hours: int) -> str:
    if hours < 48:
        return f"{hours}h"
    if hours < 8 * _DAY_HOURS:
        return _pair(hours // _DAY_HOURS, "d", hours % _DAY_HOURS, "h")
    if hours < 2 * _YEAR_HOURS:
        return f"{hours // _DAY_HOURS}d"
    years = hours // _YEAR_HOURS
    if hours < 8 * _YEAR_HOURS:
        return _pair(years, "y", hours // _DAY_HOURS % 365, "d")
    return f"{years}y"


def _pair(first: int, first_unit: str, second: int, second_unit: str) -> str:
    return f"{first}{first_unit}{second}{second_unit}" if second else f"{first}{first_unit}"


def since(text: Any, now: float) -> str:
    """How long before `now` (seconds since the epoch) the RFC 3339 time `text` was.

    `<unknown>` where there is no time, or none that can be read.
    """
    if not text:
        return UNKNOWN
    try:
        return human(now - timestamps.decode(text))
    except (TypeError, ValueError):
        return UNKNOWN
