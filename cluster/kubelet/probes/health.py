"""grpc.health.v1.Health/Check, the client's side, sans-IO. HTTP/2 is h2's."""

from typing import Final
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.events
import h2.exceptions

_SERVING: Final = 1
_STATUSES: Final = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_CODES: Final = (
    "OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound",
    "AlreadyExists", "PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted",
    "OutOfRange", "Unimplemented", "Internal", "Unavailable", "DataLoss", "Unauthenticated",
)  # fmt: skip
_UNIMPLEMENTED: Final = 12
_MAX_MESSAGE: Final = 4096
_FRAME: Final = 16384
_WINDOW: Final = 65535
"""What may be sent before the server has said anything (RFC 9113, 6.5.2)."""


class Malformed(ValueError):
    """What came is no gRPC."""


class Check:
    """One call. `outgoing` gives what is to be sent; `complete` says that the answer is there.
    Malformed, for a service whose name is too long.
    """

    def __init__(self, authority: str, service: str, agent: str) -> None:
        config = h2.config.H2Configuration(client_side=True)
        self._connection = h2.connection.H2Connection(config)
        self._connection.initiate_connection()
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/grpc.health.v1.Health/Check"),
            (":authority", authority),
            ("content-type", "application/grpc"),
            ("user-agent", agent),
            ("te", "trailers"),
        ]
        self._connection.send_headers(1, headers)
        message = _framed(_request(service))
        if len(message) > _WINDOW:
            raise Malformed("the name of the service is too long")
        for start in range(0, len(message), _FRAME):
            last = start + _FRAME >= len(message)
            self._connection.send_data(1, message[start : start + _FRAME], end_stream=last)
        self._message = b""
        self._code: int | None = None
        self._text = ""
        self.complete = False

    def outgoing(self) -> bytes:
        """What is to be sent now."""
        return bytes(self._connection.data_to_send())

    def feed(self, data: bytes) -> None:
        """Take bytes. Malformed."""
        try:
            events = self._connection.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            raise Malformed(str(error) or type(error).__name__) from error
        for event in events:
            if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                headers = event.headers or ()
                self._headers({bytes(name): bytes(value) for name, value in headers})
            elif isinstance(event, h2.events.DataReceived):
                self._message = (self._message + (event.data or b""))[:_MAX_MESSAGE]
                self._connection.acknowledge_received_data(event.flow_controlled_length or 0, 1)
            elif isinstance(
                event,
                (h2.events.StreamEnded, h2.events.StreamReset, h2.events.ConnectionTerminated),
            ):
                self.complete = True

    def failure(self) -> str:
        """Why the service is not healthy, in the words of pkg/probe/grpc; "" where it is."""
        if self._code == _UNIMPLEMENTED:
            return (
                "error: this server does not implement the grpc health protocol "
                f"(grpc.health.v1.Health): {self._text}"
            )
        if self._code != 0:
            code = 14 if self._code is None else self._code
            name = _CODES[code] if code < len(_CODES) else f"Code({code})"
            text = self._text or "connection closed before the status came"
            return f"error: health rpc probe failed: rpc error: code = {name} desc = {text}"
        status = _status(self._message)
        if status != _SERVING:
            return f'service unhealthy (responded with "{_STATUSES.get(status, status)}")'
        return ""

    def _headers(self, headers: dict[bytes, bytes]) -> None:
        status = headers.get(b"grpc-status", b"")
        if status.isdigit() and len(status) < 6:
            self._code = int(status)
            self._text = unquote(headers.get(b"grpc-message", b""))


def _request(service: str) -> bytes:
    """HealthCheckRequest: field 1 is the service."""
    name = service.encode()
    return b"\x0a" + _varint(len(name)) + name if name else b""


def _varint(number: int) -> bytes:
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


def _framed(message: bytes) -> bytes:
    return b"\x00" + len(message).to_bytes(4, "big") + message


def _status(framed: bytes) -> int:
    """Field 1 of a HealthCheckResponse, an enum; 0 (UNKNOWN) where it is not there."""
    message = framed[5:]
    return message[1] if len(message) >= 2 and message[0] == 0x08 else 0
