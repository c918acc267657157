"""Names that become addresses, and connections that are joined."""

import asyncio
import contextlib
import ipaddress
from collections.abc import Sequence
from typing import Final

from cluster.aio import tasks
from cluster.runtime.vos.kernel import Call, decoded
from cluster.runtime.vos.sockets import Stream

_IDLE: Final = 3600.0


class Unknown(Exception):
    """No such name."""


async def addresses(call: Call, name: str) -> Sequence[str]:
    """The addresses of a name, or of an address itself. Unknown."""
    try:
        return (str(ipaddress.ip_address(name)),)
    except ValueError:
        pass
    with contextlib.suppress(OSError):
        for line in decoded(call.files.read("/etc/hosts")).splitlines():
            words = line.partition("#")[0].split()
            if name in words[1:]:
                return (words[0],)
    raise Unknown(name)


async def joined(one: Stream, other: Stream) -> None:
    """Carry bytes both ways until both have ended, or one is reset. OSError."""

    async def carry(source: Stream, target: Stream) -> None:
        while True:
            async with asyncio.timeout(_IDLE):
                data = await source.receive()
            if not data:
                target.end()
                return
            await target.send(data)

    try:
        async with tasks.Group("joined") as group:
            group.spawn(carry(one, other), "down")
            group.spawn(carry(other, one), "up")
    finally:
        one.close()
        other.close()
