"""Timestamps and durations as text: RFC 3339, and Go's durations (`1h30m`, `1.5s`, `100ms`)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.values import INT_MAX, Duration, Timestamp

SECOND: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DURATION: Final = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+", re.ASCII)
_PART: Final = re.compile(r"(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_UNITS: Final = {
    "ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 10**6, "s": SECOND,
    "m": 60 * SECOND, "h": 3600 * SECOND,
}  # fmt: skip
_LONGEST: Final = 64
_LEAST: Final = -62135596800 * SECOND
_MOST: Final = 253402300800 * SECOND


def parse_timestamp(text: str) -> Timestamp:
    """RFC 3339 text. EvaluationError."""
    found = _RFC3339.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        raise EvaluationError("type conversion error from 'string' to 'timestamp'")
    year, month, day, hour, minute, second = (int(item) for item in found.groups()[:6])
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise EvaluationError("type conversion error from 'string' to 'timestamp'") from None
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    nanos = int((found[7] or "").ljust(9, "0"))
    return checked(seconds * SECOND + nanos - _offset(found[8]) * SECOND)


def _offset(zone: str) -> int:
    if zone in "Zz":
        return 0
    size = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
    return -size if zone[0] == "-" else size


def checked(nanos: int) -> Timestamp:
    """A timestamp within the years that there are. EvaluationError."""
    if not _LEAST <= nanos < _MOST:
        raise EvaluationError("timestamp overflow")
    return Timestamp(nanos)


def parse_any(text: str) -> Timestamp:
    """RFC 3339 text or a date alone. EvaluationError."""
    if _DATE.fullmatch(text):
        text += "T00:00:00Z"
    return parse_timestamp(text)


def parse_duration(text: str) -> Duration:
    """A duration as Go writes it. EvaluationError."""
    if text in ("0", "+0", "-0"):
        return Duration(0)
    if len(text) > _LONGEST or not _DURATION.fullmatch(text):
        raise EvaluationError("type conversion error from 'string' to 'duration'")
    total = 0
    for whole, part, unit in _PART.findall(text):
        scale = _UNITS[unit]
        total += int(whole or "0") * scale
        if part:
            total += int(part) * scale // 10 ** len(part)
    if total > INT_MAX:
        raise EvaluationError("type conversion error from 'string' to 'duration'")
    return Duration(-total if text[0] == "-" else total)


def moment(value: Timestamp) -> datetime:
    """The moment in UTC, to the microsecond."""
    return _EPOCH + timedelta(microseconds=value.nanos // 1000)


def timestamp_text(value: Timestamp) -> str:
    """RFC 3339 text in UTC, with as many digits of the second as there are."""
    seconds, nanos = divmod(value.nanos, SECOND)
    base = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    if base.index("-") < 4:  # platforms differ in how they write early years
        base = base.rjust(19, "0")
    part = f".{nanos:09d}".rstrip("0") if nanos else ""
    return f"{base}{part}Z"


def duration_text(value: Duration) -> str:
    """Seconds, as `90s` or `1.5s`."""
    seconds, nanos = divmod(abs(value.nanos), SECOND)
    part = f".{nanos:09d}".rstrip("0") if nanos else ""
    return f"{'-' if value.nanos < 0 else ''}{seconds}{part}s"
