"""Kubernetes' times on the wire: Time (whole seconds) and MicroTime, RFC 3339 in UTC."""

from datetime import UTC, datetime
from functools import lru_cache


def encode(seconds: float) -> str:
    """metav1.Time of `seconds` since the epoch: `2026-11-21T02:27:07Z`."""
    return _whole(int(seconds))


@lru_cache(64)
def _whole(seconds: int) -> str:
    """Most objects of one second bear the same time."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def encode_micro(seconds: float) -> str:
    """metav1.MicroTime of `seconds` since the epoch: `2026-11-21T02:27:07.000000Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def decode(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time, with any offset. ValueError on other text."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.timestamp()
