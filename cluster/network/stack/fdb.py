"""A forwarding database: behind which port a MAC is, told or learned, as a Linux bridge's."""

from collections.abc import Iterator
from typing import Final, NamedTuple

AGEING: Final = 300.0
"""Seconds that a learned entry stays without being seen (a bridge's ageing_time)."""
LARGEST: Final = 4096
"""Learned entries; more are not learned until some are gone."""


class Entry(NamedTuple):
    """A row of `bridge fdb`."""

    mac: bytes
    port: str
    static: bool
    seen: float
    """When a frame last came from it; of a static one, when it was put in."""


class Fdb:
    """MACs by port. Static entries win, and no frame moves them."""

    def __init__(self) -> None:
        self._static: dict[bytes, Entry] = {}
        self._learned: dict[bytes, Entry] = {}

    def add(self, now: float, mac: bytes, port: str) -> None:
        """A MAC is at a port, whatever frames say."""
        self._learned.pop(mac, None)
        self._static[mac] = Entry(mac, port, static=True, seen=now)

    def remove(self, mac: bytes, port: str) -> None:
        """Undo `add`, unless the MAC was added for another port since."""
        entry = self._static.get(mac)
        if entry is not None and entry.port == port:
            del self._static[mac]

    def forget(self, port: str) -> None:
        """The port is gone, and with it what was learned there."""
        gone = [mac for mac, entry in self._learned.items() if entry.port == port]
        for mac in gone:
            del self._learned[mac]

    def learn(self, now: float, mac: bytes, port: str) -> None:
        """A frame came from a MAC at a port."""
        if mac in self._static or mac[0] & 1:
            return
        if mac in self._learned:
            del self._learned[mac]  # so that the oldest are first
        elif len(self._learned) >= LARGEST and not self._expire(now):
            return
        self._learned[mac] = Entry(mac, port, static=False, seen=now)

    def port(self, now: float, mac: bytes) -> str | None:
        """Behind which port a MAC is; None where that is not known."""
        entry = self._static.get(mac)
        if entry is not None:
            return entry.port
        entry = self._learned.get(mac)
        if entry is None:
            return None
        if now - entry.seen > AGEING:
            del self._learned[mac]
            return None
        return entry.port

    def rows(self, now: float) -> Iterator[Entry]:
        """All entries, static ones first."""
        yield from self._static.values()
        yield from (one for one in self._learned.values() if now - one.seen <= AGEING)

    def _expire(self, now: float) -> bool:
        """Forget the oldest, where they are too old; whether there is room now."""
        for mac, entry in list(self._learned.items()):
            if now - entry.seen <= AGEING:
                break
            del self._learned[mac]
        return len(self._learned) < LARGEST
