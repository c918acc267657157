"""A host's stack: ARP, IPv4, ICMP, UDP and TCP on one interface. Pure: frames and time in and out.

`receive(now, frame)` takes frames, `pull(now)`, called after a batch of them and after whatever an
application did, tells those who watch and gives the frames that are to go. `tick(now)` is due at
`deadline`.

- TCP: `connect` and `listen` give a `Flow` and a `Listener`; `flow.connection` has `send`, `take`,
  `end`, `close`, `abort`, and `flow.watch(events)` is called within `pull`.
- UDP: `datagrams` gives a `Socket`. Pings: `echo`.
- Where nobody has a port, `on_unbound(protocol, target)` may say that somebody will: what came is
  then held until `listen` or `datagrams` takes the port, or `refuse_held`.
- With `Settings.any_address` it takes packets for every address: `on_request` decides about each
  SYN that no listener takes, `on_datagram` and `on_echo` have the rest; answers come from the
  address that was asked (`send_datagram`, `answer_echo`).

It is long, and stays one class: the host's face, and to whom each packet goes. What is then done
about a protocol is in `endhost`.
"""

import errno
import random
from collections.abc import Callable, Iterable
from typing import Final

from cluster.network.stack.allowance import Allowance
from cluster.network.stack.endhost.addressing import Addressing
from cluster.network.stack.endhost.datagrams import MAX_PAYLOAD, Received, Socket
from cluster.network.stack.endhost.echoes import Answer, Echo, Echoes
from cluster.network.stack.endhost.errors import IcmpError
from cluster.network.stack.endhost.flow import Flow
from cluster.network.stack.endhost.held import Held
from cluster.network.stack.endhost.listener import Listener, Request
from cluster.network.stack.endhost.neighbours import NEVER, Neighbours, led
from cluster.network.stack.endhost.paths import Paths
from cluster.network.stack.endhost.ports import Ports, error
from cluster.network.stack.endhost.settings import Settings
from cluster.network.stack.endhost.streams import Streams
from cluster.network.stack.endpoint import Endpoint
from cluster.network.stack.reassembly import Reassembly
from cluster.network.stack.tcp.settings import Memory
from cluster.network.wire import arp, ethernet, icmp, ipv4, mac, tcp, udp
from cluster.network.wire.frame import Frame

_ROUNDS: Final = 64
"""Turns of what the host sends to itself in one pull; the rest comes with the next."""
_FRAGMENTS: Final = 1 << 20
"""Bytes of packets that are not whole yet; less than Linux has, for there are many hosts."""
_NOWHERE: Final = bytes(6)
_IPV4: Final = b"\x08\x00"


def _nothing() -> None:
    """Nobody asked to be told."""


class Host:
    """One host. See the module."""

    def __init__(
        self, settings: Settings, generator: random.Random, memory: Memory | None = None
    ) -> None:
        self.settings = settings
        self._generator = generator
        self.addressing = Addressing(settings)
        self._own = self.addressing.own
        self._out: list[Frame] = []
        self._local: list[Frame] = []
        self.neighbours = Neighbours(settings.mac)
        self._reassembly = Reassembly(largest=_FRAGMENTS)
        self._echoes = Echoes(generator.getrandbits(16))
        self._held = Held()
        self._paths = Paths(settings.mtu)
        self._allowance = Allowance()
        self._identification = generator.getrandbits(16)
        self.udp: Ports[Socket] = Ports(generator)
        self.tcp = Streams(self, generator, memory if memory is not None else Memory())
        self.wanted: Callable[[], None] = _nothing
        """Called when there is something to pull, often more than once."""
        self.malformed = 0
        """Packets that nothing could be made of."""
        self.on_unbound: Callable[[int, Endpoint], bool] | None = None
        self.on_datagram: Callable[[bytes, Endpoint, Endpoint], None] | None = None
        """(payload, source, target); called within `receive`."""
        self.on_echo: Callable[[float, int, int, icmp.Message], None] | None = None
        """(now, source, target, request); called within `receive`."""

    # ---- sockets -----------------------------------------------------------------------------

    @property
    def on_request(self) -> Callable[[Request], None] | None:
        """Decides, within `receive` or later, about SYNs that no listener takes."""
        return self.tcp.openings.on_request

    @on_request.setter
    def on_request(self, decide: Callable[[Request], None] | None) -> None:
        self.tcp.openings.on_request = decide

    def connect(self, now: float, to: Endpoint, source: Endpoint | None = None) -> Flow:
        """Begin a connection: the events CONNECTED or FAILED follow. OSError ENETUNREACH,
        EADDRNOTAVAIL, EADDRINUSE.
        """
        local = source or Endpoint(0, 0)
        address = self.addressing.source(local.address, to.address)
        return self.tcp.connect(now, Endpoint(address, local.port), to)

    def listen(self, now: float, port: int, address: int = 0, backlog: int = 128) -> Listener:
        """Listen at a port (0: a free one) of an address (0: of all). OSError EADDRINUSE,
        EADDRNOTAVAIL.
        """
        self.addressing.check(address)
        made = self.tcp.listen(Endpoint(address, port), backlog)
        self._release(now, ipv4.TCP, made.local.port)
        return made

    def datagrams(
        self,
        now: float,
        received: Received,
        failed: Callable[[IcmpError], None] | None = None,
        port: int = 0,
        address: int = 0,
    ) -> Socket:
        """A UDP socket. OSError as `listen`."""
        self.addressing.check(address)
        made = Socket(
            self, Endpoint(address, port or self.udp.ephemeral(lambda _: True)), received, failed
        )
        self.udp.bind(made.local, made)
        self._release(now, ipv4.UDP, made.local.port)
        return made

    def echo(
        self,
        now: float,
        target: int,
        answered: Callable[[Answer], None],
        *,
        size: int = 56,
        ttl: int = 64,
        sequence: int = 1,
        source: int = 0,
    ) -> Echo:
        """Ping: send an echo request with `size` bytes. OSError ENETUNREACH, EMSGSIZE."""
        if not 0 <= size <= MAX_PAYLOAD:
            raise error(errno.EMSGSIZE)
        address = self.addressing.source(source, target)
        made = self._echoes.make(now, answered)
        payload = bytes(index & 0xFF for index in range(min(size, 256))) * (size // 256 + 1)
        rest = made.identifier << 16 | sequence & 0xFFFF
        message = icmp.build(icmp.ECHO_REQUEST, 0, rest, payload[:size])
        self.send_packet(now, address, target, ipv4.ICMP, message, ttl=ttl)
        return made

    # ---- what is sent ------------------------------------------------------------------------

    def send_datagram(
        self, now: float, data: bytes, source: Endpoint, target: Endpoint, *, ttl: int = 64
    ) -> None:
        """Send a UDP datagram, from any address where the host answers for all. OSError EMSGSIZE,
        ENETUNREACH, EADDRNOTAVAIL.
        """
        if len(data) > MAX_PAYLOAD:
            raise error(errno.EMSGSIZE)
        address = self.addressing.source(source.address, target.address)
        message = udp.build(address, target.address, source.port, target.port, data)
        self.send_packet(now, address, target.address, ipv4.UDP, message, ttl=ttl)

    def answer_echo(
        self, now: float, source: int, target: int, request: icmp.Message, data: bytes
    ) -> None:
        """Send an echo reply from `source` to `target`, with `data`."""
        message = icmp.build(icmp.ECHO_REPLY, 0, request.rest, data)
        self.send_packet(now, source, target, ipv4.ICMP, message)

    def send_packet(
        self,
        now: float,
        source: int,
        target: int,
        protocol: int,
        payload: bytes,
        *,
        ttl: int = 64,
    ) -> None:
        """Send an IPv4 packet, in fragments where it has to be. What has no route is lost."""
        self._identification = (self._identification + 1) & 0xFFFF
        long = len(payload) + ipv4.HEADER > self._paths.mtu(target)
        header = ipv4.header(
            source,
            target,
            protocol,
            len(payload),
            ttl=ttl,
            identification=self._identification,
            fragment=0 if long else ipv4.DONT_FRAGMENT,
        )
        packet = header + payload
        pieces = ipv4.fragments(packet, self._paths.mtu(target)) if long else [packet]
        for piece in pieces:
            data = ethernet.build(_NOWHERE, self.settings.mac, ethernet.IPV4, piece)
            self.send_frame(now, target, source, Frame(data, trusted=True))

    def send_frame(self, now: float, target: int, source: int, frame: Frame) -> None:
        """Send a frame without its destination to who takes packets for `target`."""
        if self.addressing.is_here(target):
            self._local.append(frame)
            self.wanted()
            return
        hop = self.settings.hop(target)
        if not hop and not self.settings.gateway_mac:
            return
        destination = self.neighbour(now, hop, source)
        if destination:
            self._out.append(led(destination, frame))
        elif hop:
            self.neighbours.wait(hop, frame)
        self.wanted()

    def neighbour(self, now: float, hop: int, source: int) -> bytes:
        """The Ethernet address of a hop; b"" where it is not known yet (or is nobody's: 0)."""
        if self.settings.gateway_mac:
            return self.settings.gateway_mac
        return self.neighbours.find(now, hop, source or self.addressing.first) if hop else b""

    def lead(self, now: float, flow: Flow) -> None:
        """Find where the frames of a flow go."""
        found = self.neighbour(now, flow.hop, flow.local.address)
        if found != flow.framing.destination or not found:
            flow.framing.lead(found, self.settings.mac)
        flow.generation = self.neighbours.generation
        flow.until = (
            self.neighbours.until(now, flow.hop) if not self.settings.gateway_mac else NEVER
        )

    def emit(self, flow: Flow, frame: Frame) -> None:
        """A frame of a flow: for the link, this host itself, or for when its hop is known."""
        if not flow.hop and self.addressing.is_here(flow.peer.address):
            self._local.append(frame)
        elif flow.framing.destination:
            self._out.append(frame)
        elif flow.hop:
            self.neighbours.wait(flow.hop, frame)

    def mss(self, target: int) -> int:
        """The longest TCP payload, with options, of a packet to an address."""
        return self._paths.mtu(target) - ipv4.HEADER - tcp.HEADER

    # ---- what arrives ------------------------------------------------------------------------

    def receive(self, now: float, frame: Frame) -> None:
        """Take a frame; whatever it is, nothing is raised."""
        self.receive_all(now, (frame,))

    def receive_all(self, now: float, frames: Iterable[Frame]) -> None:
        """Take frames that came together."""
        own, known = self.settings.mac, self.tcp.fast
        for frame in frames:
            if not frame.data.startswith(own):
                if self._concerns(frame.data):
                    self._take(now, frame)
            elif not known(now, frame):
                self._take(now, frame)

    def _take(self, now: float, frame: Frame) -> None:
        """A frame for us that is no connection's, or an odd one."""
        data = frame.data
        if data[12:14] == _IPV4:
            self._packet(now, frame)
        elif data[12:14] == b"\x08\x06":
            self._arp(now, data)

    def _concerns(self, data: bytes) -> bool:
        """Whether a frame is for this host, by its destination."""
        return len(data) >= ethernet.HEADER and data.startswith(mac.BROADCAST)

    def _arp(self, now: float, data: bytes) -> None:
        packet = arp.parse(data)
        if packet is None:
            self.malformed += 1
            return
        ours = packet.target in self._own
        # As a proxy it answers for all, but not for who announces himself or asks for himself.
        proxied = self.settings.any_address and packet.sender not in (0, packet.target)
        self._out.extend(self.neighbours.heard(now, packet, ours=ours or proxied))
        if packet.operation == arp.REQUEST and (ours or proxied):
            self._out.append(Frame(arp.reply(packet, self.settings.mac)))

    def _packet(self, now: float, frame: Frame) -> None:
        data = frame.data
        header = ipv4.parse(data, verify=not frame.trusted)
        if header is None:
            self.malformed += 1
            return
        target = header.destination
        if target not in self._own and not self.settings.any_address:
            return  # no router
        if header.source >> 28 >= 0xE:
            return
        if header.is_fragment:
            whole = self._reassembly.add(now, data, header)
            parsed = ipv4.parse(whole) if whole is not None else None
            if whole is None or parsed is None:
                return
            frame, header = Frame(whole, trusted=frame.trusted and not frame.csum_start), parsed
        match header.protocol:
            case ipv4.TCP:
                self.tcp.receive(now, frame, header)
            case ipv4.UDP:
                self._datagram(now, frame, header)
            case ipv4.ICMP:
                self._icmp(now, frame, header)
            case _:
                self._report(now, frame.data, header, icmp.PROTOCOL_UNREACHABLE)

    def _datagram(self, now: float, frame: Frame, header: ipv4.Header) -> None:
        data = frame.data
        found = udp.parse(data, header.payload, header.end)
        trusted = frame.trusted or frame.csum_start
        if found is None or not (
            trusted or udp.valid(data, header.source, header.destination, found)
        ):
            self.malformed += 1
            return
        source = Endpoint(header.source, found.source)
        target = Endpoint(header.destination, found.destination)
        payload = data[found.payload : found.end]
        socket = self.udp.find(target.address, target.port)
        if socket is not None:
            socket.received(payload, source, target)
        elif self.on_datagram is not None:
            self.on_datagram(payload, source, target)
        elif not self.hold(now, ipv4.UDP, target, b"", data):
            self._report(now, data, header, icmp.PORT_UNREACHABLE)

    def _icmp(self, now: float, frame: Frame, header: ipv4.Header) -> None:
        message = icmp.parse(frame.data, header.payload, header.end)
        if message is None:
            self.malformed += 1
        elif message.type == icmp.ECHO_REQUEST:
            if self.on_echo is not None and header.destination not in self._own:
                self.on_echo(now, header.source, header.destination, message)
            else:
                source, target = header.destination, header.source
                self.answer_echo(now, source, target, message, message.payload)
        elif message.type == icmp.ECHO_REPLY:
            self._echoes.answer(now, message.identifier, message, header)
        elif message.type in icmp.ERRORS:
            self._failed(now, message, header)

    def _failed(self, now: float, message: icmp.Message, header: ipv4.Header) -> None:
        """An error about something that we sent."""
        quoted = icmp.quoted(message)
        if quoted is None or message.type == icmp.REDIRECT:
            return
        body = message.payload[quoted.payload : quoted.payload + 8]
        first, second = int.from_bytes(body[:2], "big"), int.from_bytes(body[2:4], "big")
        found = IcmpError(
            message.type,
            message.code,
            header.source,
            Endpoint(quoted.source, first),
            Endpoint(quoted.destination, second),
            message.mtu if message.code == icmp.FRAGMENTATION_NEEDED else 0,
        )
        if found.number == errno.EMSGSIZE:
            whole = int.from_bytes(message.payload[2:4], "big")
            self._paths.too_big(now, quoted.destination, found.mtu, whole)
        if quoted.protocol == ipv4.TCP:
            self.tcp.failed(found, int.from_bytes(body[4:8], "big"))
        elif quoted.protocol == ipv4.UDP:
            socket = self.udp.find(quoted.source, first)
            if socket is not None and socket.failed is not None:
                socket.failed(found)
        elif quoted.protocol == ipv4.ICMP and body[:1] == bytes((icmp.ECHO_REQUEST,)):
            self._echoes.answer(now, int.from_bytes(body[4:6], "big"), message, header)

    def _report(self, now: float, data: bytes, header: ipv4.Header, code: int) -> None:
        """Tell a sender that its packet cannot be delivered."""
        if icmp.may_be_answered_by_error(data, header) and self._allowance.take(now):
            message = icmp.error(icmp.UNREACHABLE, code, data[header.offset : header.end])
            self.send_packet(now, header.destination, header.source, ipv4.ICMP, message)

    # ---- sleepers ----------------------------------------------------------------------------

    def hold(self, now: float, protocol: int, target: Endpoint, name: bytes, data: bytes) -> bool:
        """Hold a frame for a port that nobody has yet; False where nobody will."""
        if self.on_unbound is None or not self.on_unbound(protocol, target):
            return False
        self._held.keep(now, (protocol, target.port), name, data)
        return True

    def refuse_held(self, now: float, protocol: int, port: int) -> None:
        """Nobody will take a port: what came for it is refused."""
        unbound, self.on_unbound = self.on_unbound, None
        self._release(now, protocol, port)
        self.on_unbound = unbound

    def _release(self, now: float, protocol: int, port: int) -> None:
        for data in self._held.release((protocol, port)):
            self._packet(now, Frame(data, trusted=True))

    # ---- going on ----------------------------------------------------------------------------

    def pull(self, now: float, most: int = 1 << 30) -> list[Frame]:
        """Tell those who watch; the frames that are to go out.

        With `most` so many connections' users are told; while `busy` others wait for it.
        """
        for _ in range(_ROUNDS):
            if self.tcp.busy:
                self.tcp.pull(now, most)
            if not self._local:
                break
            local, self._local = self._local, []
            for frame in local:
                self._loop(now, frame)
        if self.neighbours.questions:
            self._out[:0] = self.neighbours.questions
            self.neighbours.questions = []
        if not self._out:
            return []
        out, self._out = self._out, []
        return out

    @property
    def busy(self) -> bool:
        """Whether `pull` is to be called at once."""
        return bool(self.tcp.busy or self._local)

    def _loop(self, now: float, frame: Frame) -> None:
        """A frame to ourselves."""
        if not self.tcp.fast(now, frame):
            self._packet(now, frame)

    @property
    def deadline(self) -> float | None:
        """When `tick` is due; None where nothing is waited for."""
        found = self.tcp.deadline
        if self.neighbours.asking:
            found = min(found, self.neighbours.deadline)
        if self._held:
            found = min(found, self._held.deadline)
        partial = self._reassembly.deadline
        if partial is not None:
            found = min(found, partial)
        if self._local:
            found = 0.0
        return found if found != float("inf") else None

    def tick(self, now: float) -> None:
        """Time has come to the deadline; `pull` has what follows."""
        self.tcp.tick(now)
        if self.neighbours.asking:
            for _, frames in self.neighbours.tick(now, self.addressing.first):
                for frame in frames:
                    self._nobody(now, frame)
        for data in self._reassembly.tick(now):
            header = ipv4.parse(data, verify=False)
            if header is not None and self._allowance.take(now):
                about = data[header.offset :]
                message = icmp.error(icmp.TIME_EXCEEDED, icmp.REASSEMBLY_TIME_EXCEEDED, about)
                self.send_packet(now, header.destination, header.source, ipv4.ICMP, message)
        self._held.expire(now)

    def _nobody(self, now: float, frame: Frame) -> None:
        """A packet of ours found nobody: who sent it is told as if a router had said so."""
        header = ipv4.parse(frame.data, verify=False)
        if header is None:
            return
        quoted = frame.data[header.offset : header.end]
        message = icmp.Message(icmp.UNREACHABLE, icmp.HOST_UNREACHABLE, 0, quoted[: icmp.QUOTED])
        if icmp.may_be_answered_by_error(frame.data, header):
            told = header._replace(end=header.payload + len(quoted))
            self._failed(now, message, told)

    def close(self) -> None:
        """The host is gone: connections are reset with the last `pull`, and sockets closed."""
        self.tcp.close()
        for socket in list(self.udp):
            socket.close()
