"""TCP of a host: its connections by their ends, handshakes, listeners, TIME-WAIT, timers."""

import errno
import itertools
import random
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from cluster.network.stack.endhost.errors import IcmpError
from cluster.network.stack.endhost.flow import KEY, Flow, Framing, key, segment_of
from cluster.network.stack.endhost.listener import Listener, Request
from cluster.network.stack.endhost.ports import Ports, error
from cluster.network.stack.endhost.timers import Timers
from cluster.network.stack.endpoint import Endpoint
from cluster.network.stack.tcp import arrivals, states
from cluster.network.stack.tcp.connection import Connection
from cluster.network.stack.tcp.handshakes import Handshake, Handshakes
from cluster.network.stack.tcp.numbers import Numbers
from cluster.network.stack.tcp.segment import MASK, Segment
from cluster.network.stack.tcp.settings import Memory
from cluster.network.stack.tcp.timewait import TimeWait
from cluster.network.wire import checksums, ethernet, icmp, ipv4, tcp
from cluster.network.wire.frame import Frame

if TYPE_CHECKING:
    from cluster.network.stack.host import Host

_STAMPED: Final = struct.Struct("!12x3sxH2xHxB2x12sIIHH4xIII")
"""The kind of packet, its length, fragment, protocol and ends; of TCP all but checksum and urgency,
and twelve bytes of options.
"""
_KIND: Final = b"\x08\x00\x45"
"""IPv4 without options."""
_LEAD: Final = 0x0101080A
_TCP_AT: Final = ethernet.HEADER + ipv4.HEADER
_OPTIONS_AT: Final = _TCP_AT + tcp.HEADER
_STAMPED_AT: Final = _OPTIONS_AT + 12
_NEVER: Final = float("inf")


class _Arrival(NamedTuple):
    """A segment that belongs to no connection, whose it might be, and its frame."""

    name: bytes
    peer: Endpoint
    local: Endpoint
    segment: Segment
    data: bytes


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
        self.handshakes: Handshakes[bytes] = Handshakes()
        self.timewait: TimeWait[bytes] = TimeWait(self._settings.time_wait)
        self.timers = Timers()
        self._dirty: list[Flow] = []
        self._later: list[Callable[[float], None]] = []
        self._touched: dict[Flow, None] = {}
        self.on_request: Callable[[Request], None] | None = None
        """Decides about SYNs that no listener takes, where the host answers for every address."""
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
        flow = self._add(local, to, connection)
        connection.open()
        return flow

    def _ephemeral(self, now: float, address: int, to: Endpoint) -> int:
        return self.listeners.ephemeral(
            lambda port: self._usable(now, KEY.pack(to.address, address, to.port, port))
        )

    def _usable(self, now: float, name: bytes) -> bool:
        return name not in self.flows and self.timewait.reusable(name, now)

    def _add(self, local: Endpoint, peer: Endpoint, connection: Connection) -> Flow:
        hop = self._host.hop(peer.address)
        flow = Flow(local, peer, connection, hop, self._random.getrandbits(16))
        self.flows[flow.key] = flow
        dirty, host = self._dirty, self._host

        def wake() -> None:
            dirty.append(flow)
            if len(dirty) == 1:
                host.wanted()

        connection.attach(wake)
        return flow

    def _touch(self, flow: Flow) -> None:
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
            kind,
            whole,
            fragment,
            protocol,
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
        if flow is None or kind != _KIND or protocol != ipv4.TCP or fragment & 0x3FFF:
            return False
        if flow.connection.state == states.SYN_SENT:
            return False
        stamps = None
        sack: tuple[tuple[int, int], ...] = ()
        if bits >> 12 == 8 and lead == _LEAD:
            start = _STAMPED_AT
            stamps = value, echo
        else:
            start = _TCP_AT + (bits >> 12 << 2)
            options = tcp.options(data[_OPTIONS_AT:start])
            stamps, sack = options.timestamps, options.sack
        end = ethernet.HEADER + whole
        if end > len(data) or not _OPTIONS_AT <= start <= end or bits & tcp.SYN:
            return False
        if not frame.trusted and not self._valid(frame, end):
            return True
        connection = flow.connection
        payload = data[start:end]
        if sack or not arrivals.predicted(
            connection, now, bits, sequence, acknowledgment, window, payload, stamps
        ):
            connection.receive(
                now,
                Segment(bits & 0xFF, sequence, acknowledgment, window, payload, stamps, sack),
            )
        if connection.events:
            self._touched[flow] = None
        if connection.ack_at < flow.timer_at:
            self.timers.set(flow, connection.ack_at)
        return True

    def _valid(self, frame: Frame, end: int) -> bool:
        """Whether both checksums are right."""
        data = frame.data
        right = not int.from_bytes(data[ethernet.HEADER : _TCP_AT], "big") % 0xFFFF
        if right and not frame.csum_start:
            length = end - _TCP_AT
            value = int.from_bytes(data[26:end], "big")
            if length & 1:
                value <<= 8
            if len(data) > 4096:
                value = checksums.total(data[26:end])
            right = not (value + ipv4.TCP + length) % 0xFFFF
        if not right:
            self.bad_checksums += 1
        return right

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
                self._reject(now, peer, local, segment)
                return
            flow.connection.receive(now, segment)
            if flow.connection.events:
                self._touch(flow)
            if flow.connection.ack_at < flow.timer_at:
                self.timers.set(flow, flow.connection.ack_at)
        else:
            arrival = _Arrival(name, peer, local, segment, data)
            if not self._remembered(now, arrival):
                self._begin(now, arrival)

    def _remembered(self, now: float, arrival: _Arrival) -> bool:
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
            self._send(now, peer, local, remains.answer(now))
        return True

    def _begin(self, now: float, arrival: _Arrival) -> None:
        """A segment that belongs to no connection: of a handshake, or of nothing at all."""
        name, peer, local, segment, data = arrival
        flags = segment.flags
        handshake = self.handshakes.find(name)
        if handshake is not None and self._continue(now, handshake, arrival):
            return
        if flags & tcp.RST:
            return
        if flags & (tcp.SYN | tcp.ACK) != tcp.SYN:
            self._reject(now, peer, local, segment)
            return
        listener = self.listeners.find(local.address, local.port)
        if listener is not None:
            if listener.has_room:
                self._offer(now, arrival, listener)
        elif self.on_request is not None:
            made = self._handshake(now, arrival, None)
            self.on_request(Request(self, made, peer, local))
        elif not self._host.hold(now, ipv4.TCP, local, name, data):
            self._reject(now, peer, local, segment)

    def _offer(self, now: float, arrival: _Arrival, listener: Listener) -> None:
        def accepted(connection: Connection) -> bool:
            if not listener.has_room:
                return False
            listener.offer(self._established(arrival.name, connection))
            return True

        answer = self._handshake(now, arrival, accepted).answer(now, self._settings)
        self._send(now, arrival.peer, arrival.local, answer)

    def _handshake(
        self, now: float, arrival: _Arrival, accepted: Callable[[Connection], bool] | None
    ) -> Handshake[bytes]:
        made = Handshake(
            arrival.name,
            arrival.segment,
            now,
            start=self._numbers.start(now, arrival.name),
            clock=self._numbers.clock,
            mss=self._host.mss(arrival.peer.address),
            accepted=accepted,
        )
        self.handshakes.add(made)
        return made

    def _continue(self, now: float, handshake: Handshake[bytes], arrival: _Arrival) -> bool:
        """A segment of a handshake; whether it is dealt with."""
        _, peer, local, segment, _ = arrival
        flags = segment.flags
        if flags & tcp.RST:
            if segment.sequence == (handshake.peer_start + 1) & MASK:
                self.handshakes.remove(handshake.key)
            return True
        if flags & tcp.SYN:
            if segment.sequence != handshake.peer_start:
                self.handshakes.remove(handshake.key)
                return False
            if handshake.decided:
                self._send(now, peer, local, handshake.answer(now, self._settings))
            return True
        if not flags & tcp.ACK or not handshake.decided or not handshake.matches(segment):
            return False
        if len(self.flows) >= self._host.settings.most_flows:
            return True
        connection = handshake.connection(now, self._settings, self.memory)
        if handshake.accepted is None or not handshake.accepted(connection):
            return True  # no room: it asks again
        self.handshakes.remove(handshake.key)
        flow = self.flows.get(handshake.key)
        if flow is not None:
            connection.receive(now, segment)
            self._touch(flow)
        return True

    def _established(self, name: bytes, connection: Connection) -> Flow:
        peer, address, peer_port, port = KEY.unpack(name)
        return self._add(Endpoint(address, port), Endpoint(peer, peer_port), connection)

    def accept(self, now: float, handshake: Handshake[bytes]) -> Flow:
        """See `Request.accept`."""
        connection = Connection(
            self._settings,
            now,
            start=handshake.start,
            clock=handshake.clock,
            mss=handshake.mss,
            memory=self.memory,
        )
        flow = self._established(handshake.key, connection)
        connection.answer(handshake.syn(), now)
        return flow

    def later(self, call: Callable[[float], None]) -> None:
        """Do something with the next `pull`."""
        self._later.append(call)
        self._host.wanted()

    def refuse(self, now: float, handshake: Handshake[bytes]) -> None:
        """See `Request.refuse`."""
        peer, local = _ends(handshake)
        self._send(
            now,
            peer,
            local,
            Segment(tcp.RST | tcp.ACK, 0, (handshake.peer_start + 1) & MASK, 0),
        )

    def report(self, now: float, handshake: Handshake[bytes], code: int) -> None:
        """See `Request.unreachable`."""
        peer, local = _ends(handshake)
        ports = struct.pack("!HHI", peer.port, local.port, handshake.peer_start)
        about = ipv4.header(peer.address, local.address, ipv4.TCP, tcp.HEADER) + ports
        message = icmp.error(icmp.UNREACHABLE, code, about)
        self._host.send_packet(now, local.address, peer.address, ipv4.ICMP, message)

    def _reject(self, now: float, peer: Endpoint, local: Endpoint, segment: Segment) -> None:
        """Reset what belongs to no connection (RFC 9293, 3.10.7.1)."""
        if segment.flags & tcp.RST:
            return
        if segment.flags & tcp.ACK:
            answer = Segment(tcp.RST, segment.acknowledgment, 0, 0)
        else:
            taken = len(segment.payload) + bool(segment.flags & tcp.SYN)
            taken += segment.flags & tcp.FIN
            answer = Segment(tcp.RST | tcp.ACK, 0, (segment.sequence + taken) & MASK, 0)
        self._send(now, peer, local, answer)

    def _send(self, now: float, peer: Endpoint, local: Endpoint, segment: Segment) -> None:
        """Send a segment that is no connection's."""
        framing = Framing(local, peer)
        framing.lead(bytes(6), self._host.settings.mac)
        self._host.send_frame(now, peer.address, local.address, framing.frame(segment))

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
            self._touch(flow)

    def unreachable(self, name: bytes, number: int) -> None:
        """A packet of a connection found no neighbour."""
        flow = self.flows.get(name)
        if flow is not None:
            flow.connection.unreachable(number)
            self._touch(flow)

    # ---- what goes out -----------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether `pull` has anything to do."""
        return bool(self._dirty or self._touched or self._later)

    def pull(self, now: float, most: int = 1 << 30) -> None:
        """Tell those who watch, `most` of them, and send what is to go."""
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
                self._pull(now, flow)

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
        return min(self.timers.deadline, self.handshakes.deadline, self.timewait.deadline)

    def tick(self, now: float) -> None:
        """Time has come to the deadline."""
        for flow in list(self.timers.due(now)):
            connection = flow.connection
            if connection.deadline <= now:
                connection.tick(now)
            if connection.events:
                self._touch(flow)
            deadline = connection.deadline
            if deadline < _NEVER:
                self.timers.set(flow, max(deadline, now))
        for handshake in self.handshakes.due(now, self._settings):
            peer, local = _ends(handshake)
            self._send(now, peer, local, handshake.answer(now, self._settings))
        self.timewait.expire(now)

    def close(self) -> None:
        """The host is gone: peers are reset."""
        for listener in list(self.listeners):
            listener.close()
        for flow in list(self.flows.values()):
            if flow.connection.state in states.SYNCHRONIZED:
                flow.connection.reset()
            flow.connection.over(errno.ENETDOWN)
            self._touch(flow)


_GONE: Final = frozenset((states.CLOSED, states.TIME_WAIT))


def _ends(handshake: Handshake[bytes]) -> tuple[Endpoint, Endpoint]:
    peer, address, peer_port, port = KEY.unpack(handshake.key)
    return Endpoint(peer, peer_port), Endpoint(address, port)


def _strange(connection: Connection, segment: Segment) -> bool:
    """Whether a segment acknowledges what our SYN is not (a half-open peer: RFC 9293, 3.5.1)."""
    awaited = (connection.outbound.start + 1) & MASK
    return bool(segment.flags & tcp.ACK) and segment.acknowledgment != awaited
