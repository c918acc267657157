"""Points of the past as people say them: a revision, a time, or how long ago. Pure."""

import re
from typing import Final, NamedTuple

from cluster.api import timestamps

_PARTS: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Moment(NamedTuple):
    """One of both: a revision, or a time in Unix seconds."""

    revision: int = 0
    seconds: float = 0.0


def read(text: str, now: float) -> Moment:
    """`1234`, `2026-01-02T03:04:05Z`, `90s ago`, `1h30m`. ValueError with a sentence."""
    said = text.strip()
    if said.isdecimal():
        if int(said) < 1:
            raise ValueError("revisions begin at 1")
        return Moment(revision=int(said))
    span = said.removesuffix("ago").strip()
    if span and _PARTS.sub("", span) == "":
        return Moment(seconds=now - sum(_span(*part) for part in _PARTS.findall(span)))
    try:
        when = timestamps.decode(said)
    except ValueError:
        raise ValueError(
            f"{text!r} is no revision (1234), no time (2026-01-02T03:04:05Z) and no duration "
            "(90s ago, 1h30m)"
        ) from None
    if when > now:
        raise ValueError(f"{text} is in the future")
    return Moment(seconds=when)


def _span(number: str, unit: str) -> float:
    return float(number) * _SECONDS[unit]
