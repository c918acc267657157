"""From an HTTP request to an upgraded connection: WebSocket, or SPDY on the bare transport.

Source: k8s.io/apimachinery/pkg/util/httpstream (negotiation) and wsstream.
"""

from collections.abc import Sequence
from typing import Final, Literal

from aiohttp import abc, web

from cluster.api import errors
from cluster.streams import pipes

MAX_MESSAGE: Final = 4 << 20
"""Bytes of one WebSocket message of a client."""
TUNNEL: Final = "SPDY/3.1+portforward.k8s.io"
"""The WebSocket subprotocol that carries SPDY."""
_TOKEN: Final = "base64url.bearer.authorization.k8s.io."
_CLOSE_SECONDS: Final = 5.0
_VERSION: Final = "X-Stream-Protocol-Version"

Kind = Literal["", "websocket", "spdy"]


def kind(http: web.BaseRequest) -> Kind:
    """What the client wants to speak from here on; "" for HTTP as before, or for nothing known."""
    wanted = http.headers.get("Upgrade", "").strip().lower()
    if "upgrade" not in http.headers.get("Connection", "").lower():
        return ""
    if wanted == "websocket" and http.method == "GET":
        return "websocket"
    return "spdy" if wanted == "spdy/3.1" else ""


def required() -> errors.BadRequest:
    """What a client hears that does not upgrade where it must."""
    return errors.BadRequest("Upgrade request required")


def subprotocols(http: web.BaseRequest) -> list[str]:
    """The WebSocket subprotocols that a client offers, in its order.

    What carries a browser's token is none to be spoken.
    """
    said = ",".join(http.headers.getall("Sec-WebSocket-Protocol", ()))
    names = [part.strip() for part in said.split(",")]
    return [name for name in names if name and not name.startswith(_TOKEN)]


def stream_versions(http: web.BaseRequest) -> list[str]:
    """The X-Stream-Protocol-Versions that a client offers, in its order."""
    said = ",".join(http.headers.getall(_VERSION, ()))
    return [name for name in (part.strip() for part in said.split(",")) if name]


def unsupported(offered: Sequence[str], known: Sequence[str]) -> errors.StatusError:
    """What a client hears that offers nothing known."""
    return errors.Forbidden(
        "unable to upgrade: unable to negotiate protocol: "
        f"client supports [{' '.join(offered)}], server accepts [{' '.join(known)}]"
    )


async def websocket(http: web.BaseRequest, subprotocol: str) -> web.WebSocketResponse:
    """Become a WebSocket. errors.BadRequest where the handshake is none."""
    response = web.WebSocketResponse(
        protocols=(subprotocol,) if subprotocol else (),
        timeout=_CLOSE_SECONDS,
        compress=False,
        max_msg_size=MAX_MESSAGE,
    )
    try:
        await response.prepare(http)
    except web.HTTPException as error:
        why = f"unable to upgrade websocket connection: {error.text or error.reason}"
        raise errors.BadRequest(why) from None
    if http.transport is not None:
        pipes.watch_closely(http.transport)
    return response


def spdy(http: web.BaseRequest, version: str) -> pipes.TransportPipe:
    """Take the connection over for SPDY. ConnectionError where the client is gone.

    Answer the request with `Taken` afterwards.
    """
    return switch(http, [("Upgrade", "SPDY/3.1"), (_VERSION, version)])


def switch(http: web.BaseRequest, headers: Sequence[tuple[str, str]]) -> pipes.TransportPipe:
    """Answer `Switching Protocols` with `headers`, and take the connection over."""
    transport = http.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client is gone")
    lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade"]
    lines += [f"{name}: {value}" for name, value in headers if value]
    transport.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace"))
    pipe = pipes.TransportPipe(transport, http.protocol)
    transport.set_protocol(pipe)
    if not transport.is_reading():
        transport.resume_reading()
    pipes.watch_closely(transport)
    return pipe


class Taken(web.StreamResponse):
    """The answer to a request whose connection is not HTTP any more: nothing is sent."""

    def __init__(self) -> None:
        super().__init__(status=101)
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> abc.AbstractStreamWriter | None:
        """Send no head."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Send no end."""
