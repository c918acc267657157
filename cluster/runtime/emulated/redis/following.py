"""A follower: asks its leader for all data, then takes every change, by Redis' own protocol."""

import asyncio
from typing import Final

from cluster.aio import tasks
from cluster.runtime.emulated.redis import naming, rdb, resp
from cluster.runtime.emulated.redis.engine import Engine
from cluster.runtime.emulated.redis.session import Session
from cluster.runtime.vos import sockets
from cluster.runtime.vos.kernel import Call

_AGAIN: Final = 1.0
_PATIENCE: Final = 60.0
"""repl-timeout."""
_MOST: Final = 128 << 20


class _Broken(Exception):
    """The leader says or sends what cannot be followed."""


class Following:
    """Follows the leader that the settings name, as long as they do."""

    def __init__(self, call: Call, engine: Engine, group: tasks.Group) -> None:
        self._call = call
        self._engine = engine
        self._group = group
        self._task: asyncio.Task[None] | None = None

    def restart(self) -> None:
        """Follow whom the settings name now."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._engine.settings.leader() is not None:
            self._task = self._group.spawn(self._follow(), "follow")

    async def _follow(self) -> None:
        engine = self._engine
        while (leader := engine.settings.leader()) is not None:
            engine.host.log(f"Connecting to MASTER {leader[0]}:{leader[1]}")
            try:
                await self._once(*leader)
            except (OSError, _Broken, rdb.Unreadable, resp.Malformed) as error:
                said = error.strerror if isinstance(error, OSError) and error.strerror else error
                engine.host.log(f"Error condition on socket for SYNC: {said}", "#")
            engine.linked = False
            await engine.host.flush()
            await asyncio.sleep(_AGAIN)

    async def _once(self, host: str, port: int) -> None:
        address = await naming.address(self._call, host)
        self._engine.host.log("MASTER <-> REPLICA sync started")
        await self._engine.host.flush()
        async with asyncio.timeout(_PATIENCE):
            stream = await self._call.net.connect(address, port)
        try:
            await self._take(stream)
        finally:
            stream.close()

    async def _take(self, stream: sockets.Stream) -> None:
        engine = self._engine
        reader = _Reader(stream)
        async with asyncio.timeout(_PATIENCE):
            await self._greet(reader)
            engine.host.log("MASTER <-> REPLICA sync: Flushing old data")
            data = await reader.bulk()
        engine.host.log("MASTER <-> REPLICA sync: Loading DB in memory")
        engine.load(data)
        engine.linked = True
        engine.host.changed()
        engine.host.log("MASTER <-> REPLICA sync: Finished with success")
        await engine.host.flush()
        session = Session(engine, 0, "leader", lambda: None)
        session.allowed = session.follower = True
        session.receive(reader.rest())
        while True:
            self._apply(session)
            acknowledged = resp.command([b"REPLCONF", b"ACK", b"%d" % engine.offset])
            await stream.send(acknowledged)
            more = await stream.receive()
            if not more:
                raise _Broken("connection lost")
            engine.offset += len(more)
            session.receive(more)

    def _apply(self, session: Session) -> None:
        engine = self._engine
        engine.applying = True
        try:
            while session.step():
                pass
        finally:
            engine.applying = False
        if session.closing:
            raise _Broken("the leader sends what is no command")

    async def _greet(self, reader: "_Reader") -> None:
        settings = self._engine.settings
        secret = settings["masterauth"]
        port = settings["port"].encode()
        greetings = [[b"PING"], [b"REPLCONF", b"listening-port", port], [b"PSYNC", b"?", b"-1"]]
        if secret:
            greetings.insert(0, [b"AUTH", secret.encode()])
        for one in greetings:
            await reader.stream.send(resp.command(one))
            line = await reader.line()
            if line.startswith(b"-"):
                raise _Broken(f"{one[0].decode()}: {line[1:].decode(errors='replace')}")
        words = line.split()
        if words[0] != b"+FULLRESYNC" or len(words) < 3:
            raise _Broken("the leader does not give its data")
        digits = words[2][:18]
        self._engine.offset = int(digits) if digits.isdigit() else 0


class _Reader:
    """Reads lines and one bulk."""

    def __init__(self, stream: sockets.Stream) -> None:
        self.stream = stream
        self._data = bytearray()

    async def _more(self) -> None:
        more = await self.stream.receive()
        if not more:
            raise _Broken("connection lost")
        self._data += more

    async def line(self) -> bytes:
        """The next line that is not empty (a leader sends empty ones while one waits)."""
        while True:
            end = self._data.find(b"\n")
            if end >= 0:
                line = bytes(self._data[:end]).strip()
                del self._data[: end + 1]
                if line:
                    return line
            elif len(self._data) > resp.MAX_INLINE:
                raise _Broken("a line is too long")
            else:
                await self._more()

    async def bulk(self) -> bytes:
        """A bulk string without an end of line."""
        head = await self.line()
        if head[:1] != b"$" or not head[1:].isdigit() or int(head[1:12]) > _MOST:
            raise _Broken("the leader's data cannot be read")
        size = int(head[1:])
        while len(self._data) < size:
            await self._more()
        data = bytes(self._data[:size])
        del self._data[:size]
        return data

    def rest(self) -> bytes:
        """What came after that."""
        return bytes(self._data)
