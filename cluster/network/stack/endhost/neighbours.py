"""Who has which address on the link (RFC 826), asked and confirmed as Linux' neighbours are."""

from collections import deque
from typing import Final

from cluster.network.wire import arp, mac
from cluster.network.wire.frame import Frame

NEVER: Final = float("inf")
REACHABLE_SECONDS: Final = 30.0
"""net.ipv4.neigh.*.base_reachable_time_ms: how long a confirmation is believed."""
RETRY_SECONDS: Final = 1.0
"""net.ipv4.neigh.*.retrans_time_ms."""
TRIES: Final = 3
"""net.ipv4.neigh.*.{ucast,mcast}_solicit."""
_WAITING: Final = 208 << 10
"""Bytes that wait for one answer; the oldest packet is lost (unres_qlen_bytes)."""
_WAITING_ALL: Final = 4 << 20
"""Bytes that wait for all answers together; what comes besides is lost."""
_ENTRIES: Final = 1024
"""net.ipv4.neigh.default.gc_thresh3."""


class _Neighbour:
    """What is known of one address."""

    __slots__ = ("asked", "at", "confirmed", "mac", "size", "tries", "waiting")

    def __init__(self) -> None:
        self.mac = b""
        self.confirmed = 0.0
        self.tries = 0
        """Questions that nobody has answered."""
        self.asked = 0.0
        self.at = NEVER
        """When to ask again."""
        self.waiting: deque[Frame] = deque()
        self.size = 0


class Neighbours:
    """The neighbours of one interface."""

    def __init__(self, own: bytes) -> None:
        self._own = own
        self._known: dict[int, _Neighbour] = {}
        self._asking: dict[int, _Neighbour] = {}
        self.questions: list[Frame] = []
        """Frames that are to go out."""
        self.generation = 1
        """Another one whenever an address that is known changes."""
        self._size = 0
        """Bytes of all that waits."""
        self.lost = 0
        """Packets that found no neighbour."""

    def find(self, now: float, hop: int, source: int) -> bytes:
        """The Ethernet address of a neighbour; b"" where it must first be asked for.

        One that was not confirmed for long is asked, too, while it is still believed.
        """
        neighbour = self._known.get(hop)
        if neighbour is None:
            neighbour = self._make(hop)
        if neighbour.mac and now - neighbour.confirmed < REACHABLE_SECONDS:
            return neighbour.mac
        if hop not in self._asking:
            neighbour.tries = 0
            self._ask(now, hop, neighbour, source)
        return neighbour.mac

    def until(self, now: float, hop: int) -> float:
        """Until when `find` need not be called again for a hop, unless the generation changes."""
        neighbour = self._known.get(hop)
        if neighbour is None or not neighbour.mac or hop in self._asking:
            return now
        return neighbour.confirmed + REACHABLE_SECONDS

    def wait(self, hop: int, frame: Frame) -> None:
        """Keep a frame (without its destination) until the neighbour answers."""
        neighbour = self._known[hop]
        neighbour.waiting.append(frame)
        neighbour.size += len(frame.data)
        self._size += len(frame.data)
        while neighbour.size > _WAITING or self._size > _WAITING_ALL:
            size = len(neighbour.waiting.popleft().data)
            neighbour.size -= size
            self._size -= size
            self.lost += 1

    def heard(self, now: float, packet: arp.Packet, *, ours: bool) -> list[Frame]:
        """An ARP packet came, a question or an answer `ours` to hear; what waited for it."""
        neighbour = self._known.get(packet.sender)
        if neighbour is None:
            if not ours or packet.operation != arp.REQUEST or not packet.sender:
                return []
            neighbour = self._make(packet.sender)
        if mac.is_group(packet.sender_mac):
            return []
        if neighbour.mac != packet.sender_mac:
            self.generation += 1
        neighbour.mac = packet.sender_mac
        neighbour.confirmed = now
        neighbour.at = NEVER
        self._asking.pop(packet.sender, None)
        waiting, neighbour.waiting = neighbour.waiting, deque()
        self._size -= neighbour.size
        neighbour.size = 0
        lead = neighbour.mac
        return [led(lead, frame) for frame in waiting]

    def set(self, address: int, found: bytes) -> None:
        """A neighbour that is known for ever (`ip neigh add ... nud permanent`)."""
        neighbour = self._known.setdefault(address, _Neighbour())
        neighbour.mac = found
        neighbour.confirmed = NEVER
        self.generation += 1

    def rows(self) -> list[tuple[int, bytes, float]]:
        """All that are known: address, Ethernet address (b"": asked for), time confirmed."""
        return [(hop, one.mac, one.confirmed) for hop, one in self._known.items()]

    @property
    def asking(self) -> bool:
        """Whether an answer is waited for."""
        return bool(self._asking)

    @property
    def deadline(self) -> float:
        """When somebody is to be asked again."""
        return min((one.at for one in self._asking.values()), default=NEVER)

    def tick(self, now: float, source: int) -> list[tuple[int, list[Frame]]]:
        """Ask again; the addresses that nobody has, with what waited for them."""
        silent = []
        for hop, neighbour in list(self._asking.items()):
            if neighbour.at > now:
                continue
            if neighbour.tries < TRIES * (2 if neighbour.mac else 1):
                self._ask(now, hop, neighbour, source)
                continue
            del self._asking[hop]
            del self._known[hop]
            self._size -= neighbour.size
            self.generation += 1
            self.lost += len(neighbour.waiting)
            silent.append((hop, list(neighbour.waiting)))
        return silent

    def _ask(self, now: float, hop: int, neighbour: _Neighbour, source: int) -> None:
        neighbour.tries += 1
        neighbour.at = now + RETRY_SECONDS
        self._asking[hop] = neighbour
        data = arp.request(self._own, source, hop)
        if neighbour.mac and neighbour.tries <= TRIES:
            data = neighbour.mac + data[6:]  # first asks whom it believes, then everybody
        self.questions.append(Frame(data))

    def _make(self, hop: int) -> _Neighbour:
        if len(self._known) >= _ENTRIES:
            oldest = next(iter(self._known))
            self._asking.pop(oldest, None)
            gone = self._known.pop(oldest)
            self._size -= gone.size
            self.lost += len(gone.waiting)
            self.generation += 1
        made = self._known[hop] = _Neighbour()
        return made


def led(destination: bytes, frame: Frame) -> Frame:
    """A frame that goes to an Ethernet address."""
    data = destination + frame.data[len(destination) :]
    return Frame(data, frame.gso_size, frame.csum_start, frame.csum_offset, frame.trusted)
