"""UDP sockets of a stack, as programs have them."""

import errno
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cluster.network.io.waiting import Waiters
from cluster.network.stack.endhost import datagrams as udp
from cluster.network.stack.endhost.errors import IcmpError
from cluster.network.stack.endhost.ports import error
from cluster.network.stack.endpoint import Endpoint

if TYPE_CHECKING:
    from cluster.network.io.sockets import Stack

_DATAGRAMS: Final = 512
_DATAGRAM_BYTES: Final = 208 << 10
"""net.core.rmem_default, nearly."""


class Datagrams:
    """A UDP socket: `receive()`, or `on_datagram(data, sender, target)`, called with each."""

    def __init__(self, stack: "Stack", port: int, address: int) -> None:
        self._stack = stack
        self._waiters = Waiters(stack.loop)
        self._queue: deque[tuple[bytes, Endpoint, Endpoint]] = deque()
        self._refused = False
        self.waiting = 0
        """Bytes that nobody has taken."""
        self.dropped = 0
        """Datagrams that found no room."""
        self._on_datagram: Callable[[bytes, Endpoint, Endpoint], None] | None = None
        self.on_error: Callable[[IcmpError], None] | None = None
        """Called with errors about what was sent; without it `receive` raises the refused."""
        self._core: udp.Socket = stack.host.datagrams(
            stack.loop.time(), self._received, self._failed, port, address
        )
        self.local = self._core.local

    @property
    def closed(self) -> bool:
        """Whether it is used no more."""
        return self._core.closed

    @property
    def on_datagram(self) -> Callable[[bytes, Endpoint, Endpoint], None] | None:
        """Takes datagrams; it must not fail."""
        return self._on_datagram

    @on_datagram.setter
    def on_datagram(self, call: Callable[[bytes, Endpoint, Endpoint], None]) -> None:
        self._on_datagram = call
        while self._queue:  # what was held for the port came with the binding
            data, sender, target = self._queue.popleft()
            self.waiting -= len(data)
            call(data, sender, target)

    def _received(self, data: bytes, sender: Endpoint, target: Endpoint) -> None:
        if self._on_datagram is not None:
            self._on_datagram(data, sender, target)
        elif len(self._queue) < _DATAGRAMS and self.waiting + len(data) <= _DATAGRAM_BYTES:
            self._queue.append((data, sender, target))
            self.waiting += len(data)
            self._waiters.wake()
        else:
            self.dropped += 1

    def _failed(self, found: IcmpError) -> None:
        if self.on_error is not None:
            self.on_error(found)
        elif found.number == errno.ECONNREFUSED:
            self._refused = True
            self._waiters.wake()

    async def receive(self) -> tuple[bytes, Endpoint]:
        """The next datagram and who sent it. ConnectionRefusedError where an earlier one found no
        socket there; OSError EBADF once it is closed.
        """
        while True:
            if self.closed:
                raise error(errno.EBADF)
            if self._queue:
                data, sender, _ = self._queue.popleft()
                self.waiting -= len(data)
                return data, sender
            if self._refused:
                self._refused = False
                raise error(errno.ECONNREFUSED)
            await self._waiters.wait()

    def send(self, data: bytes, to: Endpoint, *, source: int = 0, ttl: int = 64) -> None:
        """Send one; it may be lost. OSError EMSGSIZE, ENETUNREACH, EBADF."""
        self._core.send(self._stack.loop.time(), data, to, source=source, ttl=ttl)

    def close(self) -> None:
        """Use it no more."""
        if not self.closed:
            self._core.close()
            self._queue.clear()
            self._waiters.wake()
            self._stack.forget(self)
