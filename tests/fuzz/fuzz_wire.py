"""Requests as bytes on a TLS connection: what a client library would never send can be sent."""

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_PATIENCE = 15.0
_GLIMPSE = 0.3
"""Seconds that an answer without end (a watch, a log) is read."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `target` is path and query as they go on the wire; `about`: who made it up."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    about: str = ""

    def text(self) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        named = {name.lower() for name, _ in self.headers}
        if "content-length" not in named and (self.body or self.method != "GET"):
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass") + self.body

    def curl(self) -> str:
        """The request as one can read it, and send it again."""
        said = " ".join(f"-H '{name}: {value[:200]}'" for name, value in self.headers)
        return f"{self.method} {self.target} {said} {self.body[:1500]!r}"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status 0: the connection ended without an answer, -1: none came in time."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    endless: bool = False

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(slots=True)
class Connection:
    """A keep-alive connection, opened again when the server or an odd request ended it."""

    port: int
    tls: ssl.SSLContext
    token: str = ""
    _socket: ssl.SSLSocket | None = None

    def get(self, target: str) -> Answer:
        return self.ask("GET", target)

    def ask(self, method: str, target: str, body: Any = None, media: str = "") -> Answer:
        """A well-behaved request with the connection's token."""
        text = (
            b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        )
        headers = (("Authorization", f"Bearer {self.token}"),)
        if text:
            headers += (("Content-Type", media or "application/json"),)
        return self.send(Request(method, target, headers, text))

    def send(self, request: Request) -> Answer:
        start = time.monotonic()
        fresh = self._socket is None
        answer = self._once(request, start)
        if answer.status == 0 and not fresh:  # the server may end an idle connection
            answer = self._once(request, start)
        return answer

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _once(self, request: Request, start: float) -> Answer:
        try:
            if self._socket is None:
                plain = socket.create_connection(("127.0.0.1", self.port), _PATIENCE)
                self._socket = self.tls.wrap_socket(plain, server_hostname="localhost")
            self._socket.settimeout(_PATIENCE)
            self._socket.sendall(request.text())
            response = http.client.HTTPResponse(self._socket, method=request.method)
            response.begin()
            return self._read(request, response, start)
        except TimeoutError:
            self.close()
            return Answer(-1, seconds=time.monotonic() - start)
        except (OSError, http.client.HTTPException):
            self.close()
            return Answer(0, seconds=time.monotonic() - start)

    def _read(self, request: Request, response: http.client.HTTPResponse, start: float) -> Answer:
        headers = {name.lower(): value for name, value in response.getheaders()}
        seconds = time.monotonic() - start
        body = b""
        endless = response.status == 101 or (
            response.chunked and any(word in request.target for word in ("watch", "follow"))
        )
        if endless:
            assert self._socket is not None
            self._socket.settimeout(_GLIMPSE)
            try:
                body = response.read1(1 << 16) if response.status != 101 else b""
            except (TimeoutError, OSError):
                body = b""
            self.close()
        else:
            body = response.read()
            seconds = time.monotonic() - start
            if response.will_close:
                self.close()
        return Answer(response.status, headers, body, seconds, endless)


class Watchdog:
    """Another client, which asks for something small all the time: nobody else's request may
    keep it waiting. `busy` tells the processor's seconds that the server has used.
    """

    def __init__(self, connection: Connection, path: str, busy: Callable[[], float]) -> None:
        self._connection = connection
        self._busy = busy
        self._path = path
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.current = ""
        self.asked = 0
        self.worst = 0.0
        self.slow: list[tuple[float, str]] = []

    def __enter__(self) -> "Watchdog":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(60)
        self._connection.close()

    def _run(self) -> None:
        while not self._end.wait(0.02):
            before, busy = self.current, self._busy()
            answer = self._connection.get(self._path)
            self.asked += 1
            self.worst = max(self.worst, answer.seconds)
            # On a machine that others use, a server that does not run keeps nobody waiting itself.
            late = (
                answer.seconds > LONGEST_OF_OTHERS and self._busy() - busy > LONGEST_OF_OTHERS / 2
            )
            if answer.status != 200 or late or answer.seconds > SURELY_TOO_LONG:
                where = f"{answer.status}: {before} / {self.current}"
                self.slow.append((answer.seconds, where))


LONGEST_OF_OTHERS = 1.5
"""Seconds that somebody else's small GET may take: a thousand times what it takes."""
SURELY_TOO_LONG = 10.0
"""The same where the server did not even work meanwhile."""
