"""The underlay seam: datagrams between the addresses of machines, and nothing else of a network.

Bound to UDP in processes; in the lab to `MemoryUnderlay`, a wire in memory whose delays and losses
come from a seed. As with UDP, a datagram may be lost, and nobody is told.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from cluster.network.wire.trains import Train

MTU = 1500
"""Bytes that a datagram may have on the underlay, its IP and UDP headers (28 bytes) included."""
_HEADERS = 28


class Address(NamedTuple):
    """An IP address, as text, and a port."""

    host: str
    port: int


Receive = Callable[[bytes, Address], None]
"""Takes a datagram and its sender's address. Must not block."""
ReceiveTrain = Callable[[Train, Address], None]
"""Takes what one sender sent at once: a datagram, or several. Must not block."""


class AddressInUse(OSError):
    """Somebody else is bound to the address."""


class Endpoint(Protocol):
    """One bound address. Close it when done."""

    @property
    def address(self) -> Address:
        """Where this endpoint receives."""
        ...

    def send(self, data: bytes, to: Address) -> None:
        """Send a datagram; never waits. ValueError where it is larger than the underlay takes."""
        ...

    def send_many(self, datagrams: Sequence[bytes | Train], to: Address) -> None:
        """Send datagrams and trains, in their order, with as few calls as the machine allows."""
        ...

    def send_train(self, train: Train, to: Address) -> None:
        """Send the pieces of a train, a datagram each."""
        ...

    def close(self) -> None:
        """Receive no more. Closing twice does no harm."""
        ...


class Underlay(Protocol):
    """Where machines can be reached."""

    async def bind(self, address: Address, receive: Receive) -> Endpoint:
        """Receive at `address` (port 0: any free one) until closed. AddressInUse, OSError."""
        ...

    async def bind_trains(self, address: Address, receive: ReceiveTrain) -> Endpoint:
        """Receive what comes at once in one call, for those whom every call costs. As `bind`."""
        ...


class MemoryUnderlay:
    """A wire in memory. Every datagram takes `latency` seconds; a share of `loss` never arrives.

    At most `queue` datagrams are under way to one endpoint; more are lost, as in a full socket
    buffer. Datagrams between two endpoints keep their order.
    """

    def __init__(
        self,
        generator: random.Random,
        *,
        latency: float = 0.0002,
        loss: float = 0.0,
        mtu: int = MTU,
        queue: int = 1024,
    ) -> None:
        if latency < 0 or not 0 <= loss <= 1 or queue < 1 or mtu <= _HEADERS:
            raise ValueError(
                "an underlay needs a latency that is not negative, a loss between 0 and 1, room "
                f"for a datagram and an mtu over {_HEADERS}; got {latency=} {loss=} {queue=} {mtu=}"
            )
        self._random = generator
        self._latency = latency
        self._loss = loss
        self._largest = mtu - _HEADERS
        self._queue = queue
        self._endpoints: dict[Address, _MemoryEndpoint] = {}
        self._cut: dict[frozenset[str], None] = {}
        self.lost = 0
        """Datagrams that did not arrive."""

    async def bind(self, address: Address, receive: Receive) -> Endpoint:
        """See `Underlay.bind`."""
        if address.port == 0:
            ports = (Address(address.host, port) for port in range(49152, 65536))
            address = next(free for free in ports if free not in self._endpoints)
        if address in self._endpoints:
            raise AddressInUse(f"{address.host}:{address.port} is in use")
        endpoint = self._endpoints[address] = _MemoryEndpoint(self, address, receive)
        return endpoint

    async def bind_trains(self, address: Address, receive: ReceiveTrain) -> Endpoint:
        """See `Underlay.bind_trains`; here datagrams come one by one."""
        return await self.bind(address, lambda data, by: receive(Train(data, len(data)), by))

    def cut(self, one: str, other: str) -> None:
        """Let nothing pass between two hosts, in both directions, what is under way included."""
        self._cut[frozenset((one, other))] = None

    def mend(self, one: str, other: str) -> None:
        """Take back a `cut`."""
        self._cut.pop(frozenset((one, other)), None)

    def _send(self, data: bytes, source: Address, to: Address) -> None:
        if len(data) > self._largest:
            raise ValueError(f"{len(data)} bytes do not fit into a datagram of {self._largest}")
        target = self._endpoints.get(to)
        dropped = self._loss and self._random.random() < self._loss
        if target is None or dropped or target.waiting >= self._queue:
            self.lost += 1
            return
        target.waiting += 1
        loop = asyncio.get_running_loop()
        loop.call_later(self._latency, self._deliver, data, source, target)

    def _deliver(self, data: bytes, source: Address, target: "_MemoryEndpoint") -> None:
        target.waiting -= 1
        cut = frozenset((source.host, target.address.host)) in self._cut
        if cut or self._endpoints.get(target.address) is not target:
            self.lost += 1
            return
        target.receive(data, source)

    def _close(self, endpoint: "_MemoryEndpoint") -> None:
        if self._endpoints.get(endpoint.address) is endpoint:
            del self._endpoints[endpoint.address]


class _MemoryEndpoint:
    def __init__(self, wire: MemoryUnderlay, address: Address, receive: Receive) -> None:
        self._wire = wire
        self._address = address
        self.receive = receive
        self.waiting = 0

    @property
    def address(self) -> Address:
        return self._address

    def send(self, data: bytes, to: Address) -> None:
        self._wire._send(data, self._address, to)  # noqa: SLF001  (the two are one mechanism)

    def send_many(self, datagrams: Sequence[bytes | Train], to: Address) -> None:
        for data in datagrams:
            if isinstance(data, Train):
                self.send_train(data, to)
            else:
                self.send(data, to)

    def send_train(self, train: Train, to: Address) -> None:
        self.send_many(train.pieces, to)

    def close(self) -> None:
        self._wire._close(self)  # noqa: SLF001
