"""How connections with a host begin that others want: SYNs, handshakes, refusals; and what else is
said to segments of no connection.
"""

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from cluster.network.stack.endhost.flow import KEY, Flow, Framing
from cluster.network.stack.endhost.listener import Listener, Request
from cluster.network.stack.endpoint import Endpoint
from cluster.network.stack.tcp.connection import Connection
from cluster.network.stack.tcp.handshakes import Handshake, Handshakes
from cluster.network.stack.tcp.numbers import Numbers
from cluster.network.stack.tcp.segment import MASK, Segment
from cluster.network.wire import icmp, ipv4, tcp

if TYPE_CHECKING:
    from cluster.network.stack.endhost.streams import Streams
    from cluster.network.stack.host import Host


class Arrival(NamedTuple):
    """A segment that belongs to no connection, whose it might be, and its frame."""

    name: bytes
    peer: Endpoint
    local: Endpoint
    segment: Segment
    data: bytes


class Openings:
    """The handshakes of a host that others began."""

    def __init__(self, streams: "Streams", host: "Host", numbers: Numbers) -> None:
        self._streams = streams
        self._host = host
        self._settings = host.settings.tcp
        self._numbers = numbers
        self.handshakes: Handshakes[bytes] = Handshakes()
        self.on_request: Callable[[Request], None] | None = None
        """Decides about SYNs that no listener takes, where the host answers for every address."""

    @property
    def deadline(self) -> float:
        """When `tick` has something to do."""
        return self.handshakes.deadline

    def tick(self, now: float) -> None:
        """Answer again whoever has not heard."""
        for handshake in self.handshakes.due(now, self._settings):
            peer, local = _ends(handshake)
            self.send(now, peer, local, handshake.answer(now, self._settings))

    def begin(self, now: float, arrival: Arrival) -> None:
        """A segment that belongs to no connection: of a handshake, or of nothing at all."""
        name, peer, local, segment, data = arrival
        flags = segment.flags
        handshake = self.handshakes.find(name)
        if handshake is not None and self._continue(now, handshake, arrival):
            return
        if flags & tcp.RST:
            return
        if flags & (tcp.SYN | tcp.ACK) != tcp.SYN:
            self.reject(now, peer, local, segment)
            return
        listener = self._streams.listeners.find(local.address, local.port)
        if listener is not None:
            if listener.has_room:
                self._offer(now, arrival, listener)
        elif self.on_request is not None:
            made = self._handshake(now, arrival, None)
            self.on_request(Request(self, made, peer, local))
        elif not self._host.hold(now, ipv4.TCP, local, name, data):
            self.reject(now, peer, local, segment)

    def _offer(self, now: float, arrival: Arrival, listener: Listener) -> None:
        def accepted(connection: Connection) -> bool:
            if not listener.has_room:
                return False
            listener.offer(self._established(arrival.name, connection))
            return True

        answer = self._handshake(now, arrival, accepted).answer(now, self._settings)
        self.send(now, arrival.peer, arrival.local, answer)

    def _handshake(
        self, now: float, arrival: Arrival, accepted: Callable[[Connection], bool] | None
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

    def _continue(self, now: float, handshake: Handshake[bytes], arrival: Arrival) -> bool:
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
                self.send(now, peer, local, handshake.answer(now, self._settings))
            return True
        if not flags & tcp.ACK or not handshake.decided or not handshake.matches(segment):
            return False
        if len(self._streams.flows) >= self._host.settings.most_flows:
            return True
        connection = handshake.connection(now, self._settings, self._streams.memory)
        if handshake.accepted is None or not handshake.accepted(connection):
            return True  # no room: it asks again
        self.handshakes.remove(handshake.key)
        flow = self._streams.flows.get(handshake.key)
        if flow is not None:
            connection.receive(now, segment)
            self._streams.touch(flow)
        return True

    def _established(self, name: bytes, connection: Connection) -> Flow:
        peer, address, peer_port, port = KEY.unpack(name)
        return self._streams.add(Endpoint(address, port), Endpoint(peer, peer_port), connection)

    def accept(self, now: float, handshake: Handshake[bytes]) -> Flow:
        """See `Request.accept`."""
        connection = Connection(
            self._settings,
            now,
            start=handshake.start,
            clock=handshake.clock,
            mss=handshake.mss,
            memory=self._streams.memory,
        )
        flow = self._established(handshake.key, connection)
        connection.answer(handshake.syn(), now)
        return flow

    def refuse(self, now: float, handshake: Handshake[bytes]) -> None:
        """See `Request.refuse`."""
        peer, local = _ends(handshake)
        self.send(
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

    def reject(self, now: float, peer: Endpoint, local: Endpoint, segment: Segment) -> None:
        """Reset what belongs to no connection (RFC 9293, 3.10.7.1)."""
        if segment.flags & tcp.RST:
            return
        if segment.flags & tcp.ACK:
            answer = Segment(tcp.RST, segment.acknowledgment, 0, 0)
        else:
            taken = len(segment.payload) + bool(segment.flags & tcp.SYN)
            taken += segment.flags & tcp.FIN
            answer = Segment(tcp.RST | tcp.ACK, 0, (segment.sequence + taken) & MASK, 0)
        self.send(now, peer, local, answer)

    def send(self, now: float, peer: Endpoint, local: Endpoint, segment: Segment) -> None:
        """Send a segment that is no connection's."""
        framing = Framing(local, peer)
        framing.lead(bytes(6), self._host.settings.mac)
        self._host.send_frame(now, peer.address, local.address, framing.frame(segment))

    def later(self, call: Callable[[float], None]) -> None:
        """See `Streams.later`."""
        self._streams.later(call)


def _ends(handshake: Handshake[bytes]) -> tuple[Endpoint, Endpoint]:
    peer, address, peer_port, port = KEY.unpack(handshake.key)
    return Endpoint(peer, peer_port), Endpoint(address, port)
