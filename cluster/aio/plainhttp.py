"""Tells who speaks plain HTTP to a port of HTTPS what he did, as Go's server does: 400, in HTTP.

Without it the handshake fails, and the client sees a connection that closes without a word.
"""

import ssl
from typing import Any, Final

_TEXT: Final = b"Client sent an HTTP request to an HTTPS server.\n"
_ANSWER: Final = (
    b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_TEXT), _TEXT)
)


class _Tls(ssl.SSLObject):
    """A connection that writes the answer itself where what came is HTTP, and fails afterwards:
    when more comes, the client leaves, or the time for the handshake is over.
    """

    outgoing: ssl.MemoryBIO
    _fault: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        if self._fault is not None:
            raise self._fault
        try:
            super().do_handshake()
        except ssl.SSLError as error:
            if error.reason != "HTTP_REQUEST":
                raise
            self._fault = error
            self.outgoing.write(_ANSWER)
            raise ssl.SSLWantReadError from error  # what is to be sent goes out before


class Context(ssl.SSLContext):
    """A server's context whose connections do so."""

    sslobject_class = _Tls

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *arguments: Any, **more: Any
    ) -> ssl.SSLObject:
        """A connection over two buffers."""
        made = super().wrap_bio(incoming, outgoing, *arguments, **more)
        assert isinstance(made, _Tls)
        made.outgoing = outgoing
        return made
