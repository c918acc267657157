"""Sockets as programs see them: streams, listeners and datagrams in a pod's network namespace.

Protocols only: `cluster.runtime.podnetwork` binds them inside one runtime process. Errors are
`OSError` with the usual numbers (ECONNREFUSED is ConnectionRefusedError, ECONNRESET
ConnectionResetError, ETIMEDOUT TimeoutError, BrokenPipeError for what was ended or closed), so that
programs print the usual words. Addresses are IP addresses as text, never names (`resolving`).
"""

import errno
import os
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

RECEIVE: Final = 65536
BACKLOG: Final = 128
TTL: Final = 64
"""net.ipv4.ip_default_ttl."""
MAX_DATAGRAM: Final = 65507
"""The longest payload of an UDP datagram over IPv4."""


class Endpoint(NamedTuple):
    """One end of a socket."""

    address: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


class Open(NamedTuple):
    """A row of `netstat`. `state` is the kernel's word: LISTEN, ESTABLISHED, "" for datagrams."""

    protocol: str
    """tcp or udp."""
    local: Endpoint
    peer: Endpoint | None
    state: str
    waiting: int = 0
    """Bytes, or of a listener connections, that nobody has taken yet."""


class Link(NamedTuple):
    """An interface."""

    number: int
    name: str
    mac: str
    mtu: int
    addresses: tuple[str, ...]
    """With the lengths of their prefixes: `10.244.1.5/24`."""


class Route(NamedTuple):
    """A row of `ip route`."""

    to: str
    """A prefix; `0.0.0.0/0` is the default route."""
    device: str
    gateway: str = ""
    source: str = ""
    onlink: bool = False


class Neighbour(NamedTuple):
    """A row of `ip neigh`."""

    address: str
    device: str
    mac: str
    """"": nobody has answered yet."""
    state: str


class Answer(NamedTuple):
    """What came back to a ping."""

    source: str
    """Who answered: the target, or on an error the hop that sent it."""
    type: int
    """ICMP's: 0 for an echo reply, 3 unreachable, 11 time exceeded."""
    code: int
    seconds: float
    ttl: int
    """What was left of the answer's time to live."""
    size: int
    """Bytes of its ICMP message."""


class Socket(Protocol):
    """What all sockets have."""

    @property
    def local(self) -> Endpoint:
        """This end."""

    @property
    def closed(self) -> bool:
        """Whether it can be used no more: neither side will send, or it was closed here."""

    def close(self) -> None:
        """Use it no more. A stream still delivers what was sent; with unread data it resets."""


class Stream(Socket, Protocol):
    """A TCP connection."""

    @property
    def peer(self) -> Endpoint:
        """The other end."""

    async def receive(self, most: int = RECEIVE) -> bytes:
        """At most `most` bytes as soon as there are any; b"" at the peer's end.

        ConnectionResetError; BrokenPipeError where it was closed here.
        """

    async def send(self, data: bytes) -> None:
        """Send all; waits while the peer is slow. ConnectionResetError, BrokenPipeError."""

    def end(self) -> None:
        """Send nothing more (FIN); receiving goes on."""

    def abort(self) -> None:
        """Close with a reset: the peer reads what came before it, then ConnectionResetError."""

    @property
    def lost(self) -> bool:
        """Whether the peer is known to read nothing more. Who reset is; who closed may be only
        once something was sent to him, as in a kernel: that he sends no more says nothing of it.
        """

    def when_lost(self, call: Callable[[], None]) -> None:
        """Call `call`, once, as soon as the peer is lost, which it is not yet. Replaces an earlier
        one. It must not fail, nor use the stream.
        """


class Listener(Socket, Protocol):
    """A listening TCP socket."""

    async def accept(self) -> Stream:
        """The next connection. OSError EBADF once it is closed."""


class Datagrams(Socket, Protocol):
    """A UDP socket."""

    async def receive(self) -> tuple[bytes, Endpoint]:
        """The next datagram and who sent it.

        ConnectionRefusedError where an earlier one found no socket there; OSError EBADF once it is
        closed.
        """

    def send(self, data: bytes, to: Endpoint) -> None:
        """Send one; it may be lost. OSError EMSGSIZE, EHOSTUNREACH, EBADF."""


class Network(Protocol):
    """A pod's network namespace, which its containers share; a process sees it as `call.net`, and
    what it opened there is closed when it ends.
    """

    @property
    def addresses(self) -> Sequence[str]:
        """The pod's own addresses, without the loopback's; the first is the primary one."""

    def links(self) -> Sequence[Link]:
        """The interfaces, the loopback first."""

    def routes(self) -> Sequence[Route]:
        """The routing table."""

    def neighbours(self) -> Sequence[Neighbour]:
        """Whose MACs are known or asked for."""

    async def connect(self, address: str, port: int) -> Stream:
        """A connection. ConnectionRefusedError, TimeoutError; OSError EHOSTUNREACH and others."""

    def listen(self, port: int, address: str = "", backlog: int = BACKLOG) -> Listener:
        """Listen at an address, "" for all; port 0 takes a free one. OSError EADDRINUSE,
        EADDRNOTAVAIL, EMFILE.
        """

    def datagrams(self, port: int = 0, address: str = "") -> Datagrams:
        """A UDP socket; port 0 takes a free one. OSError EADDRINUSE and as `listen`."""

    async def echo(
        self,
        address: str,
        size: int = 56,
        *,
        ttl: int = TTL,
        timeout: float = 10.0,  # noqa: ASYNC109  (ping's own option)
    ) -> Answer:
        """Ping with `size` bytes. TimeoutError; OSError EHOSTUNREACH."""

    def open_sockets(self) -> Sequence[Open]:
        """Every open socket of the namespace, in the order in which they were opened."""


def error(number: int) -> OSError:
    """The OSError of an error number, of the class that Python gives it."""
    return OSError(number, os.strerror(number))


UNREACHABLE: Final = errno.EHOSTUNREACH
