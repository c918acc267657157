"""What the network's programs share: addresses of names, and connections with a deadline."""

import asyncio
import errno
import os
import socket
from typing import Final

from cluster.runtime.vos import resolving
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.sockets import Stream

CONNECT_SECONDS: Final = 130.0
"""Where a program has no limit of its own: about what tcp_syn_retries makes."""


async def address(call: Call, name: str, family: int = 0) -> str | None:
    """The first address of a name; None where it cannot be resolved."""
    host = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        found = await resolving.addresses(host, files=call.files, net=call.net, family=family)
    except socket.gaierror:
        return None
    return found[0]


async def connect(call: Call, where: str, port: int, seconds: float = 0.0) -> Stream:
    """A connection. OSError, ETIMEDOUT after `seconds`."""
    try:
        async with asyncio.timeout(seconds or CONNECT_SECONDS):
            return await call.net.connect(where, port)
    except TimeoutError:
        raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)) from None


def why(error: OSError) -> str:
    """An error in the system's words."""
    return error.strerror or os.strerror(error.errno or errno.EIO)


def port(text: str) -> int | None:
    """A port by number, or by a well-known name; None for what is neither."""
    found = _NAMES.get(text, text)
    number = int(found) if str(found).isdigit() and len(str(found)) < 6 else 0
    return number if 0 < number < 65536 else None


_NAMES: Final = {
    "http": 80, "https": 443, "domain": 53, "ssh": 22, "telnet": 23, "smtp": 25, "mysql": 3306,
    "postgresql": 5432, "redis": 6379,
}  # fmt: skip
