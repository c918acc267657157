"""PEM files that may be exchanged while who shows them runs: looked at when a connection begins.

Nothing looks at them while nobody connects. What is there now is compared with what was there by
the files' metadata; a certificate and a key that do not fit each other (one was written, the other
is on its way) are not used: what was good before goes on being shown.
"""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from cluster.aio.grpcserver import ServerTls

_Signature = tuple[tuple[int, int, int], ...]
_GONE: Final = (0, 0, 0)


class CertificateFiles:
    """The certificate and key of a server or a client, and the CA of the other side, if any."""

    def __init__(self, certificate: Path, key: Path, authority: Path | None = None) -> None:
        self._paths = tuple(path for path in (certificate, key, authority) if path is not None)
        self._authority = authority
        self._seen = self._signature()

    def changed(self) -> bool:
        """Whether there is something new that can be used. What cannot be is logged, once."""
        found = self._signature()
        if found == self._seen:
            return False
        self._seen = found
        try:
            self.context()
        except (OSError, ValueError) as error:
            self._log("the new certificate is not used", error=str(error))
            return False
        self._log("a new certificate is in use")
        return True

    def context(self) -> ssl.SSLContext:
        """A context of what is there now. OSError, where it is no pair."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.show(context)
        if self._authority is not None:
            context.load_verify_locations(self._authority)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def show(self, context: ssl.SSLContext) -> None:
        """Let connections of a context show what is there now. OSError, where it is no pair."""
        certificate, key = self._paths[:2]
        context.load_cert_chain(certificate, key, password=_no_password)

    def server(self, *, require_client: bool) -> ServerTls:
        """What gRPC is told, now and whenever it changes. OSError."""

        def made(content: tuple[bytes, bytes, bytes]) -> ServerTls:
            return ServerTls(*content, require_client, renewed)

        def renewed() -> ServerTls | None:
            found = self.renewed()
            return made(found) if found is not None else None

        return made(self._read())

    def renewed(self) -> tuple[bytes, bytes, bytes] | None:
        """Certificate, key and CA (b"": none), in PEM, where there is something new."""
        if not self.changed():
            return None
        try:
            return self._read()
        except OSError:
            return None

    def _read(self) -> tuple[bytes, bytes, bytes]:
        certificate, key = (path.read_bytes() for path in self._paths[:2])
        return (
            certificate,
            key,
            self._authority.read_bytes() if self._authority is not None else b"",
        )

    def choose(self, make: Callable[[], ssl.SSLContext]) -> Callable[..., None]:
        """A `sni_callback`: who connects meets the newest context, which `make` gives."""
        newest: ssl.SSLContext | None = None

        def chosen(tls: ssl.SSLObject, name: str | None, first: ssl.SSLContext) -> None:
            nonlocal newest
            if self.changed():
                newest = make()
            if newest is not None:
                tls.context = newest

        return chosen

    def _log(self, event: str, **more: str) -> None:
        logger = structlog.get_logger()
        tell = logger.error if more else logger.info
        tell(event, file=str(self._paths[0]), **more)

    def _signature(self) -> _Signature:
        return tuple(_of(path) for path in self._paths)


def _of(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return _GONE
    return found.st_mtime_ns, found.st_size, found.st_ino


def _no_password() -> str:
    """Asked for where a key is encrypted: OpenSSL would ask at the terminal."""
    raise ValueError("the key is encrypted")
