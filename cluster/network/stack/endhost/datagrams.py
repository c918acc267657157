"""UDP sockets of a host."""

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cluster.network.stack.endhost.errors import IcmpError
from cluster.network.stack.endhost.ports import error
from cluster.network.stack.endpoint import Endpoint
from cluster.network.wire import ipv4, udp

if TYPE_CHECKING:
    from cluster.network.stack.host import Host

MAX_PAYLOAD: Final = ipv4.LARGEST - ipv4.HEADER - udp.HEADER
Received = Callable[[bytes, Endpoint, Endpoint], None]
"""Takes a datagram, who sent it, and to which of our addresses."""


class Socket:
    """A bound UDP socket. It keeps nothing: `received` is called, within `Host.receive`, with each
    datagram, `failed` with each error about one that was sent.
    """

    __slots__ = ("_host", "closed", "failed", "local", "received")

    def __init__(
        self,
        host: "Host",
        local: Endpoint,
        received: Received,
        failed: Callable[[IcmpError], None] | None,
    ) -> None:
        self._host = host
        self.local = local
        self.received = received
        self.failed = failed
        self.closed = False

    def send(
        self, now: float, data: bytes, to: Endpoint, *, source: int = 0, ttl: int = 64
    ) -> None:
        """Send one; the next `pull` has it. OSError EMSGSIZE, EBADF, ENETUNREACH, EINVAL.

        `source`: which of our addresses it comes from, where the socket is bound to all.
        """
        if self.closed:
            raise error(errno.EBADF)
        address = self.local.address or source
        self._host.send_datagram(now, data, Endpoint(address, self.local.port), to, ttl=ttl)

    def close(self) -> None:
        """Free the port."""
        if not self.closed:
            self.closed = True
            self._host.udp.free(self.local, self)
