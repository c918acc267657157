"""The well-behaved server that a container is when nothing says otherwise: HTTP/1.1, sans-IO.

Every request is answered 200 with a few lines of plain text, and makes an access-log line. A client
that begins with HTTP/2 is handed to `grpcserving`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cluster.runtime.grpcserving import Http2

_PREFACE: Final = b"PRI * HTTP/2.0\r\n"
MAX_HEAD: Final = 16 << 10
_LINE: Final = re.compile(rb"([A-Z]{1,20}) ([\x21-\x7e]{1,8000}) HTTP/1\.([01])")
_REASONS: Final = {200: "OK", 400: "Bad Request", 431: "Request Header Fields Too Large"}


@dataclass(frozen=True, slots=True)
class Site:
    """Who answers. `log` takes access-log lines."""

    pod: str
    container: str
    log: Callable[[str], None]


class Connection:
    """The server's side of one connection. `closed`: it sends and takes no more."""

    def __init__(self, site: Site) -> None:
        self.closed = False
        self._site = site
        self._data = bytearray()
        self._body = 0
        self._chunked = False
        self._first = True
        self._http2: Http2 | None = None

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the client; what is answered."""
        if self._http2 is None and self._first:
            if _PREFACE.startswith(bytes(self._data + data)[: len(_PREFACE)]):
                return self._begin_http2(data)
            self._first = False
        if self._http2 is not None:
            answer = self._http2.receive(data)
            self.closed = self._http2.closed
            return answer
        self._data += data
        made: list[bytes] = []
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
        if self.closed:
            self._data.clear()
        return b"".join(made)

    def _begin_http2(self, data: bytes) -> bytes:
        """The bytes so far are how HTTP/2 begins; wait until they can be nothing else."""
        self._data += data
        if len(self._data) < len(_PREFACE):
            return b""
        # Imported here: few clients speak it.
        from cluster.runtime.grpcserving import Http2

        self._http2 = Http2(self._site)
        begun, self._data = bytes(self._data), bytearray()
        return self._http2.receive(begun)

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
        text = f"{self._site.pod}\n{method} {target}\n".encode()
        self._site.log(f'127.0.0.1 "{method} {target} HTTP/1.{minor.decode()}" 200 {len(text)}')
        answer = _response(200, text, stays=stays, body=method != "HEAD")
        if headers.get(b"expect", b"").lower() == b"100-continue" and (self._body or self._chunked):
            answer = b"HTTP/1.1 100 Continue\r\n\r\n" + answer
        self.closed = not stays
        return answer

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


def _response(status: int, text: bytes, *, stays: bool, body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nServer: kubemu\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(text)}\r\n"
        f"Connection: {'keep-alive' if stays else 'close'}\r\n\r\n"
    )
    return head.encode() + (text if body else b"")
