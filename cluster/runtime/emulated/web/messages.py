"""What is sent over HTTP/1.1: requests with bodies that are read piece by piece, and responses."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, unquote

from cluster.runtime.vos.sockets import Endpoint, Stream

MAX_BODY: Final = 1 << 20
"""Bytes of a request's body that are read at once, unless a handler says otherwise."""
_MAX_FIELDS: Final = 1000
_AUTHORITY: Final = re.compile("[/?#]")
"""What ends the authority of a URI."""
NOWHERE: Final = Endpoint("", 0)
PHRASES: Final = {one.value: one.phrase for one in HTTPStatus} | {
    413: "Request Entity Too Large", 414: "Request-URI Too Large",
    416: "Requested Range Not Satisfiable",
}  # fmt: skip


class TooLarge(Exception):
    """A body of more bytes than are taken."""


class Headers:
    """Header fields in order, found whatever the case of their names."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs = list(pairs)

    def get(self, name: str, default: str = "") -> str:
        """The first value of a field."""
        lower = name.lower()
        return next((value for key, value in self.pairs if key.lower() == lower), default)

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        lower = name.lower()
        return [value for key, value in self.pairs if key.lower() == lower]

    def joined(self, name: str) -> str:
        """Every value of a field, as one (RFC 9110, section 5.3)."""
        return ", ".join(self.all(name))

    def has(self, name: str, token: str) -> bool:
        """Whether one of the comma-separated tokens of a field is `token`."""
        return token in (one.strip().lower() for one in self.joined(name).split(","))

    def add(self, name: str, value: str) -> None:
        """One more value."""
        self.pairs.append((name, value))

    def set(self, name: str, value: str) -> None:
        """This value in the place of all that there were."""
        self.drop(name)
        self.pairs.append((name, value))

    def drop(self, name: str) -> None:
        """Forget a field."""
        lower = name.lower()
        self.pairs = [pair for pair in self.pairs if pair[0].lower() != lower]

    def __contains__(self, name: str) -> bool:
        lower = name.lower()
        return any(key.lower() == lower for key, _ in self.pairs)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    """Bytes that are there, as a body that is read piece by piece."""
    for piece in data:
        yield piece


@dataclass(slots=True)
class Request:
    """A request. `stream` gives its body, once."""

    method: str
    target: str
    """As it was sent: `/path?query`, rarely `http://host/path`."""
    headers: Headers = field(default_factory=Headers)
    peer: Endpoint = NOWHERE
    local: Endpoint = NOWHERE
    minor: int = 1
    """Of its protocol: HTTP/1.minor."""
    stream: AsyncIterator[bytes] = field(default_factory=pieces)
    size: int = 0
    """Bytes of its head."""
    number: int = 1
    """Which one it is of its connection, from 1."""
    scheme: str = "http"

    @property
    def path(self) -> str:
        """The path, as it was sent."""
        target = self.target.partition("#")[0].partition("?")[0]
        if not target.startswith("/") and "://" in target:
            return "/" + target.partition("://")[2].partition("/")[2]
        return target

    @property
    def query(self) -> str:
        """What follows the question mark."""
        return self.target.partition("#")[0].partition("?")[2]

    @property
    def uri(self) -> str:
        """Path and query, as they were sent."""
        return f"{self.path}?{self.query}" if "?" in self.target else self.path

    @property
    def decoded(self) -> str:
        """The path without its percent signs."""
        return unquote(self.path, errors="surrogateescape")

    @property
    def host(self) -> str:
        """The host that is asked, without a port, in lower case.

        A target that names one goes before the Host header (RFC 9112, section 3.2.2).
        """
        told = self.headers.get("host")
        if not self.target.startswith("/") and "://" in self.target:
            told = _AUTHORITY.split(self.target.partition("://")[2], maxsplit=1)[0]
            told = told.rpartition("@")[2]
        return split_host(told)[0].lower()

    @property
    def line(self) -> str:
        """The request line."""
        return f"{self.method} {self.target} HTTP/1.{self.minor}"

    def parameters(self) -> dict[str, str]:
        """The query's fields; of several alike the first."""
        return fields(self.query)

    async def body(self, limit: int = MAX_BODY) -> bytes:
        """All of the body. TooLarge."""
        found = bytearray()
        async for piece in self.stream:
            found += piece
            if len(found) > limit:
                raise TooLarge
        return bytes(found)


def fields(text: str) -> dict[str, str]:
    """The fields of a query or a form; of several alike the first."""
    found: dict[str, str] = {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        return found
    for key, value in pairs:
        found.setdefault(key, value)
    return found


def split_host(text: str, default: int = 0) -> tuple[str, int]:
    """Host and port of `host:port`, `[::1]:80` or `host`; what is no port is `default`."""
    host, colon, port = text.rpartition(":")
    if not colon or "]" in port:
        host, port = text, ""
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else default
    return host.removeprefix("[").removesuffix("]"), number


Takeover = Callable[[Stream, bytes], Awaitable[None]]
"""Has the connection after `101 Switching Protocols`, and what came on it already."""


@dataclass(slots=True)
class Response:
    """An answer. A body that is no bytes is sent as it comes."""

    status: int = 200
    headers: Headers = field(default_factory=Headers)
    body: bytes | AsyncIterator[bytes] = b""
    reason: str = ""
    takeover: Takeover | None = None
    close: bool = False
    """Whether the connection ends with it."""
    drop: bool = False
    """Whether the connection ends without it: nginx' 444."""
    note: object = None
    """For whoever made it, to find it again when it was sent."""


def text(
    content: str | bytes, status: int = 200, *, kind: str = "text/plain; charset=utf-8"
) -> Response:
    """An answer of some text."""
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    return Response(status, Headers([("Content-Type", kind)]), data)


Handler = Callable[[Request], Awaitable[Response]]
