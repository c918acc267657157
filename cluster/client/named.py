"""Several API servers of which some are known by name: for gRPC tries several addresses in turn,
but not several names.

They are looked up when the connection begins, and again while none of the servers can be reached: a
container that was started anew may be at another address.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import grpc
import structlog

from cluster.client.renewing import RenewingChannel

LOOK_SECONDS: Final = 1.0
"""How often it is looked whether a server can be reached."""
_ANSWER_SECONDS: Final = 5.0

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""The IP addresses of a name, for a port. OSError."""


def places(servers: Sequence[str]) -> list[tuple[str, int]]:
    """Host and port of each. ValueError with a sentence where one has none."""
    found = []
    for server in servers:
        host, colon, port = server.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not colon or not host or host == "unix" or not port.isdecimal():
            raise ValueError(f"{server!r} is not host:port: of several API servers each has to be")
        found.append((host, int(port)))
    return found


def any_named(servers: Sequence[str]) -> bool:
    """Whether one of several is a name. ValueError; also where there are IPv4 and IPv6 addresses,
    of which gRPC takes one kind.
    """
    if len(servers) == 1:
        return False
    versions = {_version(host) for host, _ in places(servers)}
    if versions == {4, 6}:
        raise ValueError(f"API servers are all at IPv4 addresses or all at IPv6: {servers}")
    return 0 in versions


class Servers:
    """Where servers are, by names and IP addresses with ports (`name:port`); ValueError.

    `addresses` are what was found last, IPv4 where there is any, in the order of the names: of one
    that has no address now, none. Where nothing was found it is the first name.
    """

    def __init__(self, servers: Sequence[str], lookup: Lookup | None = None) -> None:
        self._places = places(servers)
        self._lookup = lookup or _looked_up
        self.addresses = [servers[0]]
        self._log = structlog.get_logger()

    @property
    def name(self) -> str:
        """What the certificate of each server has to carry."""
        return self._places[0][0]

    async def look(self) -> bool:
        """Look the names up; whether something else was found than before."""
        every = await asyncio.gather(*(self._of(host, port) for host, port in self._places))
        found = list(dict.fromkeys(each for some in every for each in some))
        version = 4 if any(one == 4 for one, _ in found) else 6
        addresses = [text for one, text in found if one == version]
        if not addresses or addresses == self.addresses:
            return False
        self.addresses = addresses
        return True

    async def run(self, channel: RenewingChannel, seconds: float = LOOK_SECONDS) -> None:
        """Look them up while none can be reached, until cancelled; a channel that is led elsewhere
        by that is made anew.
        """
        while True:
            await asyncio.sleep(seconds)
            lost = channel.get_state() is grpc.ChannelConnectivity.TRANSIENT_FAILURE
            if lost and await self.look():
                self._log.info("API servers are elsewhere now", addresses=self.addresses)
                channel.renew()

    async def _of(self, host: str, port: int) -> list[tuple[int, str]]:
        """IP version and address with port, of everything that a name stands for."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                found = [host] if _version(host) else await self._lookup(host, port)
        except (OSError, TimeoutError) as error:
            self._log.info("an API server's name is not known", name=host, error=str(error))
            return []
        return [
            (version, f"[{address}]:{port}" if version == 6 else f"{address}:{port}")
            for address in found
            if (version := _version(address))
        ]


def _version(host: str) -> int:
    """4 or 6 of an IP address; 0: it is a name."""
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return 0


async def _looked_up(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]
