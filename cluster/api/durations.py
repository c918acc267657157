"""Durations as Go reads and writes them (`time.ParseDuration`, `Duration.String`): `1m30s`.

Kubernetes' messages and kubemu's annotations use this form. Seconds are floats here.
"""

import re
from typing import Final

_UNITS: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
}  # fmt: skip
_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_PLAIN: Final = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


def parse(text: str) -> float:
    """Seconds of `1h5m`, `1.5s`, `300ms`, or of a bare number, which counts seconds.

    ValueError for anything else, negative ones included.
    """
    if _PLAIN.fullmatch(text):
        return float(text)
    total, at = 0.0, 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            break
        total += float(part[1]) * _UNITS[part[2]]
        at = part.end()
    if not text or at < len(text):
        raise ValueError(f"{text!r} is no duration: write it like 1m30s, 250ms or 10")
    return total


def format(seconds: float) -> str:  # noqa: A001 - durations.format
    """Go's text, to a millisecond: 10 is `10s`, 80 is `1m20s`, 0.25 is `250ms`, 300 is `5m0s`."""
    millis = round(seconds * 1000)
    if millis < 1000:
        return f"{millis}ms" if millis else "0s"
    minutes, rest = divmod(millis, 60_000)
    hours, minutes = divmod(minutes, 60)
    shown = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{shown}"
    return f"{minutes}m{shown}" if minutes else shown
