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


class EventLog:
    """Lines in order. `lines` leaves out heartbeats; `digest` knows them too."""

    def __init__(self, clock: clock.Clock) -> None:
        self._clock = clock
        self._digest = hashlib.sha256()
        self._sums: dict[int, int] = {}
        self.lines: list[str] = []

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
        line = (
            f"{timestamps.encode_micro(fact.time)} {fact.revision} {fact.actor} {fact.verb} "
            f"{fact.resource} {fact.key} cause={fact.cause} "
            f"sum={self._sums.pop(fact.revision, 0):08x}"
        )
        heartbeat = fact.resource in QUIET and fact.verb not in ("create", "delete")
        self._enter(line, keep=not heartbeat)

    @property
    def text(self) -> str:
        """All lines as one text."""
        return "".join(f"{line}\n" for line in self.lines)

    @property
    def digest(self) -> str:
        """A hash of everything that was entered, heartbeats included."""
        return self._digest.hexdigest()

    def _enter(self, line: str, *, keep: bool = True) -> None:
        self._digest.update(line.encode())
        self._digest.update(b"\n")
        if keep:
            self.lines.append(line)
