"""WebSockets (RFC 6455), the server's side: the handshake and frames, sans-IO; and an echo."""

import asyncio
import base64
import hashlib
from dataclasses import dataclass, field
from typing import Final

from cluster.runtime.emulated.web.messages import Headers, Request, Response, Takeover
from cluster.runtime.vos.sockets import Stream

_KEY: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MAX_MESSAGE: Final = 1 << 20
_IDLE: Final = 600.0
TOO_BIG, PROTOCOL_ERROR = 1009, 1002


def wanted(request: Request) -> bool:
    """Whether a request asks for a WebSocket."""
    headers = request.headers
    return (
        request.method == "GET"
        and headers.has("connection", "upgrade")
        and headers.get("upgrade").lower() == "websocket"
        and "sec-websocket-key" in headers
    )


def accepted(request: Request, takeover: Takeover) -> Response:
    """The answer that makes a WebSocket of the connection."""
    key = request.headers.get("sec-websocket-key").strip() + _KEY
    digest = hashlib.sha1(key.encode("latin-1"), usedforsecurity=False).digest()
    headers = Headers([
        ("Upgrade", "websocket"), ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", base64.b64encode(digest).decode()),
    ])  # fmt: skip
    return Response(101, headers, takeover=takeover)


def frame(kind: int, data: bytes) -> bytes:
    """A server's frame with all of a message."""
    size = len(data)
    if size < 126:
        head = bytes((0x80 | kind, size))
    elif size < 1 << 16:
        head = bytes((0x80 | kind, 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | kind, 127)) + size.to_bytes(8, "big")
    return head + data


class Refused(Exception):
    """What the client sent is not allowed; `code` closes the WebSocket."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


@dataclass(slots=True)
class Frames:
    """Takes a client's bytes and gives its messages."""

    _data: bytearray = field(default_factory=bytearray)
    _message: bytearray = field(default_factory=bytearray)
    _kind: int = 0

    def receive(self, data: bytes) -> list[tuple[int, bytes]]:
        """Messages and control frames, as (kind, content). Refused."""
        self._data += data
        found: list[tuple[int, bytes]] = []
        while (one := self._frame()) is not None:
            first, content = one
            kind, last = first & 0x0F, bool(first & 0x80)
            if kind >= CLOSE:
                found.append((kind, content))
                continue
            if (kind == CONTINUATION) == (self._kind == 0):
                raise Refused(PROTOCOL_ERROR)
            self._kind = self._kind or kind
            self._message += content
            if len(self._message) > MAX_MESSAGE:
                raise Refused(TOO_BIG)
            if last:
                found.append((self._kind, bytes(self._message)))
                self._message.clear()
                self._kind = 0
        return found

    def _frame(self) -> tuple[int, bytes] | None:
        data = self._data
        if len(data) < 2:
            return None
        first, size, start = data[0], data[1] & 0x7F, 2
        if not data[1] & 0x80 or first & 0x70 or (first & 0x0F) not in (0, 1, 2, 8, 9, 10):
            raise Refused(PROTOCOL_ERROR)
        if size > 125:
            if first & 0x08:
                raise Refused(PROTOCOL_ERROR)
            width = 2 if size == 126 else 8
            start = 2 + width
            if len(data) < start:
                return None
            size = int.from_bytes(data[2:start], "big")
        if size > MAX_MESSAGE:
            raise Refused(TOO_BIG)
        if len(data) < start + 4 + size:
            return None
        mask = bytes(data[start : start + 4])
        masked = bytes(data[start + 4 : start + 4 + size])
        del data[: start + 4 + size]
        stretched = (mask * (size // 4 + 1))[:size]
        plain = int.from_bytes(masked, "big") ^ int.from_bytes(stretched, "big")
        return first, plain.to_bytes(size, "big")


async def echo(stream: Stream, data: bytes, greeting: bytes = b"") -> None:
    """Send every message back, until the client closes or is silent for ten minutes. OSError."""
    frames = Frames()
    if greeting:
        await stream.send(frame(TEXT, greeting))
    while True:
        try:
            found = frames.receive(data)
        except Refused as refused:
            await stream.send(frame(CLOSE, refused.code.to_bytes(2, "big")))
            return
        for kind, content in found:
            if kind == CLOSE:
                await stream.send(frame(CLOSE, content[:2]))
                return
            if kind != PONG:
                await stream.send(frame(PONG if kind == PING else kind, content))
        async with asyncio.timeout(_IDLE):
            data = await stream.receive()
        if not data:
            return
