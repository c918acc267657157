"""TLS for probes: in memory, over the connection through the runtime."""

import ssl
from typing import Final

from cluster.kubelet.probes import http
from cluster.kubelet.probes.connection import Connection

_TAKEN: Final = 65536
_RECORDS: Final = range(20, 25)
"""What the first byte of a record of TLS can be."""
_ALERTS: Final = {
    "bad_certificate": "bad certificate", "certificate_required": "certificate required",
    "handshake_failure": "handshake failure", "internal_error": "internal error",
    "protocol_version": "protocol version not supported", "unrecognized_name": "unrecognized name",
}  # fmt: skip


class Tls:
    """TLS over a connection; as with the kubelet no certificate is checked."""

    def __init__(self, plain: Connection) -> None:
        self._plain = plain
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._first = b""
        """What the server said first."""
        self._tls = context.wrap_bio(self._incoming, self._outgoing)

    @classmethod
    async def over(cls, plain: Connection) -> "Tls":
        """Shake hands. http.Malformed."""
        made = cls(plain)
        while True:
            try:
                made._tls.do_handshake()
            except ssl.SSLWantReadError:
                made._flush()
                if not await made._more():
                    raise http.Malformed("EOF") from None
            except ssl.SSLError as error:
                raise http.Malformed(_told(error, made._first)) from error
            else:
                made._flush()
                return made

    def send(self, data: bytes) -> None:
        """See Connection."""
        self._tls.write(data)
        self._flush()

    async def receive(self) -> bytes:
        """See Connection."""
        while True:
            try:
                return self._tls.read(_TAKEN)
            except ssl.SSLWantReadError:
                if not await self._more():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""

    async def _more(self) -> bool:
        data = await self._plain.receive()
        self._first = self._first or data[:8]
        # What is no TLS at all says so when it is read.
        self._incoming.write(data)
        return bool(data)

    def _flush(self) -> None:
        self._plain.send(self._outgoing.read())


def _told(error: ssl.SSLError, first: bytes) -> str:
    """What Go's client says of a handshake that failed."""
    if first.startswith(b"HTTP/"):
        return "http: server gave HTTP response to HTTPS client"
    if first and first[0] not in _RECORDS:
        return "tls: first record does not look like a TLS handshake"
    _, _, alert = (error.reason or "").lower().partition("_alert_")
    if alert:
        return f"remote error: tls: {_ALERTS.get(alert, alert.replace('_', ' '))}"
    return f"tls: {(error.reason or str(error)).lower().replace('_', ' ')}"
