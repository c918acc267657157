"""The well-behaved server that a container is when nothing says otherwise: HTTP/1.1, sans-IO.

Every request is answered 200 with a few lines of plain text, and makes an access-log line. A client
that begins with HTTP/2 is handed to `grpcserving`, one that begins with TLS to `tlsserving`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cluster.api import httpanswers
from cluster.api.httpanswers import Answer

if TYPE_CHECKING:
    from cluster.runtime.podsockets import Answering

_PREFACE: Final = b"PRI * HTTP/2.0\r\n"
_HANDSHAKE: Final = 22
"""What a record of TLS begins with that opens a connection (RFC 8446, 5.1): no text does."""
MAX_HEAD: Final = 16 << 10
_LINE: Final = re.compile(rb"([A-Z]{1,20}) ([\x21-\x7e]{1,8000}) HTTP/1\.([01])")
_MOST: Final = 1 << 20
"""Bytes of answers to what came at once: who has asked for more by then is cut off."""
_REASONS: Final = {200: "OK", 400: "Bad Request", 431: "Request Header Fields Too Large"}


_PLAIN: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Site:
    """Who answers. `log` takes access-log lines."""

    pod: str
    container: str
    log: Callable[[str], None]
    answers: tuple[Answer, ...] = ()
    """What is answered instead of the usual, by path."""


class Connection:
    """The server's side of one connection. `closed`: it sends and takes no more."""

    def __init__(self, site: Site) -> None:
        self.closed = False
        self._site = site
        self._data = bytearray()
        self._body = 0
        self._chunked = False
        self._first = True
        self._other: Answering | None = None

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the client; what is answered."""
        if self._first:
            if not self._begun(data):
                return b""
            data, self._data = bytes(self._data), bytearray()
        if self._other is not None:
            answer = self._other.receive(data)
            self.closed = self._other.closed
            return answer
        self._data += data
        made: list[bytes] = []
        room = _MOST
        while not self.closed:
            if not self._skip_body():
                break
            end = self._data.find(b"\r\n\r\n")
            if end < 0:
                if len(self._data) > MAX_HEAD:
                    made.append(self._refuse(431))
                break
            head = bytes(self._data[:end])
            del self._data[: end + 4]
            made.append(self._answer(head) if len(head) <= MAX_HEAD else self._refuse(431))
            room -= len(made[-1])
            self.closed = self.closed or (room < 0 and bool(self._data))
        if self.closed:
            self._data.clear()
        return b"".join(made)

    def _begun(self, data: bytes) -> bool:
        """Take what comes first; whether it is known what it speaks."""
        self._data += data
        begun = bytes(self._data[: len(_PREFACE)])
        if _PREFACE.startswith(begun) and begun != _PREFACE:
            return False
        self._first = False
        # Imported here: few clients speak them.
        if begun == _PREFACE:
            from cluster.runtime.grpcserving import Believed, Http2

            self._other = Http2(Believed(self._site))
        elif begun[0] == _HANDSHAKE:
            from cluster.runtime.tlsserving import Tls

            self._other = Tls(Connection(self._site))
        return True

    def _skip_body(self) -> bool:
        """Go past the body of the last request; False where more of it has to come."""
        while True:
            gone = min(self._body, len(self._data))
            del self._data[:gone]
            self._body -= gone
            if self._body:
                return False
            if not self._chunked:
                return True
            end = self._data.find(b"\r\n")
            if end < 0:
                self.closed = len(self._data) > 1024
                return False
            size = bytes(self._data[:end]).partition(b";")[0].strip()
            if not re.fullmatch(rb"[0-9a-fA-F]{1,12}", size):
                self.closed = True
                return False
            del self._data[: end + 2]
            self._body = int(size, 16) + 2
            # The last chunk has no trailers to speak of: its empty line is the two bytes.
            self._chunked = int(size, 16) > 0

    def _answer(self, head: bytes) -> bytes:
        line, *rest = head.split(b"\r\n")
        found = _LINE.fullmatch(line)
        headers = _headers(rest)
        length = headers.get(b"content-length", b"0")
        if found is None or not re.fullmatch(rb"\d{1,15}", length):
            return self._refuse(400)
        method, target, minor = found[1].decode(), found[2].decode(), found[3]
        self._body = int(length)
        self._chunked = headers.get(b"transfer-encoding", b"").lower() == b"chunked"
        wanted = headers.get(b"connection", b"").lower()
        stays = wanted != b"close" and (minor == b"1" or wanted == b"keep-alive")
        told = httpanswers.find(self._site.answers, target) if self._site.answers else None
        text = f"{self._site.pod}\n{method} {target}\n" if told is None else told.body
        data, status = text.encode(errors="replace"), 200 if told is None else told.status
        self._log(method, target, minor.decode(), status, len(data))
        kind = _PLAIN if told is None else told.kind
        answer = _response(status, data, stays=stays, body=method != "HEAD", kind=kind)
        if headers.get(b"expect", b"").lower() == b"100-continue" and (self._body or self._chunked):
            answer = b"HTTP/1.1 100 Continue\r\n\r\n" + answer
        self.closed = not stays
        return answer

    def _log(self, method: str, target: str, minor: str, status: int, size: int) -> None:
        self._site.log(f'127.0.0.1 "{method} {target} HTTP/1.{minor}" {status} {size}')

    def _refuse(self, status: int) -> bytes:
        self.closed = True
        text = f"{status} {_REASONS[status]}\n".encode()
        return _response(status, text, stays=False, body=True)


def _headers(lines: list[bytes]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        found[name.strip().lower()] = value.strip()
    return found


def _response(status: int, text: bytes, *, stays: bool, body: bool, kind: str = _PLAIN) -> bytes:
    bare = status in (204, 304)
    sizes = "" if bare else f"Content-Type: {kind}\r\nContent-Length: {len(text)}\r\n"
    head = (
        f"HTTP/1.1 {status} {_reason(status)}\r\nServer: kubemu\r\n{sizes}"
        f"Connection: {'keep-alive' if stays else 'close'}\r\n\r\n"
    )
    return head.encode() + (text if body and not bare else b"")


def _reason(status: int) -> str:
    known = _REASONS.get(status)
    if known is None:
        from http import HTTPStatus

        known = next((one.phrase for one in HTTPStatus if one == status), "Unknown")
    return known
