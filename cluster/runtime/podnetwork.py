"""Pods' network namespaces inside one runtime process.

A namespace is made when somebody looks at it: a pod at rest has none, only its addresses are known
here. Pods of the node's own network share one. Whoever connects to a port on which nothing listens
asks the pod first (`Occupant`): a server that sleeps there is woken, and one that answers by itself
answers. `podbridge` leads from one to another.
"""

import asyncio
import errno
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from cluster.runtime import podlinks, portbinding
from cluster.runtime.podsockets import Answered, Answering, Listening, Tcp, Udp, pair
from cluster.runtime.vos import sockets
from cluster.runtime.vos.sockets import Endpoint, Open, Stream
from cluster.runtime.vos.waiting import Waiters

if TYPE_CHECKING:
    from cluster.runtime.podbridge import Bridge

MAX_CONNECTIONS: Final = 4096
MAX_LISTENERS: Final = 1024
MAX_DATAGRAM_SOCKETS: Final = 1024
CONNECT_SECONDS: Final = 20.0
"""How long a connection waits for room in a backlog."""
_EPHEMERAL: Final = (32768, 60999)
"""net.ipv4.ip_local_port_range."""
_HOP_SECONDS: Final = 0.00005


class Occupant(Protocol):
    """Who is in a pod, besides those who listen."""

    def answers(self, port: int) -> tuple[object, Answering] | None:
        """A new connection to a server that answers by itself, and whose it is; None: there is
        none.
        """

    def asleep(self) -> bool:
        """Whether somebody could be woken."""

    async def wake(self, port: int) -> None:
        """Wake who would listen on a port, and wait until he does, or will not."""

    def leave(self) -> None:
        """The pod is gone: nobody is in it."""


class Uplink(Protocol):
    """A pod's stack, which leads to whatever is not the pod itself (`runtime.network`)."""

    async def connect(self, address: str, port: int) -> Stream:
        """A connection. OSError as `sockets.Network.connect`."""

    def send(self, socket: Udp, data: bytes, to: Endpoint) -> None:
        """Send a datagram of a socket. OSError."""

    async def echo(self, address: str, size: int, ttl: int) -> sockets.Answer:
        """Wait for the answer to a ping. OSError EHOSTUNREACH."""

    def opened(self, socket: Listening | Udp) -> None:
        """A port of the pod is taken. Those that were taken before are the namespace's `bound`."""

    def shut(self, socket: Listening | Udp) -> None:
        """It is free again."""

    def open_sockets(self) -> Sequence[Open]:
        """Its connections, as rows."""

    def break_answered(self, owner: object) -> None:
        """Who answered by itself is gone: its connections are reset."""

    def close(self) -> None:
        """The pod is gone."""


class Nobody:
    """A pod without anybody. See Occupant."""

    def answers(self, port: int) -> tuple[object, Answering] | None:
        """See Occupant."""
        return None

    def asleep(self) -> bool:
        """See Occupant."""
        return False

    async def wake(self, port: int) -> None:
        """See Occupant."""

    def leave(self) -> None:
        """See Occupant."""


class Namespace:
    """A pod's network. See `sockets.Network`."""

    def __init__(self, bridge: "Bridge", addresses: Sequence[str], occupant: Occupant) -> None:
        self.addresses = tuple(addresses)
        self._bridge = bridge
        self.occupant = occupant
        self._listeners: dict[int, dict[str, Listening]] = {}
        self._udp: dict[int, dict[str, Udp]] = {}
        self._streams: dict[Tcp | Answered, None] = {}
        self._ports: dict[int, int] = {}
        """How many connections use a local port."""
        self._next = _EPHEMERAL[0]
        self.changed = Waiters()
        """Wakes those who wait for somebody to listen."""
        self.closed = False
        self._uplink: Uplink | None = None

    def _interfaces(self) -> list[str]:
        return [f"{one}/{self._bridge.prefix(one)}" for one in self.addresses]

    def links(self) -> Sequence[sockets.Link]:
        """See Network."""
        overlay = self._bridge.overlay
        if overlay is not None:
            return overlay.links(self, self._interfaces())
        return podlinks.links(self._interfaces())

    def routes(self) -> Sequence[sockets.Route]:
        """See Network."""
        overlay = self._bridge.overlay
        if overlay is not None:
            return overlay.routes(self, self._interfaces())
        return podlinks.routes(self._interfaces())

    def neighbours(self) -> Sequence[sockets.Neighbour]:
        """See Network."""
        overlay = self._bridge.overlay
        return overlay.neighbours(self) if overlay is not None else ()

    # ---- streams -----------------------------------------------------------------------------

    def uplink(self) -> Uplink | None:
        """The pod's stack, made when it is first needed; None where there is no overlay."""
        overlay = self._bridge.overlay
        if self._uplink is None and overlay is not None and not self.closed:
            self._uplink = overlay.uplink(self)
        return self._uplink

    def unplug(self) -> None:
        """The overlay is no more, and with it the pod's stack."""
        uplink, self._uplink = self._uplink, None
        if uplink is not None:
            uplink.close()

    def _beyond(self) -> Uplink:
        """What leads off the pod. OSError EHOSTUNREACH where nothing does."""
        found = self.uplink()
        if found is None:
            raise sockets.error(errno.EHOSTUNREACH)
        return found

    async def connect(self, address: str, port: int) -> Stream:
        """See Network."""
        self._check_open()
        address = portbinding.plain(address)
        target = self._target(address)
        if target is None:
            return await self._beyond().connect(address, port)
        listener = await target.found(address, port)
        if listener is None:
            made = target.answered(address, port, self)
            if made is not None:
                return made
            if self._translates(address):
                return await self._beyond().connect(address, port)
            raise sockets.error(errno.ECONNREFUSED)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                if not await listener.room():
                    raise sockets.error(errno.ECONNREFUSED)
        except TimeoutError:
            raise sockets.error(errno.ETIMEDOUT) from None
        return self._joined(target, listener, Endpoint(address, port))

    def _translates(self, address: str) -> bool:
        """Whether an own address may lead elsewhere at ports that are nobody's here: node ports."""
        overlay = self._bridge.overlay
        if overlay is None or ":" in address or portbinding.is_loopback(address):
            return False
        return overlay.translates(self)

    def _joined(self, target: "Namespace", listener: Listening, to: Endpoint) -> Tcp:
        local = self.client(to.address)
        target.room()
        ours, theirs = pair(local, to, self._bridge.buffers, (self.gone, target.gone))
        self.took(ours)
        target.took(theirs)
        listener.offer(theirs)
        return ours

    def listens(self, port: int) -> bool:
        """Whether a port is taken, by a listener or for datagrams."""
        return port in self._listeners or port in self._udp

    async def found(self, address: str, port: int) -> Listening | None:
        """Who listens there; who sleeps is woken first."""
        found = self._listener(address, port)
        if found is None and self.occupant.asleep():
            await self.occupant.wake(port)
            found = self._listener(address, port)
        return found

    def answered(self, address: str, port: int, client: "Namespace") -> Answered | None:
        """A connection to what answers by itself on a port."""
        made = self.occupant.answers(port)
        if made is None:
            return None
        self.room()
        local = client.client(address)
        owner, server = made
        stream = Answered(local, Endpoint(address, port), server, owner, self._forget)
        self._streams[stream] = None
        return stream

    def listen(self, port: int, address: str = "", backlog: int = sockets.BACKLOG) -> Listening:
        """See Network."""
        address = self._bindable(address)
        if len(self._listeners) >= MAX_LISTENERS:
            raise sockets.error(errno.EMFILE)
        port = port or self._free(self._listeners)
        portbinding.check(self._listeners, port, address)
        made = Listening(Endpoint(address, port), backlog, on_closed=self._unlisten)
        self._listeners.setdefault(port, {})[address] = made
        self._opened(made)
        return made

    def _opened(self, socket: Listening | Udp) -> None:
        if self._uplink is not None:
            self._uplink.opened(socket)
        self.changed.wake()

    @property
    def bound(self) -> Iterator[Listening | Udp]:
        """Who has ports of the pod."""
        for listeners in self._listeners.values():
            yield from listeners.values()
        for sockets_ in self._udp.values():
            yield from sockets_.values()

    def has_bound(self, address: str, port: int, *, stream: bool) -> bool:
        """Whether somebody is at a port of an address: a listener, or who takes datagrams."""
        if stream:
            return self._listener(address, port) is not None
        return portbinding.find(self._udp, address, port) is not None

    def _unlisten(self, listener: Listening) -> None:
        portbinding.drop(self._listeners, listener.local)
        if self._uplink is not None:
            self._uplink.shut(listener)

    def _listener(self, address: str, port: int) -> Listening | None:
        return portbinding.find(self._listeners, address, port)

    def room(self) -> None:
        """OSError where there are too many connections already."""
        self._check_open()
        if len(self._streams) >= MAX_CONNECTIONS:
            raise sockets.error(errno.ETIMEDOUT)

    def client(self, to: str) -> Endpoint:
        """A new client's own end."""
        if len(self._streams) >= MAX_CONNECTIONS:
            raise sockets.error(errno.EADDRNOTAVAIL)
        return Endpoint(self.source(to), self._free(self._listeners))

    def took(self, stream: Tcp) -> None:
        """One end of a connection is here from now on."""
        self._streams[stream] = None
        port = stream.local.port
        self._ports[port] = self._ports.get(port, 0) + 1

    def gone(self, stream: Tcp) -> None:
        """It is here no more."""
        self._streams.pop(stream, None)
        port = stream.local.port
        left = self._ports.get(port, 0) - 1
        if left > 0:
            self._ports[port] = left
        else:
            self._ports.pop(port, None)

    def _forget(self, stream: Answered) -> None:
        self._streams.pop(stream, None)

    # ---- datagrams ---------------------------------------------------------------------------

    def datagrams(self, port: int = 0, address: str = "") -> Udp:
        """See Network."""
        address = self._bindable(address)
        if len(self._udp) >= MAX_DATAGRAM_SOCKETS:
            raise sockets.error(errno.EMFILE)
        port = port or self._free(self._udp)
        portbinding.check(self._udp, port, address)
        made = Udp(Endpoint(address, port), self._send, on_closed=self._unbind)
        self._udp.setdefault(port, {})[address] = made
        self._opened(made)
        return made

    def _unbind(self, socket: Udp) -> None:
        portbinding.drop(self._udp, socket.local)
        if self._uplink is not None:
            self._uplink.shut(socket)

    def _send(self, socket: Udp, data: bytes, to: Endpoint) -> None:
        address = portbinding.plain(to.address)
        target = self._target(address)
        if target is None:
            self._beyond().send(socket, data, Endpoint(address, to.port))
            return
        bound = socket.local.address
        sender = Endpoint(
            self.source(address) if bound in portbinding.ANY else bound, socket.local.port
        )
        if not target.deliver(data, sender, Endpoint(address, to.port)):
            if target.occupant.asleep():
                self._bridge.later(target, data, sender, Endpoint(address, to.port), socket)
            else:
                socket.refuse()

    def deliver(self, data: bytes, sender: Endpoint, to: Endpoint) -> bool:
        """Hand a datagram to who has its port; whether somebody has."""
        found = portbinding.find(self._udp, to.address, to.port)
        if found is not None:
            found.deliver(data, sender)
        return found is not None

    async def awake(self, port: int) -> None:
        """Wake who would have a port."""
        await self.occupant.wake(port)

    # ---- all ---------------------------------------------------------------------------------

    async def echo(
        self,
        address: str,
        size: int = 56,
        *,
        ttl: int = sockets.TTL,
        timeout: float = 10.0,  # noqa: ASYNC109
    ) -> sockets.Answer:
        """See Network."""
        self._check_open()
        address = portbinding.plain(address)
        async with asyncio.timeout(timeout):
            if self._target(address) is None:
                return await self._beyond().echo(address, size, ttl)
            loop = asyncio.get_running_loop()
            begun = loop.time()
            await asyncio.sleep(_HOP_SECONDS)
        return sockets.Answer(address, 0, 0, loop.time() - begun, sockets.TTL, size + 8)

    def open_sockets(self) -> Sequence[Open]:
        """See Network."""
        rows = [
            Open("tcp", one.local, None, "LISTEN", one.waiting)
            for bound in self._listeners.values()
            for one in bound.values()
        ]
        rows += [
            Open("tcp", one.local, one.peer, one.state, one.waiting)
            for one in self._streams
            if isinstance(one, Tcp)
        ]
        rows += [
            Open("udp", one.local, None, "", one.waiting)
            for bound in self._udp.values()
            for one in bound.values()
        ]
        return [*rows, *(self._uplink.open_sockets() if self._uplink is not None else ())]

    def source(self, to: str) -> str:
        """The address that who connects to `to` is seen by."""
        if portbinding.is_loopback(to):
            return to
        family = ":" in to
        return next((one for one in self.addresses if (":" in one) == family), to)

    def break_answered(self, owner: object) -> None:
        """Who answered by itself is gone: its connections are reset."""
        for stream in list(self._streams):
            if isinstance(stream, Answered) and stream.owner is owner:
                stream.break_off()
        if self._uplink is not None:
            self._uplink.break_answered(owner)

    def close(self) -> None:
        """The pod is gone, with all its sockets; peers are reset."""
        self.closed = True
        self.unplug()
        for stream in list(self._streams):
            stream.break_off()
        for listeners in list(self._listeners.values()):
            for listener in list(listeners.values()):
                listener.close()
        for bound in list(self._udp.values()):
            for socket in list(bound.values()):
                socket.close()

    def _target(self, address: str) -> "Namespace | None":
        if (
            portbinding.is_loopback(address)
            or address in self.addresses
            or address in portbinding.ANY
        ):
            return self
        return self._bridge.at(address)

    def _check_open(self) -> None:
        if self.closed:
            raise sockets.error(errno.ENETDOWN)

    def _bindable(self, address: str) -> str:
        self._check_open()
        if address in portbinding.ANY:
            return address
        address = portbinding.plain(address)
        if not portbinding.is_loopback(address) and address not in self.addresses:
            raise sockets.error(errno.EADDRNOTAVAIL)
        return address

    def _free(self, table: dict[int, dict[str, Listening]] | dict[int, dict[str, Udp]]) -> int:
        """A port that nobody uses. OSError EADDRINUSE."""
        first, last = _EPHEMERAL
        for _ in range(last - first + 1):
            port = self._next
            self._next = port + 1 if port < last else first
            if port not in table and port not in self._ports:
                return port
        raise sockets.error(errno.EADDRINUSE)
