"""Names that become addresses, and connections that are joined."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Final

from cluster.aio import tasks
from cluster.runtime.vos import resolving
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.sockets import Stream

_IDLE: Final = 3600.0


class Unknown(Exception):
    """No such name; `again` where no server answered."""

    def __init__(self, name: str, *, again: bool = False) -> None:
        super().__init__(name)
        self.again = again


async def addresses(call: Call, name: str) -> Sequence[str]:
    """The addresses of a name, or of an address itself. Unknown."""
    try:
        return await resolving.addresses(name, files=call.files, net=call.net)
    except socket.gaierror as error:
        raise Unknown(name, again=error.errno == socket.EAI_AGAIN) from error


async def connected(call: Call, host: str, port: int) -> Stream:
    """A connection to the first address of a name that takes one. Unknown, OSError."""
    found = await addresses(call, host)
    for address in found[:-1]:
        try:
            return await call.net.connect(address, port)
        except OSError:
            continue
    return await call.net.connect(found[-1], port)


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
