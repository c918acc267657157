"""The connections that pass through a node, as Linux's nf_conntrack keeps them.

A connection is remembered when its first packet leaves the node (or is delivered here), so what is
refused or dropped on the way leaves nothing. Both of its directions are in one table, each a `Way`
that knows how its packets are rewritten.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Final

from cluster.network.stack.nat import tcpstates
from cluster.network.stack.nat.expiry import Expiry
from cluster.network.stack.nat.packet import Key, Packet, inverse
from cluster.network.stack.nat.rewrite import Rewrite, between
from cluster.network.stack.nat.tcpstates import State
from cluster.network.wire import ipv4, tcp

LARGEST: Final = 131072
"""Connections at most, as kube-proxy sets it for a machine of four cores (32,768 a core)."""
UDP_TIMEOUT: Final = 30.0
"""Seconds of a UDP connection that was not answered yet, or has only begun."""
UDP_STREAM_TIMEOUT: Final = 120.0
UDP_STREAM_AFTER: Final = 2.0
"""An answered one that lives longer than this is a stream."""
ICMP_TIMEOUT: Final = 30.0
GENERIC_TIMEOUT: Final = 600.0


class Step(Enum):
    """What a packet means to the connection that it is of."""

    GOES_ON = "known"
    BEGINS = "new"
    """It is the first of another one."""
    INVALID = "invalid"
    """It cannot be."""


class Way:
    """One direction of a connection."""

    __slots__ = ("answer", "connection", "key", "new_key", "packets", "rewrite")

    def __init__(self, connection: "Connection", key: Key, *, answer: bool) -> None:
        self.connection = connection
        self.key = key
        """As its packets come in."""
        self.new_key = key
        """As they leave."""
        self.rewrite: Rewrite | None = None
        """From one to the other; None where nothing changes."""
        self.answer = answer
        """Whether it is that of the side that was called."""
        self.packets = 0


class Connection:
    """A connection. Who keeps it for later looks at `alive` before using it."""

    __slots__ = (
        "alive",
        "answered",
        "answers",
        "assured",
        "begun",
        "both_called",
        "original",
        "protocol",
        "seen",
        "service",
        "slot",
        "state",
    )

    def __init__(self, key: Key, now: float, state: State) -> None:
        self.protocol = key[4]
        self.state = state
        self.original = Way(self, key, answer=False)
        self.answers = Way(self, inverse(key), answer=True)
        self.begun = now
        self.seen = now
        """When its last packet came: the one thing that a flow cache must set."""
        self.answered = False
        self.assured = False
        """Whether it is not to be forgotten when room is needed."""
        self.alive = False
        """Whether it is in the table."""
        self.both_called = False
        """Whether both sides sent a SYN at once (RFC 9293, 3.5)."""
        self.service = ""
        """The key of the service that it was sent on by."""
        self.slot = -1

    @property
    def settled(self) -> bool:
        """Whether packets may pass by a cache without being shown to conntrack.

        A TCP segment with SYN, FIN or RST must be shown all the same.
        """
        if self.protocol == ipv4.TCP:
            return self.state is State.ESTABLISHED and self.answered
        return self.protocol == ipv4.UDP

    @property
    def timeout(self) -> float:
        """Seconds without a packet after which it is forgotten."""
        if self.protocol == ipv4.TCP:
            return tcpstates.TIMEOUTS[self.state]
        if self.protocol == ipv4.UDP:
            stream = self.answered and self.seen - self.begun > UDP_STREAM_AFTER
            return UDP_STREAM_TIMEOUT if stream else UDP_TIMEOUT
        return ICMP_TIMEOUT if self.protocol == ipv4.ICMP else GENERIC_TIMEOUT


class Conntrack:
    """The table. `deadline` and `tick` are its timer."""

    def __init__(self, largest: int = LARGEST) -> None:
        if largest < 1:
            raise ValueError("a conntrack needs room for a connection")
        self._largest = largest
        self._ways: dict[Key, Way] = {}
        self._count = 0
        self._expiry = Expiry()
        self._unassured: dict[Connection, None] = {}
        self._datagrams: dict[tuple[int, int], dict[Connection, None]] = {}
        self.refused = 0
        """Connections for which there was no room."""
        self.evicted = 0
        """Connections that were not assured and made room for others."""

    @property
    def largest(self) -> int:
        """Connections at most."""
        return self._largest

    def __len__(self) -> int:
        """Connections, not ways."""
        return self._count

    def find(self, key: Key) -> Way | None:
        """The direction that has packets of this key."""
        return self._ways.get(key)

    def begin(self, now: float, packet: Packet) -> Connection | None:
        """The connection that a packet begins, not yet remembered; None where it begins none."""
        protocol, state = packet.protocol, State.NONE
        if protocol == ipv4.TCP:
            found = tcpstates.first(packet.flags)
            if found is None:
                return None
            state = found
        elif protocol == ipv4.ICMP and packet.destination_port == 0:
            return None  # an answer that nobody asked for, or a kind without answers
        return Connection(packet.key, now, state)

    def advance(self, now: float, way: Way, flags: int) -> Step:
        """A packet of a known connection.

        Where it begins the next one between the same ends, or was refused, the connection is
        forgotten.
        """
        connection = way.connection
        if connection.protocol == ipv4.TCP:
            step = self._segment(now, way, flags)
            if step is not Step.GOES_ON:
                return step
        connection.seen = now
        way.packets += 1
        if way.answer and not connection.answered:
            connection.answered = True
            if connection.protocol != ipv4.TCP or connection.state is State.ESTABLISHED:
                self._assure(connection)
        return Step.GOES_ON

    def _segment(self, now: float, way: Way, flags: int) -> Step:
        """What a segment means for its connection's state."""
        connection = way.connection
        old = connection.state
        if flags & tcp.RST and not connection.answered:
            self.forget(connection)  # it was refused, or given up: there never was one
            return Step.GOES_ON
        if tcpstates.begins_anew(old, flags, answer=way.answer):
            self.forget(connection)
            return Step.BEGINS
        new = tcpstates.after(old, flags, answer=way.answer)
        if new is None:
            return Step.INVALID
        # Who was called cannot know yet that he was heard, unless he called, too.
        early = old is State.SYN_RECV and new is State.ESTABLISHED and way.answer
        if new is old or (early and not connection.both_called):
            return Step.GOES_ON
        connection.both_called = connection.both_called or new is State.SYN_SENT2
        connection.state = new
        if new is State.ESTABLISHED:
            self._assure(connection)
        if tcpstates.TIMEOUTS[new] < tcpstates.TIMEOUTS[old]:
            self._expiry.put(connection, now + tcpstates.TIMEOUTS[new])
        return Step.GOES_ON

    def is_free(self, key: Key) -> bool:
        """Whether answers to packets that leave with this key would be nobody else's."""
        return inverse(key) not in self._ways

    def remember(self, now: float, connection: Connection, leaves: Key) -> bool:
        """Put a connection into the table, whose packets leave with the key `leaves`.

        False where there is no room for it. Its keys must be free.
        """
        original, answers = connection.original, connection.answers
        there = self._ways.get(original.key)
        if there is not None:
            self.forget(there.connection)
        if self._count >= self._largest and not self._make_room():
            self.refused += 1
            return False
        original.new_key = leaves
        original.rewrite = between(original.key, leaves)
        answers.key = inverse(leaves)
        answers.new_key = inverse(original.key)
        answers.rewrite = between(answers.key, answers.new_key)
        original.packets = 1
        self._ways[answers.key] = answers
        self._ways[original.key] = original
        connection.alive = True
        self._count += 1
        self._unassured[connection] = None
        self._expiry.put(connection, now + connection.timeout)
        if connection.protocol == ipv4.UDP:
            self._datagrams.setdefault(original.key[2:4], {})[connection] = None
        return True

    def forget(self, connection: Connection) -> None:
        """Take a connection out. Caches see that it is no longer `alive`."""
        if not connection.alive:
            return
        connection.alive = False
        self._count -= 1
        self._unassured.pop(connection, None)
        original = connection.original
        # One that leads from a place to itself is its own answer.
        self._ways.pop(original.key, None)
        self._ways.pop(connection.answers.key, None)
        self._expiry.remove(connection)
        if connection.protocol == ipv4.UDP:
            where = original.key[2:4]
            same = self._datagrams[where]
            del same[connection]
            if not same:
                del self._datagrams[where]

    def datagrams_to(self, address: int, port: int) -> list[Connection]:
        """The UDP connections that were made to an address, before any rewriting."""
        return list(self._datagrams.get((address, port), ()))

    def connections(self) -> Iterator[Connection]:
        """All of them, in the order in which they began."""
        ways = list(self._ways.values())
        return (way.connection for way in ways if way is way.connection.original)

    def clear(self) -> None:
        """Forget all of them."""
        for connection in self.connections():
            self.forget(connection)

    @property
    def deadline(self) -> float | None:
        """When `tick` is to be called next."""
        return self._expiry.deadline

    def tick(self, now: float) -> None:
        """Forget what was silent for too long."""
        for connection in self._expiry.take(now):
            end = connection.seen + connection.timeout
            if end <= now:
                self.forget(connection)
            else:
                self._expiry.put(connection, end)

    def _assure(self, connection: Connection) -> None:
        connection.assured = True
        self._unassured.pop(connection, None)

    def _make_room(self) -> bool:
        """Forget the oldest that is not assured (nf_conntrack's early drop)."""
        oldest = next(iter(self._unassured), None)
        if oldest is None:
            return False
        self.forget(oldest)
        self.evicted += 1
        return True
