"""The lab's event log: every write with who made it and why, and what the scenario did.

Two runs from one seed give the same log, byte for byte; the first line in which two logs differ is
where something was not deterministic.
"""

import hashlib
import zlib
from collections.abc import Sequence

from cluster.aio import clock
from cluster.api import timestamps
from cluster.apiserver import ledger
from cluster.storage import interface as storage

QUIET = ("leases.coordination.k8s.io",)
"""Resources whose updates count for the digest and are not kept as lines: they are heartbeats."""

_BLOCK = 4096
"""Lines that are packed together: a month of a lab has millions, and few are ever read."""
_DIGESTED = 512
"""Lines that are digested together."""


def _joined(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


class EventLog:
    """Lines in order. `lines` leaves out heartbeats; `digest` knows them too."""

    def __init__(self, clock: clock.Clock) -> None:
        self._clock = clock
        self._digest = hashlib.sha256()
        self._sums: dict[int, int] = {}
        self._packed: list[bytes] = []
        self._undigested: list[str] = []
        self._time = -1.0
        self._stamp = ""
        self._recent: list[str] = []

    def note(self, text: str) -> None:
        """Enter something that the scenario or the lab did."""
        self._enter(f"{timestamps.encode_micro(self._clock.now())} lab {text}")

    def take(self, events: Sequence[storage.Event]) -> None:
        """Remember what was written, for the line of who wrote it (storage.interface.Sink)."""
        for event in events:
            value = event.record.value if event.record is not None else b""
            self._sums[event.revision] = zlib.crc32(value)

    def fact(self, fact: ledger.Fact) -> None:
        """Enter a write that the API server carried out."""
        if fact.time != self._time:  # those of a batch have one time
            self._time, self._stamp = fact.time, timestamps.encode_micro(fact.time)
        line = (
            f"{self._stamp} {fact.revision} {fact.actor} {fact.verb} "
            f"{fact.resource} {fact.key} cause={fact.cause} "
            f"sum={self._sums.pop(fact.revision, 0):08x}"
        )
        heartbeat = fact.resource in QUIET and fact.verb not in ("create", "delete")
        self._enter(line, keep=not heartbeat)

    @property
    def lines(self) -> list[str]:
        """All lines that are kept, in order. After a long run they are many: see `tail`."""
        return self.text.splitlines()

    @property
    def text(self) -> str:
        """All lines as one text."""
        packed = (zlib.decompress(block).decode() for block in self._packed)
        return "".join([*packed, _joined(self._recent)])

    def tail(self, count: int) -> list[str]:
        """The newest lines: `count` of them, or as many as are at hand."""
        return self._recent[-count:]

    @property
    def digest(self) -> str:
        """A hash of everything that was entered, heartbeats included."""
        self._digest_lines()
        return self._digest.hexdigest()

    def _enter(self, line: str, *, keep: bool = True) -> None:
        self._undigested.append(line)
        if len(self._undigested) >= _DIGESTED:
            self._digest_lines()
        if keep:
            self._recent.append(line)
            if len(self._recent) >= 2 * _BLOCK:
                old, self._recent = self._recent[:_BLOCK], self._recent[_BLOCK:]
                self._packed.append(zlib.compress(_joined(old).encode(), 1))

    def _digest_lines(self) -> None:
        self._digest.update(_joined(self._undigested).encode())
        self._undigested.clear()
