"""Real sockets of the machine at which the cluster is entered: node ports, balancers' addresses.

What is wanted is said as a whole; what is wanted and not open is opened, and tried again later
where somebody else has the port (another node of this machine, which may go).
"""

import asyncio
import contextlib
import errno
import functools
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final, NamedTuple, Protocol, cast

import structlog

from cluster.aio import tasks
from cluster.runtime.network import splice

RETRY_SECONDS: Final = 5.0
MAX_DOORS: Final = 2048
MAX_CLIENTS: Final = 1024
"""Connections that are open through one door."""
_BACKLOG: Final = 128


class Door(NamedTuple):
    """Where the machine is listened at, and which address and port of the overlay that leads to."""

    protocol: str
    """tcp or udp."""
    address: str
    port: int
    to: str
    """The overlay's address, at the same port."""
    shared: bool = False
    """Whether it is open on one of several nodes: that another has it is nothing to tell of."""


class Datagrams(Protocol):
    """Takes what comes to a door for datagrams."""

    def arrived(self, door: Door, data: bytes, client: tuple[str, int]) -> None:
        """A datagram of a client. Must not block."""


Accept = Callable[[Door, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Opened = asyncio.Server | asyncio.DatagramTransport


class Doors:
    """Keeps doors open. `accept` has a connection until it returns; it raises nothing."""

    def __init__(self, accept: Accept, datagrams: Datagrams) -> None:
        self._accept = accept
        self._datagrams = datagrams
        self._wanted: dict[Door, None] = {}
        self._open: dict[Door, Opened] = {}
        self._clients: dict[asyncio.StreamWriter, None] = {}
        self._held: dict[Door, int] = {}
        self._told: dict[Door, None] = {}
        self._nowhere: dict[Door, None] = {}
        """Those at addresses that the machine has not, which are not tried again."""
        self._work: asyncio.Task[None] | None = None
        self._again: asyncio.TimerHandle | None = None
        self._owner = tasks.Background("doors", _failed)
        self._log = structlog.get_logger().bind(component="runtime")

    @property
    def open(self) -> tuple[Door, ...]:
        """Those that are open now."""
        return tuple(self._open)

    def want(self, doors: Iterable[Door]) -> None:
        """Have these open, and no others."""
        wanted = dict.fromkeys(doors)
        if len(wanted) > MAX_DOORS:
            self._log.warning("not all ports are opened", wanted=len(wanted), most=MAX_DOORS)
            wanted = dict.fromkeys(list(wanted)[:MAX_DOORS])
        self._wanted = wanted
        for door in [one for one in self._open if one not in wanted]:
            self._open.pop(door).close()
        self._told = {door: None for door in self._told if door in wanted}
        self._nowhere = {door: None for door in self._nowhere if door in wanted}
        self._begin()

    def send(self, door: Door, data: bytes, client: tuple[str, int]) -> None:
        """Send a datagram out of a door; it is lost where the door is shut."""
        transport = self._open.get(door)
        if transport is not None and door.protocol == "udp":
            cast(asyncio.DatagramTransport, transport).sendto(data, client)

    def close(self) -> None:
        """Shut all, and let clients go."""
        self.want(())
        if self._again is not None:
            self._again.cancel()
        self._owner.cancel()
        for writer in list(self._clients):
            splice.reset(writer)

    def _begin(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None
        missing = any(self._missing())
        if missing and (self._work is None or self._work.done()):
            self._work = self._owner.spawn(self._opened_all(), "open")

    def _missing(self) -> Iterator[Door]:
        for door in self._wanted:
            if door not in self._open and door not in self._nowhere:
                yield door

    async def _opened_all(self) -> None:
        tried: dict[Door, None] = {}
        while True:
            door = next((one for one in self._missing() if one not in tried), None)
            if door is None:
                break
            tried[door] = None
            await self._try(door)
        if any(self._missing()):
            loop = asyncio.get_running_loop()
            self._again = loop.call_later(RETRY_SECONDS, self._begin)

    async def _try(self, door: Door) -> None:
        try:
            opened = await self._opened(door)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                self._nowhere[door] = None
            elif door not in self._told and not door.shared:
                self._told[door] = None
                self._log.info(
                    "a port is not open here", protocol=door.protocol, address=door.address,
                    port=door.port, why=error.strerror or str(error),
                )  # fmt: skip
            return
        if door in self._wanted and door not in self._open:
            self._open[door] = opened
        else:
            opened.close()

    async def _opened(self, door: Door) -> Opened:
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in door.address else socket.AF_INET
        kind = socket.SOCK_STREAM if door.protocol == "tcp" else socket.SOCK_DGRAM
        sock = socket.socket(family, kind)
        try:
            sock.setblocking(False)
            if kind == socket.SOCK_STREAM:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((door.address, door.port))
            if kind == socket.SOCK_STREAM:
                handle = functools.partial(self._entered, door)
                return await asyncio.start_server(handle, sock=sock, backlog=_BACKLOG)
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Mouth(self._datagrams, door), sock=sock
            )
        except BaseException:
            sock.close()
            raise
        return transport

    async def _entered(
        self, door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        held = self._held.get(door, 0)
        if held >= MAX_CLIENTS or door not in self._open:
            splice.reset(writer)
            return
        self._clients[writer] = None
        self._held[door] = held + 1
        try:
            await self._accept(door, reader, writer)
        finally:
            del self._clients[writer]
            self._held[door] -= 1
            if not self._held[door]:
                del self._held[door]
            with contextlib.suppress(RuntimeError):
                writer.close()


class _Mouth(asyncio.DatagramProtocol):
    def __init__(self, datagrams: Datagrams, door: Door) -> None:
        self._datagrams = datagrams
        self._door = door

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._datagrams.arrived(self._door, data, (addr[0], addr[1]))


def _failed(name: str, error: BaseException) -> None:
    structlog.get_logger().error("a port failed", task=name, error=repr(error))
