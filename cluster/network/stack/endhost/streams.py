"""TCP of a host: its connections by their ends, handshakes, listeners, TIME-WAIT, timers."""

import errno
import itertools
import random
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cluster.network.stack.endhost.errors import IcmpError
from cluster.network.stack.endhost.flow import KEY, Flow, key, segment_of
from cluster.network.stack.endhost.listener import Listener
from cluster.network.stack.endhost.openings import Arrival, Openings
from cluster.network.stack.endhost.ports import Ports, error
from cluster.network.stack.endhost.timers import Timers
from cluster.network.stack.endpoint import Endpoint
from cluster.network.stack.tcp import arrivals, plain, states
from cluster.network.stack.tcp.connection import Connection
from cluster.network.stack.tcp.numbers import Numbers
from cluster.network.stack.tcp.segment import MASK, Segment
from cluster.network.stack.tcp.settings import Memory
from cluster.network.stack.tcp.timewait import TimeWait
from cluster.network.wire import checksums, ethernet, ipv4, tcp
from cluster.network.wire.frame import Frame

if TYPE_CHECKING:
    from cluster.network.stack.host import Host

_STAMPED: Final = struct.Struct("!12xIHHIH12sIIHH4xIII")
"""The kind of packet and the words of IPv4's header to its addresses, two of them joined twice, the
ends; of TCP all but checksum and urgency, and twelve bytes of options.
"""
_KIND: Final = ethernet.IPV4 << 8 | 0x45
"""IPv4 without options."""
_ETHERNET: Final = ethernet.IPV4 << 16
_NO_FRAGMENT: Final = 0x3FFF00FF
"""Of fragment, time to live and protocol: what tells a whole segment of TCP."""
_TYPICAL: Final = 0x8000
_OTHERS: Final = 0xF000 | tcp.SYN
"""Of a segment's length and flags: whether its options may be timestamps alone, without SYN."""
_LEAD: Final = 0x0101080A
_FEW: Final = 4096
_ENDS_AT: Final = 26
_TCP_AT: Final = ethernet.HEADER + ipv4.HEADER
_OPTIONS_AT: Final = _TCP_AT + tcp.HEADER
_STAMPED_AT: Final = _OPTIONS_AT + 12
_NEVER: Final = float("inf")


class Streams:
    """The connections of a host."""

    def __init__(self, host: "Host", generator: random.Random, memory: Memory) -> None:
        self._host = host
        self._settings = host.settings.tcp
        self._random = generator
        self._numbers = Numbers(generator)
        self.memory = memory
        self.listeners: Ports[Listener] = Ports(generator)
        self.flows: dict[bytes, Flow] = {}
        self.timewait: TimeWait[bytes] = TimeWait(self._settings.time_wait)
        self.timers = Timers()
        self._dirty: list[Flow] = []
        self._later: list[Callable[[float], None]] = []
        self._touched: dict[Flow, None] = {}
        self.openings = Openings(self, host, self._numbers)
        self.bad_checksums = 0

    # ---- beginnings --------------------------------------------------------------------------

    def listen(self, local: Endpoint, backlog: int) -> Listener:
        """Listen at a port; 0 takes a free one. OSError EADDRINUSE and others."""
        if not local.port:
            local = Endpoint(local.address, self.listeners.ephemeral(lambda _: True))
        made = Listener(self, local, backlog)
        self.listeners.bind(local, made)
        return made

    def connect(self, now: float, local: Endpoint, to: Endpoint) -> Flow:
        """Begin a connection; port 0 of `local` takes a free one. OSError."""
        if len(self.flows) >= self._host.settings.most_flows:
            raise error(errno.EADDRNOTAVAIL)
        if not local.port:
            local = Endpoint(local.address, self._ephemeral(now, local.address, to))
        elif not self._usable(now, key(to, local)):
            raise error(errno.EADDRINUSE)
        self.timewait.remove(key(to, local))
        connection = Connection(
            self._settings,
            now,
            start=self._numbers.start(now, key(to, local)),
            clock=self._numbers.clock,
            mss=self._host.mss(to.address),
            memory=self.memory,
        )
        flow = self.add(local, to, connection)
        connection.open()
        return flow

    def _ephemeral(self, now: float, address: int, to: Endpoint) -> int:
        return self.listeners.ephemeral(
            lambda port: self._usable(now, KEY.pack(to.address, address, to.port, port))
        )

    def _usable(self, now: float, name: bytes) -> bool:
        return name not in self.flows and self.timewait.reusable(name, now)

    def add(self, local: Endpoint, peer: Endpoint, connection: Connection) -> Flow:
        """Have a connection between two ends."""
        hop = self._host.addressing.hop(peer.address)
        flow = Flow(local, peer, connection, hop, self._random.getrandbits(16))
        self.flows[flow.key] = flow
        dirty, host = self._dirty, self._host

        def wake() -> None:
            dirty.append(flow)
            if len(dirty) == 1:
                host.wanted()

        connection.attach(wake)
        return flow

    def touch(self, flow: Flow) -> None:
        """Tell who watches a connection with the next `pull`."""
        self._touched[flow] = None
        self._host.wanted()

    # ---- arrivals ----------------------------------------------------------------------------

    def fast(self, now: float, frame: Frame) -> bool:
        """Take a frame of a connection that is there (IPv4 without options, no fragment, and not
        the shortest); whether it was one. Whether it is for us its key says: it has our address.
        """
        data = frame.data
        if len(data) < _STAMPED_AT:
            return False
        (
            first,
            whole,
            number,
            life,
            check,
            name,
            sequence,
            acknowledgment,
            bits,
            window,
            lead,
            value,
            echo,
        ) = _STAMPED.unpack_from(data)
        flow = self.flows.get(name)
        if flow is None or first >> 8 != _KIND or life & _NO_FRAGMENT != ipv4.TCP:
            return False
        connection = flow.connection
        if connection.state == states.SYN_SENT:
            return False
        end = ethernet.HEADER + whole
        sack: tuple[tuple[int, int], ...] = ()
        stamps: tuple[int, int] | None
        if bits & _OTHERS == _TYPICAL and lead == _LEAD:
            start, stamps = _STAMPED_AT, (value, echo)
        else:
            start = _TCP_AT + (bits >> 12 << 2)
            if start < _OPTIONS_AT or bits & tcp.SYN:
                return False
            options = tcp.options(data[_OPTIONS_AT:start])
            stamps, sack = options.timestamps, options.sack
        if not start <= end <= len(data):
            return False
        if not frame.trusted:
            header = first - _ETHERNET + whole + number + life + check + flow.addresses
            if header % 0xFFFF or not (frame.csum_start or _right(data, end)):
                self.bad_checksums += 1
                return True
        payload = data[start:end]
        if sack or not arrivals.predicted(
            connection, now, bits, sequence, acknowledgment, window, payload, stamps
        ):
            segment = Segment(bits & 0xFF, sequence, acknowledgment, window, payload, stamps, sack)
            arrivals.consider(connection, now, segment)
        if connection.events:
            self._touched[flow] = None
        if connection.ack_at < flow.timer_at:
            self.timers.set(flow, connection.ack_at)
        return True

    def receive(self, now: float, frame: Frame, header: ipv4.Header) -> None:
        """Take a frame that is no connection's, or an odd one of a connection's."""
        data = frame.data
        trusted = frame.trusted or frame.csum_start
        if not trusted and not checksums.transport_valid(
            header.source,
            header.destination,
            ipv4.TCP,
            data,
            start=header.payload,
            end=header.end,
        ):
            self.bad_checksums += 1
            return
        found = segment_of(data, header.payload, header.end)
        if found is None:
            return
        parsed, segment = found
        peer = Endpoint(header.source, parsed.source)
        local = Endpoint(header.destination, parsed.destination)
        if not peer.port or not local.port:
            return
        name = key(peer, local)
        flow = self.flows.get(name)
        if flow is not None:
            if flow.connection.state == states.SYN_SENT and _strange(flow.connection, segment):
                self.openings.reject(now, peer, local, segment)
                return
            flow.connection.receive(now, segment)
            if flow.connection.events:
                self.touch(flow)
            if flow.connection.ack_at < flow.timer_at:
                self.timers.set(flow, flow.connection.ack_at)
        else:
            arrival = Arrival(name, peer, local, segment, data)
            if not self._remembered(now, arrival):
                self.openings.begin(now, arrival)

    def _remembered(self, now: float, arrival: Arrival) -> bool:
        """Answer for a connection that is over; whether the segment is dealt with."""
        name, peer, local, segment, _ = arrival
        remains = self.timewait.get(name)
        if remains is None:
            return False
        if segment.flags & tcp.SYN and not segment.flags & tcp.ACK and remains.yields(segment):
            self.timewait.remove(name)
            return False
        if segment.flags & tcp.RST and segment.sequence == remains.expected:
            self.timewait.remove(name)  # as Linux, unless net.ipv4.tcp_rfc1337
        elif remains.asks(segment):
            self.openings.send(now, peer, local, remains.answer(now))
        return True

    def later(self, call: Callable[[float], None]) -> None:
        """Do something with the next `pull`."""
        self._later.append(call)
        self._host.wanted()

    def failed(self, found: IcmpError, sequence: int) -> None:
        """ICMP tells of something that a connection sent (RFC 5927: it must be under way)."""
        flow = self.flows.get(key(found.target, found.local))
        if flow is None:
            return
        outbound = flow.connection.outbound
        position = outbound.position(sequence)
        if not outbound.unacknowledged <= position < max(outbound.next, 1):
            return
        if found.number == errno.EMSGSIZE:
            flow.connection.too_big(self._host.mss(found.target.address))
        else:
            flow.connection.unreachable(found.number)
            self.touch(flow)

    def unreachable(self, name: bytes, number: int) -> None:
        """A packet of a connection found no neighbour."""
        flow = self.flows.get(name)
        if flow is not None:
            flow.connection.unreachable(number)
            self.touch(flow)

    # ---- what goes out -----------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether `pull` has anything to do."""
        return bool(self._dirty or self._touched or self._later)

    def pull(self, now: float, most: int = 1 << 30) -> None:
        """Tell those who watch, `most` of them, and send what is to go."""
        host, clock = self._host, int(now * 1000)
        later, self._later = self._later, []
        for call in later:
            call(now)
        while self._dirty or (self._touched and most > 0):
            touched = self._touched
            if len(touched) <= most:
                self._touched = {}
            else:
                touched = dict.fromkeys(itertools.islice(touched, most))
                for flow in touched:
                    del self._touched[flow]
            most -= len(touched)
            for flow in touched:
                connection = flow.connection
                found, connection.events = connection.events, 0
                if found and flow.watch is not None:
                    flow.watch(found)
            dirty = self._dirty.copy()
            self._dirty.clear()
            for flow in dirty:
                alone = plain.pull(flow.connection, now, clock)
                if alone is None:
                    self._pull(now, flow)
                    continue
                if now >= flow.until or flow.generation != host.neighbours.generation:
                    host.lead(now, flow)
                host.emit(flow, flow.framing.plain(*alone))
                timeout = flow.connection.outbound.timeout_at
                if timeout is not None and timeout < flow.timer_at:
                    self.timers.set(flow, timeout)

    def _pull(self, now: float, flow: Flow) -> None:
        connection = flow.connection
        segments = connection.pull(now)
        if segments:
            host = self._host
            if now >= flow.until or flow.generation != host.neighbours.generation:
                host.lead(now, flow)
            frame = flow.framing.frame
            for segment in segments:
                host.emit(flow, frame(segment))
        if connection.events:
            self._touched[flow] = None
        if connection.state in _GONE:
            self._remove(now, flow)
            return
        deadline = connection.deadline
        if deadline < flow.timer_at:
            self.timers.set(flow, deadline)

    def _remove(self, now: float, flow: Flow) -> None:
        flow.timer_at = _NEVER  # Its entries among the times are worth nothing now.
        if self.flows.get(flow.key) is flow:
            del self.flows[flow.key]
            if flow.connection.state == states.TIME_WAIT:
                self.timewait.add(flow.key, flow.connection, now)

    # ---- time --------------------------------------------------------------------------------

    @property
    def deadline(self) -> float:
        """When `tick` has something to do."""
        return min(self.timers.deadline, self.openings.deadline, self.timewait.deadline)

    def tick(self, now: float) -> None:
        """Time has come to the deadline."""
        for flow in list(self.timers.due(now)):
            connection = flow.connection
            if connection.deadline <= now:
                connection.tick(now)
            if connection.events:
                self.touch(flow)
            deadline = connection.deadline
            if deadline < _NEVER:
                self.timers.set(flow, max(deadline, now))
        self.openings.tick(now)
        self.timewait.expire(now)

    def close(self) -> None:
        """The host is gone: peers are reset."""
        for listener in list(self.listeners):
            listener.close()
        for flow in list(self.flows.values()):
            if flow.connection.state in states.SYNCHRONIZED:
                flow.connection.reset()
            flow.connection.over(errno.ENETDOWN)
            self.touch(flow)


def _right(data: bytes, end: int) -> bool:
    """Whether TCP's checksum is right in a frame without options of IPv4 that ends at `end`."""
    length = end - _TCP_AT
    if length > _FEW:
        value = checksums.total(data[_ENDS_AT:end])
    else:
        value = int.from_bytes(data[_ENDS_AT:end], "big")
        if length & 1:
            value <<= 8
    return not (value + ipv4.TCP + length) % 0xFFFF


_GONE: Final = frozenset((states.CLOSED, states.TIME_WAIT))


def _strange(connection: Connection, segment: Segment) -> bool:
    """Whether a segment acknowledges what our SYN is not (a half-open peer: RFC 9293, 3.5.1)."""
    awaited = (connection.outbound.start + 1) & MASK
    return bool(segment.flags & tcp.ACK) and segment.acknowledgment != awaited
