"""The well-behaved server's TLS, sans-IO: what an image of which nothing is known would have, too.

Its certificate is made when it is first needed, by and for nobody: the kubelet verifies none, and
others see that it is nobody's. Its key is of this process alone, and no file keeps it.
"""

import datetime
import ssl
import tempfile
from functools import lru_cache
from typing import Final

from cluster.runtime.podsockets import Answering

_PIECE: Final = 16 << 10
_BEGIN: Final = datetime.datetime(2000, 1, 1)  # noqa: DTZ001
_END: Final = datetime.datetime(2100, 1, 1)  # noqa: DTZ001
"""In UTC. Whatever a cluster's clock says, it is in between."""


class Tls:
    """The server's side of a connection, over which `inner` speaks."""

    def __init__(self, inner: Answering) -> None:
        self.closed = False
        self._inner = inner
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = _context().wrap_bio(self._in, self._out, server_side=True)
        self._shaken = False

    def receive(self, data: bytes) -> bytes:
        """See Answering."""
        self._in.write(data)
        try:
            self._go_on()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            # What there is to say of it is an alert, which is in `_out`.
            self.closed = True
        return self._out.read()

    def _go_on(self) -> None:
        """Do what can be done with what has come. ssl.SSLError."""
        if not self._shaken:
            self._tls.do_handshake()
            self._shaken = True
        while not self.closed:
            data = self._tls.read(_PIECE)
            answer = self._inner.receive(data) if data else b""
            if answer:
                self._tls.write(answer)
            if self._inner.closed or not data:
                self.closed = True
                self._tls.unwrap()


@lru_cache(1)
def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1", "h2"])
    with tempfile.NamedTemporaryFile() as file:
        # The library reads files alone; this one is its owner's, and gone at once.
        file.write(_made())
        file.flush()
        context.load_cert_chain(file.name)
    return context


def _made() -> bytes:
    """A key and a certificate, in PEM. The key is the system's randomness: it is never shown."""
    # Imported here: few are asked for it.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubemu")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_BEGIN)
        .not_valid_after(_END)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)
