"""Kubernetes' times on the wire: Time (whole seconds) and MicroTime, RFC 3339 in UTC."""

import math
from datetime import UTC, datetime
from functools import lru_cache


def encode(seconds: float) -> str:
    """metav1.Time of `seconds` since the epoch: `2026-11-21T02:27:07Z`."""
    return _whole(int(seconds))


@lru_cache(1024)
def _whole(seconds: int) -> str:
    """Most objects of one second bear the same time."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19] + "Z"


def encode_micro(seconds: float) -> str:
    """metav1.MicroTime of `seconds` since the epoch: `2026-11-21T02:27:07.000000Z`."""
    whole = math.floor(seconds)
    micros = round((seconds - whole) * 1e6)
    if micros == 1_000_000:
        whole, micros = whole + 1, 0
    return f"{_whole(whole)[:19]}.{micros:06d}Z"


def decode(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time, with any offset. ValueError on other text."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.timestamp()
