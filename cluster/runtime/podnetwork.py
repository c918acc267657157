"""Pods' network namespaces inside one runtime process, and the bridge between them.

A namespace is made when somebody looks at it: a pod at rest has none, only its addresses are known
here. Pods of the node's own network share one. Whoever connects to a port on which nothing listens
asks the pod first (`Occupant`): a server that sleeps there is woken, and one that answers by itself
answers. What is not on this node goes to `Bridge.beyond`.
"""

import asyncio
import errno
import functools
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

import structlog

from cluster.aio import tasks
from cluster.runtime.podsockets import Answered, Answering, Buffers, Listening, Tcp, Udp, pair
from cluster.runtime.vos import sockets
from cluster.runtime.vos.sockets import Endpoint, Open
from cluster.runtime.vos.waiting import Waiters

MAX_CONNECTIONS: Final = 4096
MAX_LISTENERS: Final = 1024
MAX_DATAGRAM_SOCKETS: Final = 1024
CONNECT_SECONDS: Final = 20.0
"""How long a connection waits for room in a backlog."""
_EPHEMERAL: Final = (32768, 60999)
"""net.ipv4.ip_local_port_range."""
_HOP_SECONDS: Final = 0.00005
_PENDING: Final = 256
"""Datagrams that wait for somebody to wake."""
LOOPBACK: Final = ("127.0.0.1", "::1")
_T = TypeVar("_T", Listening, Udp)
_ANY: Final = {"": 0, "0.0.0.0": 4, "::": 6}


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

    @property
    def interfaces(self) -> Sequence[str]:
        """See Network."""
        return [f"{one}/{self._bridge.prefix(one)}" for one in self.addresses]

    # ---- streams -----------------------------------------------------------------------------

    async def connect(self, address: str, port: int) -> Tcp | Answered:
        """See Network."""
        self._check_open()
        address = _plain(address)
        target = self._target(address)
        if target is None:
            return await self._bridge.beyond(self, address, port)
        listener = await target.found(address, port)
        if listener is None:
            made = target.answered(address, port, self)
            if made is None:
                raise sockets.error(errno.ECONNREFUSED)
            return made
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                if not await listener.room():
                    raise sockets.error(errno.ECONNREFUSED)
        except TimeoutError:
            raise sockets.error(errno.ETIMEDOUT) from None
        return self._joined(target, listener, Endpoint(address, port))

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
        _check_port(self._listeners, port, address)
        made = Listening(Endpoint(address, port), backlog, on_closed=self._unlisten)
        self._listeners.setdefault(port, {})[address] = made
        self.changed.wake()
        return made

    def _unlisten(self, listener: Listening) -> None:
        _drop(self._listeners, listener.local)

    def _listener(self, address: str, port: int) -> Listening | None:
        return _bound(self._listeners, address, port)

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
        _check_port(self._udp, port, address)
        made = Udp(Endpoint(address, port), self._send, on_closed=self._unbind)
        self._udp.setdefault(port, {})[address] = made
        self.changed.wake()
        return made

    def _unbind(self, socket: Udp) -> None:
        _drop(self._udp, socket.local)

    def _send(self, socket: Udp, data: bytes, to: Endpoint) -> None:
        address = _plain(to.address)
        target = self._target(address)
        if target is None:
            self._bridge.datagram_beyond(self, socket, data, to)
            return
        bound = socket.local.address
        sender = Endpoint(self.source(address) if bound in _ANY else bound, socket.local.port)
        if not target.deliver(data, sender, Endpoint(address, to.port)):
            if target.occupant.asleep():
                self._bridge.later(target, data, sender, Endpoint(address, to.port), socket)
            else:
                socket.refuse()

    def deliver(self, data: bytes, sender: Endpoint, to: Endpoint) -> bool:
        """Hand a datagram to who has its port; whether somebody has."""
        found = _bound(self._udp, to.address, to.port)
        if found is not None:
            found.deliver(data, sender)
        return found is not None

    async def awake(self, port: int) -> None:
        """Wake who would have a port."""
        await self.occupant.wake(port)

    # ---- all ---------------------------------------------------------------------------------

    async def echo(self, address: str, size: int = 56, *, timeout: float = 10.0) -> float:  # noqa: ASYNC109
        """See Network."""
        self._check_open()
        address = _plain(address)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        async with asyncio.timeout(timeout):
            if self._target(address) is None:
                await self._bridge.echo_beyond(self, address, size)
            else:
                await asyncio.sleep(_HOP_SECONDS)
        return loop.time() - begun

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
        return rows

    def source(self, to: str) -> str:
        """The address that who connects to `to` is seen by."""
        if _is_loopback(to):
            return to
        family = ":" in to
        return next((one for one in self.addresses if (":" in one) == family), to)

    def break_answered(self, owner: object) -> None:
        """Who answered by itself is gone: its connections are reset."""
        for stream in list(self._streams):
            if isinstance(stream, Answered) and stream.owner is owner:
                stream.break_off()

    def close(self) -> None:
        """The pod is gone, with all its sockets; peers are reset."""
        self.closed = True
        for stream in list(self._streams):
            stream.break_off()
        for listeners in list(self._listeners.values()):
            for listener in list(listeners.values()):
                listener.close()
        for bound in list(self._udp.values()):
            for socket in list(bound.values()):
                socket.close()

    def _target(self, address: str) -> "Namespace | None":
        if _is_loopback(address) or address in self.addresses or address in _ANY:
            return self
        return self._bridge.at(address)

    def _check_open(self) -> None:
        if self.closed:
            raise sockets.error(errno.ENETDOWN)

    def _bindable(self, address: str) -> str:
        self._check_open()
        if address in _ANY:
            return address
        address = _plain(address)
        if not _is_loopback(address) and address not in self.addresses:
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


class Bridge:
    """The pods of one runtime, by address."""

    def __init__(self) -> None:
        self.buffers = Buffers()
        self.networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
        """Those that pods have addresses of."""
        self._places: dict[str, Callable[[], Namespace]] = {}
        self._errands = tasks.Background("network", _failed)

    def join(self, addresses: Sequence[str], place: Callable[[], Namespace]) -> None:
        """Have addresses lead to a namespace, which is made when somebody wants it."""
        for address in addresses:
            self._places[address] = place

    def leave(self, addresses: Sequence[str]) -> None:
        """These addresses lead nowhere any more."""
        for address in addresses:
            self._places.pop(address, None)

    def prefix(self, address: str) -> int:
        """The length of the prefix of a pod's address."""
        found = ipaddress.ip_address(address)
        lengths = (one.prefixlen for one in self.networks if found in one)
        return next(lengths, found.max_prefixlen)

    def at(self, address: str) -> Namespace | None:
        """The namespace of an address; None where it is not on this node."""
        place = self._places.get(address)
        return place() if place is not None else None

    # What is not on this node: the overlay will take it from here. Until then there is no route.

    async def beyond(self, _client: Namespace, _address: str, _port: int) -> Tcp:
        """A connection that leads off the node. OSError EHOSTUNREACH."""
        raise sockets.error(errno.EHOSTUNREACH)

    def datagram_beyond(
        self, _client: Namespace, _socket: Udp, _data: bytes, _to: Endpoint
    ) -> None:
        """A datagram that leads off the node. OSError EHOSTUNREACH."""
        raise sockets.error(errno.EHOSTUNREACH)

    async def echo_beyond(self, _client: Namespace, _address: str, _size: int) -> None:
        """A ping that leads off the node. OSError EHOSTUNREACH."""
        raise sockets.error(errno.EHOSTUNREACH)

    # ------------------------------------------------------------------------------------------

    def later(
        self, target: Namespace, data: bytes, sender: Endpoint, to: Endpoint, socket: Udp
    ) -> None:
        """Deliver a datagram when its receiver has been woken; it is lost where many wait."""
        if len(self._errands) < _PENDING:
            self._errands.spawn(_deliver(target, data, sender, to, socket), f"udp/{to.port}")

    def close(self) -> None:
        """End what is under way."""
        self._errands.cancel()


async def _deliver(
    target: Namespace, data: bytes, sender: Endpoint, to: Endpoint, socket: Udp
) -> None:
    await target.awake(to.port)
    if not target.deliver(data, sender, to):
        socket.refuse()


def _failed(name: str, error: BaseException) -> None:
    structlog.get_logger().error("a datagram was lost", task=name, error=repr(error))


@functools.lru_cache(4096)
def _plain(address: str) -> str:
    """An address in its normal form. OSError EINVAL."""
    if address in _ANY:
        return "127.0.0.1" if address != "::" else "::1"
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise sockets.error(errno.EINVAL) from None
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _covers(address: str) -> tuple[bool, bool]:
    """Whether a bound address is one of IPv4, and of IPv6."""
    family = _ANY.get(address)
    if family is None:
        family = 6 if ":" in address else 4
    return family in (0, 4), family in (0, 6)


def _conflict(one: str, other: str) -> bool:
    if one == other:
        return True
    if one not in _ANY and other not in _ANY:
        return False
    return any(a and b for a, b in zip(_covers(one), _covers(other), strict=True))


def _check_port(
    table: Mapping[int, Mapping[str, Listening]] | Mapping[int, Mapping[str, Udp]],
    port: int,
    address: str,
) -> None:
    """OSError EADDRINUSE, EINVAL."""
    if not 0 < port < 65536:
        raise sockets.error(errno.EINVAL)
    if any(_conflict(address, other) for other in table.get(port, ())):
        raise sockets.error(errno.EADDRINUSE)


def _bound(table: Mapping[int, dict[str, _T]], address: str, port: int) -> _T | None:
    """Who has a port at an address; an address of its own goes before all addresses."""
    bound = table.get(port)
    if not bound:
        return None
    every = "::" if ":" in address else "0.0.0.0"
    return bound.get(address) or bound.get(every) or bound.get("")


def _drop(table: dict[int, dict[str, _T]], local: Endpoint) -> None:
    bound = table.get(local.port)
    if bound is not None:
        bound.pop(local.address, None)
        if not bound:
            del table[local.port]
