"""The two kinds of clients of exec and attach: over WebSocket channels, and over SPDY streams."""

import asyncio
import json
from typing import Any, Final

import aiohttp
import msgspec
from aiohttp import web

from cluster.aio import tasks
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.streams import channels, remotecommand
from cluster.streams.options import Command
from cluster.streams.remotecommand import Put, pieces
from cluster.streams.spdy.connection import PROTOCOL_ERROR, Connection, Stream
from cluster.streams.spdy.faults import Malformed

CREATION_SECONDS: Final = 30.0
"""How long a client may take to create its streams (DefaultStreamCreationTimeout)."""
MOST_STREAMS: Final = 64
"""Streams of a client that nobody has looked at yet; a command has five at most."""
LINGER_SECONDS: Final = 5.0
"""How long a client may take to hang up after the end."""
GRACE_SECONDS: Final = 0.02
"""What a client of v5 is left to make its streams in. Nothing tells when it has, and client-go used
to discard what comes earlier, the end of the command too (wsStreamExecutor, readDemuxLoop)."""
SPDY_VERSIONS: Final = (
    "v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io",
)  # fmt: skip
_RESIZE_BYTES: Final = 4096
_SIZE = json.JSONDecoder()


class ChannelClient:
    """A client that speaks WebSocket channels."""

    def __init__(
        self, socket: web.WebSocketResponse, protocol: channels.Protocol, wanted: Command
    ) -> None:
        self._socket = socket
        self._protocol = protocol
        self._wanted = wanted
        self._greeted = asyncio.Event()

    async def served(self, job: remotecommand.Job) -> None:
        """Carry out a job for this client. ConnectionError."""
        async with tasks.Group("channels") as group:
            group.spawn(self._greet(), "greeting")
            await remotecommand.run(self, job)

    async def _greet(self) -> None:
        """Tell the client that it is connected: an empty message on its first channel."""
        if self._protocol.closes:
            await asyncio.sleep(GRACE_SECONDS)
        wanted = self._wanted
        first = channels.STDOUT if wanted.stdout else channels.STDERR
        await self._put(first if wanted.stdout or wanted.stderr else channels.ERROR, b"")
        self._greeted.set()

    async def pump(self, put: Put) -> None:
        """See `remotecommand.Client`."""
        while True:
            message = await self._socket.receive()
            if message.type == aiohttp.WSMsgType.BINARY:
                data = message.data
            elif message.type == aiohttp.WSMsgType.TEXT:
                data = message.data.encode()
            else:
                return
            try:
                said = channels.decode(self._protocol, data)
            except channels.Malformed:
                return
            for item in self._inputs(said):
                await put(item)

    async def send(self, channel: int, data: bytes) -> None:
        """See `remotecommand.Client`."""
        await self._greeted.wait()
        await self._put(channel, data)

    async def _put(self, channel: int, data: bytes) -> None:
        message = channels.encode(self._protocol, channel, data)
        if isinstance(message, str):
            await self._socket.send_str(message)
        else:
            await self._socket.send_bytes(message)

    async def finish(self, status: dict[str, Any]) -> None:
        """See `remotecommand.Client`."""
        text = _told(status, as_status=self._protocol.status)
        if text:
            await self.send(channels.ERROR, text)
        await self._socket.close()

    def _inputs(self, said: channels.Piece | channels.Close) -> list[pb.StreamInput]:
        match said:
            case channels.Piece(channels.STDIN, data) if self._wanted.stdin:
                return pieces(data)
            case channels.Close(channels.STDIN) if self._wanted.stdin:
                return [pb.StreamInput(stdin_closed=True)]
            case channels.Piece(channels.RESIZE, data) if self._wanted.tty:
                return sizes(data.decode(errors="replace"))[0]
        return []


class SpdyClient:
    """A client that speaks SPDY."""

    def __init__(self, connection: Connection, version: str, wanted: Command) -> None:
        self._connection = connection
        self._as_status = version == SPDY_VERSIONS[0]
        self._wanted = wanted
        self._streams: dict[str, Stream] = {}
        self._opened: asyncio.Queue[Stream] = asyncio.Queue(MOST_STREAMS)
        self._over = asyncio.Event()
        kinds = {"error": True, "stdin": wanted.stdin, "stdout": wanted.stdout}
        kinds |= {"stderr": wanted.stderr, "resize": wanted.tty and version in SPDY_VERSIONS[:2]}
        self._expected = [kind for kind, expected in kinds.items() if expected]

    async def run(self) -> None:
        """Serve the connection until the client is gone."""
        try:
            await self._connection.run(self._open)
        finally:
            self._over.set()

    def _open(self, stream: Stream) -> None:
        """Nobody takes streams any more once all are there: who goes on opening them has to go."""
        if self._opened.full():
            raise Malformed("more streams than a command has")
        self._opened.put_nowait(stream)

    async def served(self, job: remotecommand.Job) -> None:
        """Carry out a job for this client. ConnectionError, Malformed, TimeoutError."""
        async with tasks.Group("spdy") as group:
            serving = group.spawn(self.run(), "connection")
            await self.streams()
            await remotecommand.run(self, job)
            serving.cancel()

    async def streams(self) -> None:
        """Wait until the client has created the streams that it asked for. TimeoutError."""
        async with asyncio.timeout(CREATION_SECONDS):
            while len(self._streams) < len(self._expected):
                stream = await self._opened.get()
                kind = stream.header("streamtype")
                if kind not in self._expected or kind in self._streams:
                    await stream.reset(PROTOCOL_ERROR)
                    continue
                self._streams[kind] = stream
                await self._connection.accept(stream)

    async def pump(self, put: Put) -> None:
        """See `remotecommand.Client`."""
        async with tasks.Group("spdy input") as group:
            if "stdin" in self._streams:
                group.spawn(self._stdin(self._streams["stdin"], put), "stdin")
            if "resize" in self._streams:
                group.spawn(self._resize(self._streams["resize"], put), "resize")
            await self._over.wait()

    async def send(self, channel: int, data: bytes) -> None:
        """See `remotecommand.Client`."""
        stream = self._streams.get("stdout" if channel == channels.STDOUT else "stderr")
        if stream is not None:
            await stream.write(data)

    async def finish(self, status: dict[str, Any]) -> None:
        """See `remotecommand.Client`."""
        text = _told(status, as_status=self._as_status)
        if text:
            await self._streams["error"].write(text)
        for kind in ("stdout", "stderr", "error"):
            if kind in self._streams:
                await self._streams[kind].close()
        # What the client still sends is read and thrown away: to hang up with bytes unread would
        # make the kernel take back what the client has not read yet.
        for kind in ("stdin", "resize"):
            if kind in self._streams:
                self._connection.release(self._streams[kind])
        await self._connection.leave()
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                await self._over.wait()
        except TimeoutError:
            return

    async def _stdin(self, stream: Stream, put: Put) -> None:
        while data := await stream.read():
            for item in pieces(data):
                await put(item)
        await put(pb.StreamInput(stdin_closed=True))

    async def _resize(self, stream: Stream, put: Put) -> None:
        text = ""
        while data := await stream.read():
            found, text = sizes(text + data.decode(errors="replace"))
            for item in found:
                await put(item)
            if len(text) > _RESIZE_BYTES:
                return


def sizes(text: str) -> tuple[list[pb.StreamInput], str]:
    """The terminal sizes that a text holds, and what is left of it; what is no size is skipped."""
    found = []
    text = text.lstrip()
    while text:
        try:
            value, end = _SIZE.raw_decode(text)
        except (ValueError, RecursionError):
            break
        text = text[end:].lstrip()
        width, height = (
            (value.get("Width"), value.get("Height")) if isinstance(value, dict) else (None, None)
        )
        if _is_size(width) and _is_size(height):
            size = pb.TerminalSize(width=width, height=height)
            found.append(pb.StreamInput(resize=size))
    return found, text


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 65535


def _told(status: dict[str, Any], *, as_status: bool) -> bytes:
    """What the error stream says of an end: a Status, or in old protocols words if it failed."""
    if as_status:
        return msgspec.json.encode(status)
    if status["status"] == "Success":
        return b""
    return str(status.get("message", "")).encode()
