"""Back-offs by name, as k8s.io/client-go/util/flowcontrol counts them: doubling, with a reset.

A name is in back-off until its delay has passed since the failure. Where a failure comes longer
than ten minutes (RESET) after the last one was counted, counting starts anew.
"""

from dataclasses import dataclass
from typing import Final

RESET: Final = 600.0
"""Twice the longest back-off that there is, also where a shorter one is configured."""


@dataclass(slots=True)
class _Entry:
    delay: float
    counted: float


class Backoffs:
    """Delays in seconds, from `initial` doubling to `maximum`. Times are handed in."""

    def __init__(self, initial: float, maximum: float) -> None:
        self._initial = initial
        self._maximum = maximum
        self._entries: dict[str, _Entry] = {}

    def until(self, name: str, failed: float) -> float:
        """The time before which what failed at `failed` is not tried again; `failed` for none."""
        entry = self._entries.get(name)
        if entry is None or self._expired(entry, failed):
            return failed
        return failed + entry.delay

    def count(self, name: str, failed: float, now: float) -> None:
        """Count a try after the failure at `failed`: the next one has to wait longer."""
        entry = self._entries.get(name)
        if entry is None or self._expired(entry, failed):
            self._entries[name] = _Entry(self._initial, now)
        else:
            entry.delay = min(entry.delay * 2, self._maximum)
            entry.counted = now

    def delay(self, name: str) -> float:
        """The delay that counts now, 0 where there is none."""
        entry = self._entries.get(name)
        return entry.delay if entry else 0.0

    def counted(self, name: str) -> float:
        """When the last try was counted."""
        entry = self._entries.get(name)
        return entry.counted if entry else 0.0

    def clear(self, name: str) -> None:
        """Forget a name."""
        self._entries.pop(name, None)

    def _expired(self, entry: _Entry, failed: float) -> bool:
        return failed - entry.counted > RESET
