"""Neighbours on a link: the MACs of addresses, told (permanent) or asked for by ARP.

States and times are those of Linux: an address is asked for three times, a second apart; packets
wait meanwhile, a few an address; who answered is taken at his word for `REACHABLE` seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, TypeVar

REACHABLE: Final = 60.0
RETRANSMIT: Final = 1.0
SOLICITATIONS: Final = 3
WAITING: Final = 16
"""Packets that wait for one address; more push out the oldest."""
WAITING_BYTES: Final = 4 << 20
"""What waits for all addresses together; more is not kept."""
UNRESOLVED: Final = 512
"""Addresses that are asked for at the same time."""
LARGEST: Final = 4096
"""Answers that are kept."""

T = TypeVar("T")


class Entry(NamedTuple):
    """A row of `ip neigh`."""

    address: int
    mac: bytes | None
    state: str
    """PERMANENT, REACHABLE, STALE or INCOMPLETE."""


class Failure(NamedTuple, Generic[T]):
    """Nobody has the address: what waited for it."""

    address: int
    waiting: list[T]


@dataclass(slots=True)
class _Asking(Generic[T]):
    again: float
    asked: int = 1
    waiting: list[T] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


class Neighbours(Generic[T]):
    """The table of one link. T is what waits for an address: a packet, with what is known of it."""

    def __init__(self) -> None:
        self._permanent: dict[int, bytes] = {}
        self._answered: dict[int, tuple[bytes, float]] = {}
        self._asking: dict[int, _Asking[T]] = {}
        self._held = 0

    def set(self, address: int, mac: bytes) -> list[T]:
        """An address has this MAC, whatever ARP says. Returns what waited for it."""
        self._permanent[address] = mac
        self._answered.pop(address, None)
        return self._resolved(address)

    def unset(self, address: int, mac: bytes) -> None:
        """Undo `set`, unless the address was set to another MAC since."""
        if self._permanent.get(address) == mac:
            del self._permanent[address]

    def mac(self, now: float, address: int) -> bytes | None:
        """The MAC of an address, if it is known."""
        mac = self._permanent.get(address)
        if mac is not None:
            return mac
        found = self._answered.get(address)
        return found[0] if found is not None and now - found[1] <= REACHABLE else None

    def learn(self, now: float, address: int, mac: bytes, *, asked_for: bool) -> list[T]:
        """Somebody said by ARP that he has an address. Returns what waited for it.

        Unasked, that only changes what is known of who is known. Permanent entries stay.
        """
        if address in self._permanent:
            return []
        asking = address in self._asking
        if not asking and not (asked_for and address in self._answered):
            return []
        self._answered.pop(address, None)
        if len(self._answered) >= LARGEST:
            del self._answered[next(iter(self._answered))]
        self._answered[address] = (mac, now)
        return self._resolved(address)

    def ask(self, now: float, address: int, waiting: T, size: int = 0) -> tuple[bool, int]:
        """Have something of `size` bytes wait for an address. Whether to send a request now, and
        how many things do not wait (any more): it itself, or the oldest.
        """
        asking = self._asking.get(address)
        if self._held + size > WAITING_BYTES or (asking is None and self._is_full):
            return False, 1
        first = asking is None
        if asking is None:
            asking = self._asking[address] = _Asking(now + RETRANSMIT)
        asking.waiting.append(waiting)
        asking.sizes.append(size)
        self._held += size
        if len(asking.waiting) <= WAITING:
            return first, 0
        del asking.waiting[0]
        self._held -= asking.sizes.pop(0)
        return first, 1

    @property
    def _is_full(self) -> bool:
        return len(self._asking) >= UNRESOLVED

    @property
    def deadline(self) -> float | None:
        """When `tick` has something to do."""
        if not self._asking:
            return None
        return min(one.again for one in self._asking.values())

    def tick(self, now: float) -> tuple[list[int], list[Failure[T]]]:
        """The addresses to ask for again, and those that nobody has."""
        again: list[int] = []
        failed: list[Failure[T]] = []
        for address, asking in list(self._asking.items()):
            if asking.again > now:
                continue
            if asking.asked >= SOLICITATIONS:
                failed.append(Failure(address, self._resolved(address)))
            else:
                asking.asked += 1
                asking.again = now + RETRANSMIT
                again.append(address)
        return again, failed

    def rows(self, now: float) -> Iterator[Entry]:
        """All entries."""
        for address, mac in self._permanent.items():
            yield Entry(address, mac, "PERMANENT")
        for address, (mac, seen) in self._answered.items():
            yield Entry(address, mac, "REACHABLE" if now - seen <= REACHABLE else "STALE")
        for address in self._asking:
            yield Entry(address, None, "INCOMPLETE")

    def _resolved(self, address: int) -> list[T]:
        asking = self._asking.pop(address, None)
        if asking is None:
            return []
        self._held -= sum(asking.sizes)
        return asking.waiting
