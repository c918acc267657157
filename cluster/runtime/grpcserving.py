"""A server's side of HTTP/2 that answers gRPC calls of one message, health checks above all.
Sans-IO, on h2. What is called is a `Service`; `Health` is grpc.health.v1.Health.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import h2.config
import h2.connection
import h2.events
import h2.exceptions

if TYPE_CHECKING:
    from cluster.runtime.httpserving import Site

_HEALTH: Final = "/grpc.health.v1.Health/"
SERVING, NOT_SERVING = 1, 2
"""ServingStatus of grpc.health.v1."""
NOT_FOUND, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL = 5, 8, 12, 13
"""Codes of gRPC."""
_MOST: Final = 16 << 10
"""Bytes of a call's message."""
_FIELD_NAME: Final = 0x0A


class Told(NamedTuple):
    """What a call is answered: a gRPC code with a message, or with 0 the answer's bytes."""

    code: int
    message: str = ""
    body: bytes = b""


class Service(Protocol):
    """What is behind a connection."""

    def page(self, method: str, path: str) -> str | None:
        """What a plain request is answered; None where that ends the connection."""

    def call(self, path: str, message: bytes) -> Told:
        """Carry out a call."""


class Health:
    """The health service. `check` tells the status of a service by name, None where it knows none;
    `others` is told of calls of other services, for it is not known what they are.
    """

    def __init__(
        self, check: Callable[[str], int | None], others: Callable[[str], str] | None = None
    ) -> None:
        self._check = check
        self._others = others or _unknown

    def page(self, _method: str, _path: str) -> str | None:
        """See Service."""
        return None

    def call(self, path: str, message: bytes) -> Told:
        """See Service."""
        if not path.startswith(_HEALTH):
            return Told(UNIMPLEMENTED, self._others(path))
        if path != f"{_HEALTH}Check":
            return Told(UNIMPLEMENTED, "unimplemented")
        name = _name(message)
        if name is None:
            return Told(INTERNAL, "grpc: error unmarshalling request: proto: cannot parse")
        status = self._check(name)
        if status is None:
            return Told(NOT_FOUND, "unknown service")
        return Told(0, body=bytes((0x08, status)))


class Believed:
    """The well-behaved server: in health, whatever is asked after."""

    def __init__(self, site: "Site") -> None:
        self._site = site
        self._health = Health(lambda _name: SERVING)

    def page(self, method: str, path: str) -> str | None:
        """See Service."""
        self._log(method, path)
        return f"{self._site.pod}\n{method} {path}\n"

    def call(self, path: str, message: bytes) -> Told:
        """See Service."""
        self._log("POST", path)
        return self._health.call(path, message)

    def _log(self, method: str, path: str) -> None:
        self._site.log(f'127.0.0.1 "{method} {path} HTTP/2.0" 200')


def _unknown(path: str) -> str:
    service, _, method = path.strip("/").rpartition("/")
    return f"unknown method {method} for service {service}" if service else "malformed method name"


def _name(message: bytes) -> str | None:
    """The service of a HealthCheckRequest; None for what is none."""
    if not message:
        return ""
    if message[0] != _FIELD_NAME:
        return None
    size = shift = 0
    at = 1
    while at < min(len(message), 4):
        size |= (message[at] & 0x7F) << shift
        shift += 7
        at += 1
        if message[at - 1] < 0x80:
            break
    try:
        return message[at:].decode() if len(message) == at + size else None
    except UnicodeDecodeError:
        return None


@dataclass(slots=True)
class _Request:
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)
    large: bool = False


class Http2:
    """The server's side of one connection. `closed`: it sends and takes no more."""

    def __init__(self, service: Service) -> None:
        self.closed = False
        self._service = service
        config = h2.config.H2Configuration(client_side=False)
        self._connection = h2.connection.H2Connection(config)
        self._connection.initiate_connection()
        self._requests: dict[int, _Request] = {}

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the client; what is answered."""
        try:
            for event in self._connection.receive_data(data):
                self._handle(event)
        except h2.exceptions.ProtocolError:
            self.closed = True
        return bytes(self._connection.data_to_send())

    def _handle(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._requests[event.stream_id or 0] = _Request({
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in event.headers or ()
            })  # fmt: skip
        elif isinstance(event, h2.events.DataReceived):
            self._take(event)
        elif isinstance(event, h2.events.StreamEnded):
            request = self._requests.pop(event.stream_id or 0, None)
            if request is not None:
                self._answer(event.stream_id or 0, request)
        elif isinstance(event, h2.events.StreamReset):
            self._requests.pop(event.stream_id or 0, None)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.closed = True

    def _take(self, event: h2.events.DataReceived) -> None:
        stream = event.stream_id or 0
        self._connection.acknowledge_received_data(event.flow_controlled_length or 0, stream)
        request = self._requests.get(stream)
        if request is None or request.large:
            return
        request.body += event.data or b""
        if len(request.body) > _MOST + 5:
            request.large = True
            request.body.clear()

    def _answer(self, stream: int, request: _Request) -> None:
        headers = request.headers
        method, path = headers.get(":method", ""), headers.get(":path", "")
        if not headers.get("content-type", "").startswith("application/grpc"):
            self._page(stream, self._service.page(method, path))
            return
        told = self._called(path, request)
        begin = [(":status", "200"), ("content-type", "application/grpc")]
        if told.code:
            message = "".join(one if " " <= one <= "~" and one != "%" else "?" for one in told[1])
            said = [("grpc-status", str(told.code)), ("grpc-message", message)]
            self._connection.send_headers(stream, begin + said, end_stream=True)
            return
        self._connection.send_headers(stream, begin)
        size = len(told.body).to_bytes(4, "big")
        self._connection.send_data(stream, b"\0" + size + told.body)
        self._connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)

    def _called(self, path: str, request: _Request) -> Told:
        if request.large:
            return Told(RESOURCE_EXHAUSTED, "grpc: received message larger than max")
        body = bytes(request.body)
        if len(body) < 5 or len(body) != int.from_bytes(body[1:5], "big") + 5:
            return Told(INTERNAL, "unexpected EOF")
        if body[0]:
            said = "grpc: Decompressor is not installed for grpc-encoding"
            return Told(UNIMPLEMENTED, f'{said} "{request.headers.get("grpc-encoding", "")}"')
        return self._service.call(path, body[5:])

    def _page(self, stream: int, text: str | None) -> None:
        if text is None:
            self.closed = True
            return
        data = text.encode()[:16384]
        answer = [(":status", "200"), ("server", "kubemu"), ("content-length", str(len(data)))]
        self._connection.send_headers(stream, answer)
        self._connection.send_data(stream, data, end_stream=True)
