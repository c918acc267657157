"""The HTTP that a probe or hook needs: one GET a connection, sans-IO, on h11.

Source: pkg/probe/http: what is read of a body is bounded, any status from 200 to 399 is good,
redirects are followed on the same host only.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

import h11

MAX_BODY: Final = 10 << 10
MAX_HEAD: Final = 64 << 10
MAX_REDIRECTS: Final = 10


class Malformed(ValueError):
    """What came is no HTTP."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to ask. `headers` are added to the usual ones, or take their place."""

    scheme: str
    host: str
    port: int
    path: str
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def authority(self) -> str:
        """`host:port`; an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole."""
        return f"{self.scheme}://{self.authority}{self.path}"

    def redirected(self, location: str) -> "Target | None":
        """Where a redirect leads, None where that is another host. ValueError for no URL."""
        found = urlsplit(urljoin(self.url, location))
        if found.scheme not in ("http", "https") or (found.hostname or "") != self.host:
            return None
        port = found.port or (443 if found.scheme == "https" else 80)
        path = (found.path or "/") + (f"?{found.query}" if found.query else "")
        return Target(found.scheme, self.host, port, path, self.headers)


class Exchange:
    """One GET: `outgoing` is the request; `feed` bytes until it is `complete`. Malformed."""

    def __init__(self, target: Target, agent: str) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.complete = False
        self._connection = h11.Connection(h11.CLIENT, MAX_HEAD)
        try:
            asked = h11.Request(
                method="GET", target=_target(target.path), headers=_headers(target, agent)
            )
            self.outgoing = (self._connection.send(asked) or b"") + (
                self._connection.send(h11.EndOfMessage()) or b""
            )
        except (h11.LocalProtocolError, UnicodeEncodeError) as error:
            raise Malformed(f"invalid request: {error}") from error

    def feed(self, data: bytes) -> None:
        """Take bytes; b"" says that the connection was closed."""
        try:
            self._connection.receive_data(data)
            while not self.complete:
                event = self._connection.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    return
                self._handle(event)
        except h11.RemoteProtocolError as error:
            if data or not self.status:
                raise Malformed(f"malformed HTTP response: {error}" if data else "EOF") from error
            self.complete = True  # cut off in its body: the status is what counts

    def _handle(self, event: object) -> None:
        if isinstance(event, h11.Response):
            self.status = event.status_code
            for name, value in event.headers:
                self.headers[name.decode()] = value.decode(errors="replace")
        elif isinstance(event, h11.Data):
            self.body = (self.body + bytes(event.data))[:MAX_BODY]
            self.complete = len(self.body) == MAX_BODY
        elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
            self.complete = True


def _target(path: str) -> str:
    """A path as it goes on the wire: what may not stand there is escaped."""
    return quote(path, safe="/?&=%:@!$'()*+,;~#-._[]")


def _headers(target: Target, agent: str) -> list[tuple[str, str]]:
    """The usual headers, those of the target in their place; an empty one is left out."""
    found = {
        "host": ("Host", target.authority),
        "user-agent": ("User-Agent", agent),
        "accept": ("Accept", "*/*"),
        "connection": ("Connection", "close"),
    }
    extra: list[tuple[str, str]] = []
    for name, value in target.headers:
        if name.lower() in found:
            found[name.lower()] = (name, value)
        else:
            extra.append((name, value))
    return [(name, value) for name, value in (*found.values(), *extra) if value]
