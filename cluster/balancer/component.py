"""A TCP balancer before API servers: as small as one can be that loses no client for long."""

import asyncio
import contextlib
import socket
import ssl

import structlog

from cluster.aio import tasks
from cluster.balancer import checking, relaying
from cluster.balancer.choosing import Health, Pool, judge
from cluster.balancer.config import Config, split

_BACKLOG = 1024


class Balancer:
    """Serves until `run` is cancelled; `ready` is set when it listens and a server is ready.

    `context` is how servers are asked for their health; None: without TLS. `port` tells where it
    listens.
    """

    def __init__(self, config: Config, context: ssl.SSLContext | None) -> None:
        self._config = config
        self._context = context
        self._pool = Pool(len(config.backends))
        self._held: list[dict[asyncio.Task[None], None]] = [{} for _ in config.backends]
        self._log = structlog.get_logger().bind(component="balancer")
        self._group: tasks.Group | None = None
        self.ready = asyncio.Event()
        self.port = 0

    async def run(self) -> None:
        """Listen and pass connections on. OSError where it cannot listen."""
        host, port = split(self._config.listen)
        async with tasks.Group("balancer") as group:
            self._group = group
            server = await asyncio.start_server(
                self._accepted, host, port, backlog=_BACKLOG, limit=relaying.CHUNK
            )
            self.port = server.sockets[0].getsockname()[1]
            self._log.info("listening", port=self.port)
            try:
                for number in range(len(self._config.backends)):
                    group.spawn(self._check(number), f"check {number}")
                await asyncio.get_running_loop().create_future()
            finally:
                server.close()

    async def _check(self, number: int) -> None:
        """Ask one server for its health, for ever."""
        config, backend = self._config, self._config.backends[number]
        ready, lives = (
            checking.Probe(split(backend.checked), path, self._context, config.name)
            for path in (config.path, config.live_path)
        )
        loop = asyncio.get_running_loop()
        try:
            while True:
                began = loop.time()
                async with tasks.Group(f"check {number}") as group:
                    first = group.spawn(ready.ask(config.timeout), "ready")
                    second = group.spawn(lives.ask(config.timeout), "lives")
                self._found(number, judge(first.result(), second.result()))
                await asyncio.sleep(max(config.period - (loop.time() - began), 0.0))
        finally:
            ready.close()
            lives.close()

    def _found(self, number: int, health: Health) -> None:
        if self._pool.found(number, health):
            address = self._config.backends[number].address
            self._log.info("server", address=address, health=health.value)
        if health is Health.READY:
            self.ready.set()
        elif health is Health.LOST:
            for task in list(self._held[number]):
                task.cancel()  # its clients find another server

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A client has come. The task is asyncio's; it ends with the connection."""
        if self._pool.total >= self._config.most:
            self._log.warning("too many connections", most=self._config.most)
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        tried: dict[int, None] = {}
        while (number := self._pool.choose(tried)) is not None:
            tried[number] = None
            self._pool.opened(number)
            self._held[number][task] = None
            try:
                server = await self._connected(number)
                if server is not None:
                    _alive(writer)
                    await relaying.relay((reader, writer), server)
                    return
            except asyncio.CancelledError:
                writer.transport.abort()
                return
            finally:
                del self._held[number][task]
                self._pool.closed(number)
        writer.transport.abort()

    async def _connected(self, number: int) -> relaying.Streams | None:
        """A connection to a server; None where it has none for us."""
        host, port = split(self._config.backends[number].address)
        with contextlib.suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(self._config.connect):
                streams = await asyncio.open_connection(host, port, limit=relaying.CHUNK)
            _alive(streams[1])
            return streams
        return None


def _alive(writer: asyncio.StreamWriter) -> None:
    """Notice one day that the other end is gone without a word, and delay nothing that is small."""
    found = writer.get_extra_info("socket")
    if found is not None:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
