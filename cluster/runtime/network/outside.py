"""The way between the overlay and the machine: a stack that answers for every address beyond the
cluster, spliced to real sockets.

Who enters by a door comes into the overlay as a connection from his own address; what pods send
beyond the cluster, which the node has masqueraded by then, leaves by a socket of the machine. The
machine itself is `gateway`: pods reach its 127.0.0.1 there, and its local clients come from there.
"""

import asyncio
import errno
from collections.abc import Callable
from typing import Final

import structlog

from cluster.aio import tasks
from cluster.network.io.sockets import Stack, Stream
from cluster.network.stack.endhost.listener import Request
from cluster.network.stack.endpoint import Endpoint
from cluster.network.wire import addresses, icmp
from cluster.runtime.network import splice
from cluster.runtime.network.datagramflows import Flows
from cluster.runtime.network.doors import Door, Doors
from cluster.runtime.network.pings import Pings
from cluster.runtime.network.podstack import Connection

CONNECT_SECONDS: Final = 30.0
MAX_CONNECTIONS: Final = 2048
MAX_CLIENTS: Final = 4096
"""Ends of clients who sent datagrams that are remembered."""
LOCALHOST: Final = "127.0.0.1"
_LOOPBACK: Final = 127


class Outside:
    """See above. `within` says of an address that it is of the cluster, so nothing leaves to it."""

    def __init__(self, stack: Stack, gateway: int, within: Callable[[int], bool]) -> None:
        self.stack = stack
        self._gateway = gateway
        self._within = within
        self._tasks = tasks.Background("outside", _failed)
        self._flows = Flows(self._answered, self._real)
        self._pings = Pings()
        self.doors = Doors(self._entered, self)
        self._clients: dict[tuple[Endpoint, Endpoint], tuple[Door, tuple[str, int]]] = {}
        host = stack.host
        host.on_request = self._requested
        host.on_datagram = self._datagram
        host.on_echo = self._echo

    def close(self) -> None:
        """The node goes."""
        self.doors.close()
        self._flows.close()
        self._pings.close()
        self._tasks.cancel()
        self.stack.close()

    # ---- from pods to the machine and beyond ---------------------------------------------------

    def _real(self, address: int) -> str | None:
        """Where an address is really reached; None where nothing may go there."""
        if address == self._gateway:
            return LOCALHOST
        refused = self._within(address) or addresses.is_loopback(address)
        if refused or addresses.is_multicast(address) or not address:
            return None
        return addresses.text(address)

    def _requested(self, request: Request) -> None:
        where = self._real(request.target.address)
        if where is None:
            request.unreachable(icmp.HOST_UNREACHABLE)
        elif len(self._tasks) >= MAX_CONNECTIONS:
            request.drop()
        else:
            self._tasks.spawn(self._reach(request, where), f"to/{where}")

    async def _reach(self, request: Request, where: str) -> None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(where, request.target.port)
        except ConnectionRefusedError:
            request.refuse()
        except TimeoutError:
            request.drop()
        except OSError:
            request.unreachable(icmp.HOST_UNREACHABLE)
        else:
            try:
                stream = self.stack.accepted(request)
            except OSError:  # Who asked has given up.
                splice.reset(writer)
                return
            await splice.join(Connection(stream), reader, writer)

    def _datagram(self, data: bytes, source: Endpoint, target: Endpoint) -> None:
        known = self._clients.get((target, source))
        if known is not None:
            self.doors.send(known[0], data, known[1])
        else:
            self._flows.send(data, source, target)

    def _answered(self, data: bytes, source: Endpoint, target: Endpoint) -> None:
        self.stack.send_datagram(data, source, target)

    def _echo(self, _now: float, source: int, target: int, message: icmp.Message) -> None:
        where = self._real(target)
        if where is None:
            return

        def answer(data: bytes) -> None:
            self.stack.send_echo_reply(target, source, message, data)

        if target == self._gateway:
            answer(message.payload)
        else:
            self._pings.send(where, message.payload, answer)

    # ---- from the machine to services ----------------------------------------------------------

    async def _entered(
        self, door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            stream = await self._led(door, *writer.get_extra_info("peername")[:2])
        except OSError:
            splice.reset(writer)
            return
        await splice.join(Connection(stream), reader, writer)

    async def _led(self, door: Door, address: str, port: int) -> Stream:
        """A client's connection in the overlay; from another port where it has his already."""
        to = Endpoint(addresses.parse(door.to), door.port)
        source = Endpoint(seen(address, self._gateway), port)
        try:
            return await self.stack.connect(to, source=source, timeout=CONNECT_SECONDS)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        source = Endpoint(source.address, 0)
        return await self.stack.connect(to, source=source, timeout=CONNECT_SECONDS)

    def arrived(self, door: Door, data: bytes, client: tuple[str, int]) -> None:
        """See `doors.Datagrams`."""
        source = Endpoint(seen(client[0], self._gateway), client[1])
        target = Endpoint(addresses.parse(door.to), door.port)
        known = self._clients.pop((source, target), None)
        if known is None and len(self._clients) >= MAX_CLIENTS:
            del self._clients[next(iter(self._clients))]
        self._clients[source, target] = door, client
        self.stack.send_datagram(data, source, target)


def seen(client: str, gateway: int) -> int:
    """The address that a client has in the overlay: his own, but the gateway's where he is on this
    machine, which may send from any of 127.0.0.0/8 and so from a node's; and with IPv6.
    """
    if ":" in client:
        return gateway
    number = addresses.parse(client)
    return gateway if not number or number >> 24 == _LOOPBACK else number


def _failed(name: str, error: BaseException) -> None:
    structlog.get_logger().error("a way out of the overlay failed", task=name, error=repr(error))
