"""Moments as `date -d` and `touch -d` take them. Pure; UTC."""

import datetime
import re
from typing import Final

_FORMS: Final = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%fZ",
    "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y%m%d", "%H:%M:%S", "%H:%M", "%a %b %d %H:%M:%S UTC %Y",
    "%a, %d %b %Y %H:%M:%S +0000", "%Y-%m-%dT%H:%M:%S+00:00",
)  # fmt: skip
_UNITS: Final = {"sec": 1, "second": 1, "min": 60, "minute": 60, "hour": 3600, "day": 86400,
                 "week": 604800, "month": 2592000, "year": 31536000}  # fmt: skip
_MOST: Final = 253_402_300_799.0
"""The end of the year 9999."""


def parse(text: str, now: float) -> float | None:
    """Seconds since the epoch; None for what is no time. `2 hours ago` and `+1 day` are there."""
    text = text.strip()
    if re.fullmatch(r"@-?\d{1,12}(\.\d{1,9})?", text):
        return _bounded(float(text[1:]))
    if text in ("now", "today", ""):
        return now
    if text in ("yesterday", "tomorrow"):
        return now + (86400 if text == "tomorrow" else -86400)
    found = re.fullmatch(r"([-+]?\d{1,9}) ?([a-z]+?)s?( ago)?", text)
    if found and found[2] in _UNITS:
        span = int(found[1]) * _UNITS[found[2]]
        return _bounded(now - span if found[3] else now + span)
    for form in _FORMS:
        try:
            moment = datetime.datetime.strptime(text, form).replace(tzinfo=datetime.UTC)
        except ValueError:
            continue
        if moment.year == 1900:
            today = datetime.datetime.fromtimestamp(now, datetime.UTC)
            moment = moment.replace(year=today.year, month=today.month, day=today.day)
        return moment.timestamp()
    return None


def _bounded(seconds: float) -> float | None:
    return seconds if 0 <= seconds <= _MOST else None
