"""Tells who speaks plain HTTP to a port of HTTPS what he did, as Go's server does: 400, in HTTP.

Without it the handshake fails, and the client sees a connection that closes without a word. Other
handshakes that fail close so; a server's context tells of them all.
"""

import ssl
from collections.abc import Callable
from typing import Any, Final

_TEXT: Final = b"Client sent an HTTP request to an HTTPS server.\n"
_ANSWER: Final = (
    b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_TEXT), _TEXT)
)


PLAIN: Final = "plain HTTP"
FAILED: Final = "failed handshake"
_FOREIGN = "client certificate of an unknown authority"
_BY_CODE: Final = {
    2: _FOREIGN, 18: _FOREIGN, 19: _FOREIGN, 20: _FOREIGN, 21: _FOREIGN,
    9: "client certificate not valid yet", 10: "expired client certificate",
    26: "client certificate for another purpose",
}  # fmt: skip
"""By OpenSSL's X509_V_ERR_*: what it finds wrong with a chain."""


def reason(error: ssl.SSLError) -> str | None:
    """Why a handshake failed, in a word of few; None where it waits, or the client just left."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _BY_CODE.get(error.verify_code, "bad client certificate")
    waits = (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
    if isinstance(error, waits):
        return None
    return PLAIN if error.reason == "HTTP_REQUEST" else FAILED


class _Tls(ssl.SSLObject):
    """A connection that writes the answer itself where what came is HTTP, and fails afterwards:
    when more comes, the client leaves, or the time for the handshake is over.
    """

    outgoing: ssl.MemoryBIO
    told: Callable[[str], None] | None = None
    _fault: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        if self._fault is not None:
            raise self._fault
        try:
            super().do_handshake()
        except ssl.SSLError as error:
            why = reason(error)
            if why is not None and self.told is not None:
                self.told(why)
            if error.reason != "HTTP_REQUEST":
                raise
            self._fault = error
            self.outgoing.write(_ANSWER)
            raise ssl.SSLWantReadError from error  # what is to be sent goes out before


class Context(ssl.SSLContext):
    """A server's context whose connections do so, and call `told` with why a handshake failed."""

    told: Callable[[str], None] | None = None
    sslobject_class = _Tls

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *arguments: Any, **more: Any
    ) -> ssl.SSLObject:
        """A connection over two buffers."""
        made = super().wrap_bio(incoming, outgoing, *arguments, **more)
        assert isinstance(made, _Tls)
        made.outgoing, made.told = outgoing, self.told
        return made
