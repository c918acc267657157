"""Where a registry may send its clients: token services, places of uploads, redirections.

Clients of containers go wherever a registry says, which lets a hostile one have them ask what only
they can reach: the metadata service of a cloud's machine (169.254.169.254), or a service of the
machine itself. It is looked at addresses, not names, at each connection: a name may lead anywhere.
"""

import errno
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any


class Forbidden(OSError):
    """No connection is made there; `strerror` says why."""


class Reach:
    """What one registry's clients may connect to. Its own address is the first that they connect
    to: whatever somebody named is asked, wherever it is.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._own: IPv4Address | IPv6Address | None = None

    def check(self, address: str) -> None:
        """Whether to connect to an IP address. Forbidden."""
        found = _plain(address)
        if self._own is None:
            self._own = found
        if found.is_link_local and not self._own.is_link_local:
            raise Forbidden(
                errno.EACCES,
                f"{found} is a link-local address, to which {self._host} may not send its clients",
            )
        if _is_ours(found) and self._own.is_global:
            raise Forbidden(
                errno.EACCES,
                f"{found} is this machine, to which {self._host} may not send its clients",
            )

    @property
    def socket(self) -> Callable[[tuple[Any, ...]], socket.socket]:
        """Makes the sockets of aiohttp's connector, of rows of getaddrinfo."""

        def made(row: tuple[Any, ...]) -> socket.socket:
            family, kind, protocol, _, address = row
            self.check(address[0])
            return socket.socket(family, kind, protocol)

        return made


def _plain(address: str) -> IPv4Address | IPv6Address:
    found = ip_address(address.partition("%")[0])
    return found if isinstance(found, IPv4Address) else found.ipv4_mapped or found


def _is_ours(address: IPv4Address | IPv6Address) -> bool:
    return address.is_loopback or address.is_unspecified
