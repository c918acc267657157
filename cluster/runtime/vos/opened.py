"""A process's view of its pod's network: what it opens is counted, and closed when it ends."""

import errno
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from cluster.runtime.vos import sockets
from cluster.runtime.vos.sockets import Datagrams, Listener, Network, Open, Socket, Stream

MAX_OPEN: Final = 1024
"""Sockets of one process (RLIMIT_NOFILE)."""
_SWEEP: Final = 32
_S = TypeVar("_S", bound=Socket)


class Opened:
    """See `sockets.Network`. OSError EMFILE beyond MAX_OPEN."""

    def __init__(self, network: Network, on_serving: Callable[[], None] = lambda: None) -> None:
        self._network = network
        self.on_serving = on_serving
        """Called when the process begins to wait for somebody to come."""
        self._open: dict[Socket, None] = {}
        self._sweep_at = _SWEEP
        self._ended = False

    @property
    def addresses(self) -> Sequence[str]:
        """See Network."""
        return self._network.addresses

    def links(self) -> Sequence[sockets.Link]:
        """See Network."""
        return self._network.links()

    def routes(self) -> Sequence[sockets.Route]:
        """See Network."""
        return self._network.routes()

    def neighbours(self) -> Sequence[sockets.Neighbour]:
        """See Network."""
        return self._network.neighbours()

    async def connect(self, address: str, port: int) -> Stream:
        """See Network."""
        self._room()
        return self._kept(await self._network.connect(address, port))

    def listen(self, port: int, address: str = "", backlog: int = sockets.BACKLOG) -> Listener:
        """See Network."""
        self._room()
        return self._kept(_Accepting(self._network.listen(port, address, backlog), self))

    def datagrams(self, port: int = 0, address: str = "") -> Datagrams:
        """See Network."""
        self._room()
        return self._kept(_Receiving(self._network.datagrams(port, address), self))

    async def echo(
        self,
        address: str,
        size: int = 56,
        *,
        ttl: int = sockets.TTL,
        timeout: float = 10.0,  # noqa: ASYNC109
    ) -> sockets.Answer:
        """See Network."""
        return await self._network.echo(address, size, ttl=ttl, timeout=timeout)

    def open_sockets(self) -> Sequence[Open]:
        """See Network."""
        return self._network.open_sockets()

    def keep(self, socket: _S) -> _S:
        """Count a socket as this process's own. OSError EMFILE, and the socket is closed."""
        try:
            self._room()
        except OSError:
            socket.close()
            raise
        return self._kept(socket)

    def close(self) -> None:
        """The process has ended: all is closed, as the kernel does for one that was killed, too."""
        self._ended = True
        for socket in self._open:
            socket.close()
        self._open.clear()

    def _room(self) -> None:
        if self._ended:
            raise sockets.error(errno.EBADF)
        if len(self._open) >= self._sweep_at:
            self._open = {one: None for one in self._open if not one.closed}
            self._sweep_at = min(max(_SWEEP, 2 * len(self._open)), MAX_OPEN)
        if len(self._open) >= MAX_OPEN:
            raise sockets.error(errno.EMFILE)

    def _kept(self, socket: _S) -> _S:
        if self._ended:
            socket.close()
            raise sockets.error(errno.EBADF)
        self._open[socket] = None
        return socket


class _Accepting:
    """A listener whose connections count as its process's own."""

    def __init__(self, listener: Listener, opened: Opened) -> None:
        self._listener = listener
        self._opened = opened

    @property
    def local(self) -> sockets.Endpoint:
        """See Socket."""
        return self._listener.local

    @property
    def closed(self) -> bool:
        """See Socket."""
        return self._listener.closed

    def close(self) -> None:
        """See Socket."""
        self._listener.close()

    async def accept(self) -> Stream:
        """See Listener."""
        self._opened.on_serving()
        return self._opened.keep(await self._listener.accept())


class _Receiving:
    """A socket for datagrams whose process is ready when it first waits for one."""

    def __init__(self, socket: Datagrams, opened: Opened) -> None:
        self._socket = socket
        self._opened = opened

    @property
    def local(self) -> sockets.Endpoint:
        """See Socket."""
        return self._socket.local

    @property
    def closed(self) -> bool:
        """See Socket."""
        return self._socket.closed

    def close(self) -> None:
        """See Socket."""
        self._socket.close()

    def send(self, data: bytes, to: sockets.Endpoint) -> None:
        """See Datagrams."""
        self._socket.send(data, to)

    async def receive(self) -> tuple[bytes, sockets.Endpoint]:
        """See Datagrams."""
        self._opened.on_serving()
        return await self._socket.receive()


class NoNetwork:
    """A process without a network: nothing can be reached. See `sockets.Network`."""

    addresses: Sequence[str] = ()

    def links(self) -> Sequence[sockets.Link]:
        """None."""
        return ()

    def routes(self) -> Sequence[sockets.Route]:
        """None."""
        return ()

    def neighbours(self) -> Sequence[sockets.Neighbour]:
        """None."""
        return ()

    async def connect(self, address: str, port: int) -> Stream:
        """OSError ENETUNREACH."""
        raise sockets.error(errno.ENETUNREACH)

    def listen(self, port: int, address: str = "", backlog: int = sockets.BACKLOG) -> Listener:
        """OSError ENETUNREACH."""
        raise sockets.error(errno.ENETUNREACH)

    def datagrams(self, port: int = 0, address: str = "") -> Datagrams:
        """OSError ENETUNREACH."""
        raise sockets.error(errno.ENETUNREACH)

    async def echo(
        self,
        address: str,
        size: int = 56,
        *,
        ttl: int = sockets.TTL,
        timeout: float = 10.0,  # noqa: ASYNC109
    ) -> sockets.Answer:
        """OSError ENETUNREACH."""
        raise sockets.error(errno.ENETUNREACH)

    def open_sockets(self) -> Sequence[Open]:
        """None."""
        return ()
