"""The client's side of an upgrade to SPDY: from a URL to a connection.

Source: k8s.io/apimachinery/pkg/util/httpstream/spdy (roundtripper.go).
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from cluster.streams.spdy import session
from cluster.streams.spdy.connection import Connection
from cluster.streams.spdy.faults import Malformed

_SECONDS: Final = 30.0
_MAX_HEAD: Final = 1 << 16
_MAX_WORDS: Final = 1 << 12
_READ: Final = 1 << 16
_VERSION: Final = "x-stream-protocol-version"


class Refused(Exception):
    """The server does not upgrade; the message says why."""


class StreamPipe:
    """Bytes over a connection of ours: see `pipes.Pipe`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        """See `Pipe.read`."""
        try:
            return await self._reader.read(_READ)
        except ConnectionError:
            return b""

    async def write(self, data: bytes) -> None:
        """See `Pipe.write`."""
        if self._writer.is_closing():  # uvloop fails by no ConnectionError there
            raise ConnectionResetError("the connection is closed")
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        """See `Pipe.close`."""
        self._writer.close()


async def dial(url: str, versions: Sequence[str]) -> tuple[Connection, StreamPipe, str]:
    """A connection to the server at a URL, its pipe, and the version that the server chose.

    Refused; OSError, TimeoutError where it cannot be reached.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise Refused(f"the URL {url!r} is none of http")
    async with asyncio.timeout(_SECONDS):
        reader, writer = await asyncio.open_connection(
            parts.hostname, parts.port or 80, limit=_MAX_HEAD
        )
        try:
            version = await _upgraded(reader, writer, parts.netloc, _target(url), versions)
        except BaseException:
            writer.close()
            raise
    pipe = StreamPipe(reader, writer)
    return Connection(pipe, session.Session(client=True)), pipe, version


async def served(connection: Connection) -> None:
    """Run a connection to its end, whatever that is: its streams tell of it."""
    with contextlib.suppress(ConnectionError, Malformed):
        await connection.run(lambda _stream: None)


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


async def _upgraded(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    host: str,
    target: str,
    versions: Sequence[str],
) -> str:
    lines = [f"POST {target} HTTP/1.1", f"Host: {host}", "Connection: Upgrade"]
    lines += ["Upgrade: SPDY/3.1", "Content-Length: 0"]
    lines += [f"X-Stream-Protocol-Version: {version}" for version in versions]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise Refused(f"unable to upgrade connection: {error}") from error
    first, *rest = head.split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in _split(rest)}
    if " 101 " not in f"{first} ":
        words = (await reader.read(_MAX_WORDS)).decode(errors="replace").strip()
        raise Refused(f"unable to upgrade connection: {words or first}")
    return headers.get(_VERSION, versions[-1])


def _split(lines: Sequence[str]) -> list[tuple[str, str, str]]:
    return [line.partition(":") for line in lines if ":" in line]
