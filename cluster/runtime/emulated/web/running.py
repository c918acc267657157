"""Programs that are nothing but HTTP servers: listen, serve, end when asked."""

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator, Mapping

from cluster.aio import tasks
from cluster.runtime.emulated.web.messages import Handler
from cluster.runtime.emulated.web.serving import Server, Site
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.sockets import Listener


class Taken(Exception):
    """A port is not to be had; `port` says which one, `reason` the kernel's word."""

    def __init__(self, port: int, reason: str) -> None:
        super().__init__(f"port {port}: {reason}")
        self.port = port
        self.reason = reason


def listen(call: Call, port: int) -> Listener:
    """Listen at a port. Taken."""
    try:
        return call.net.listen(port)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise Taken(port, "address already in use" if taken else str(error.strerror)) from error


@contextlib.asynccontextmanager
async def serving(call: Call, sites: Mapping[int, Site]) -> AsyncIterator[tasks.Group]:
    """Serve each site at its port, as long as the block lasts. Taken."""
    async with tasks.Group(call.argv[0][:40]) as group:
        for port, site in sites.items():
            Server(site, group).listen(listen(call, port))
        try:
            yield group
        finally:
            group.cancel()


async def run(call: Call, handlers: Mapping[int, Handler], server: str = "") -> int:
    """Serve each handler at its port until the process is ended; the exit code where that fails."""
    sites = {
        port: Site(handler=handler, now=call.kernel.clock.now, server=server)
        for port, handler in handlers.items()
    }
    try:
        async with serving(call, sites):
            await forever()
    except Taken as taken:
        return await call.complain(f"listen tcp :{taken.port}: bind: {taken.reason}")
    return 0


async def forever() -> None:
    """Wait for the end of the process."""
    await asyncio.get_running_loop().create_future()
