"""The well-behaved server's HTTP/2: gRPC health checks are answered SERVING. Sans-IO, on h2.

Any other gRPC method is UNIMPLEMENTED; a plain request is answered like one of HTTP/1.1.
"""

from typing import Final

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from cluster.runtime.httpserving import Site

_HEALTH: Final = "/grpc.health.v1.Health/Check"
_SERVING: Final = b"\x00\x00\x00\x00\x02\x08\x01"


class Http2:
    """The server's side of one connection. `closed`: it sends and takes no more."""

    def __init__(self, site: Site) -> None:
        self.closed = False
        self._site = site
        config = h2.config.H2Configuration(client_side=False)
        self._connection = h2.connection.H2Connection(config)
        self._connection.initiate_connection()
        self._requests: dict[int, dict[str, str]] = {}

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
            self._requests[event.stream_id or 0] = {
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in event.headers or ()
            }
        elif isinstance(event, h2.events.DataReceived):
            taken = event.flow_controlled_length or 0
            self._connection.acknowledge_received_data(taken, event.stream_id or 0)
        elif isinstance(event, h2.events.StreamEnded):
            headers = self._requests.pop(event.stream_id or 0, None)
            if headers is not None:
                self._answer(event.stream_id or 0, headers)
        elif isinstance(event, h2.events.StreamReset):
            self._requests.pop(event.stream_id or 0, None)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.closed = True

    def _answer(self, stream: int, headers: dict[str, str]) -> None:
        method, path = headers.get(":method", ""), headers.get(":path", "")
        self._site.log(f'127.0.0.1 "{method} {path} HTTP/2.0" 200')
        if not headers.get("content-type", "").startswith("application/grpc"):
            text = f"{self._site.pod}\n{method} {path}\n".encode()
            answer = [(":status", "200"), ("server", "kubemu"), ("content-length", str(len(text)))]
            self._connection.send_headers(stream, answer)
            self._connection.send_data(stream, text[:16384], end_stream=True)
            return
        begin = [(":status", "200"), ("content-type", "application/grpc")]
        if path != _HEALTH:
            method_of = path.rpartition("/")[2]
            said = [("grpc-status", "12"), ("grpc-message", f"unknown method {method_of}")]
            self._connection.send_headers(stream, begin + said, end_stream=True)
            return
        self._connection.send_headers(stream, begin)
        self._connection.send_data(stream, _SERVING)
        self._connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)
