"""The asyncio face of a `stack.host.Host`: streams, listeners, datagrams and pings of one stack.

INTERFACE FIRST: bodies follow within the hour; names and meanings stay.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from cluster.network.stack.endpoint import Endpoint
from cluster.network.wire.frame import Frame


class Answer(NamedTuple):
    """What came back to an echo request."""

    source: int
    """Who answered: the target, or with `type` of an error the hop that sent it."""
    type: int
    """ICMP's: ECHO_REPLY, UNREACHABLE, TIME_EXCEEDED."""
    code: int
    seconds: float
    ttl: int
    size: int
    """Bytes of the ICMP message."""


class Stream:
    """A TCP connection; as `runtime.vos.sockets.Stream`, but ends are `Endpoint`s of ints."""

    local: Endpoint
    peer: Endpoint
    state: str
    """The kernel's word."""
    waiting: int
    """Bytes that nobody has read."""
    closed: bool
    lost: bool

    async def receive(self, most: int = 65536) -> bytes: ...
    async def send(self, data: bytes) -> None: ...
    def end(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...
    def when_lost(self, call: Callable[[], None]) -> None: ...


class Listener:
    """A listening socket. `accept()`, or `on_stream`, a callback that takes each Stream instead."""

    local: Endpoint
    closed: bool
    waiting: int
    on_stream: Callable[[Stream], None] | None

    async def accept(self) -> Stream: ...
    def close(self) -> None: ...


class Datagrams:
    """A UDP socket. `receive()`, or `on_datagram(data, sender, target)` instead."""

    local: Endpoint
    closed: bool
    waiting: int

    async def receive(self) -> tuple[bytes, Endpoint]: ...
    def send(self, data: bytes, to: Endpoint, *, source: int = 0, ttl: int = 64) -> None: ...
    def close(self) -> None: ...


class Stack:
    """A Host on a running loop: flushes once a turn of the loop, keeps its timer.

    `transmit(frames)` takes what the host sends; `receive(frames)` hands it what came.
    """

    host: object

    def receive(self, frames: Sequence[Frame]) -> None: ...
    async def connect(
        self, to: Endpoint, *, source: Endpoint | None = None, timeout: float | None = None
    ) -> Stream: ...
    def listen(self, port: int, address: int = 0, backlog: int = 128) -> Listener: ...
    def datagrams(self, port: int = 0, address: int = 0) -> Datagrams: ...
    async def echo(
        self, address: int, size: int = 56, *, ttl: int = 64, timeout: float = 10.0
    ) -> Answer: ...
    def open_sockets(self) -> Sequence[Stream | Listener | Datagrams]: ...
    def close(self) -> None: ...
