"""An API server that cannot reach the store which it shares sends its gRPC clients to the others.

A client stays with its server as long as that answers; and one that has lost etcd answers every
read and write, after a while, with an error, and tells watches of nothing. So it stops serving
gRPC: its clients' connections end in order (GOAWAY), and nobody listens there until the store is
back. REST goes on: the balancer asks /readyz, and what need not be new can still be read there.

Where no other server is known, or the store is this server's own, nothing of that happens.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from cluster.aio.grpcserver import AddressInUse, GrpcServer
from cluster.storage import interface as storage

LOST_SECONDS: Final = 10.0
"""So long the store has to be away: an election of etcd, or a member that hangs, is over before."""
LOOK_SECONDS: Final = 2.0
"""How often it is asked."""


class Retreat:
    """Serves gRPC while `store` answers. `others` tells whether there are other servers, `leave`
    ends what clients have open.
    """

    def __init__(
        self,
        store: storage.Storage,
        others: Callable[[], bool],
        leave: Callable[[], None],
    ) -> None:
        self._store = store
        self._others = others
        self._leave = leave
        self._log = structlog.get_logger().bind(component="apiserver")
        self.serving = asyncio.Event()

    async def run(self, server: GrpcServer, again: Callable[[], GrpcServer]) -> None:
        """Serve until cancelled, first by `server`, which listens, later by those that `again`
        makes; it may raise AddressInUse, and is then tried later.
        """
        while True:
            async with server:
                await server.set_serving(True)
                self.serving.set()
                why = await self.lost()
                self._log.error("the store is away: gRPC clients are sent elsewhere", error=why)
                self._leave()
            self.serving.clear()
            await self.found()
            server = await self._listening(again)
            self._log.info("the store is back: gRPC is served again")

    async def lost(self) -> str:
        """Why the store does not answer, when it has not for LOST_SECONDS."""
        loop = asyncio.get_running_loop()
        answered = loop.time()
        while True:
            began = loop.time()
            why = await self._fault()
            if not why:
                answered = loop.time()
            elif loop.time() - answered >= LOST_SECONDS and self._others():
                return why
            await asyncio.sleep(max(0.0, began + LOOK_SECONDS - loop.time()))

    async def found(self) -> None:
        """Return when the store answers."""
        while True:
            if not await self._fault():
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _fault(self) -> str:
        """What the store says, or that it says nothing; "" where all is well. Where it is only full
        others are no better off: it is asked for nothing but what is newest.
        """
        try:
            async with asyncio.timeout(LOST_SECONDS):
                await self._store.newest()
        except storage.Unavailable as error:
            return str(error)
        except TimeoutError:
            return "no answer"
        return ""

    async def _listening(self, again: Callable[[], GrpcServer]) -> GrpcServer:
        while True:
            try:
                return again()
            except AddressInUse as error:
                self._log.error("gRPC cannot be served again yet", error=str(error))
            await asyncio.sleep(LOOK_SECONDS)
