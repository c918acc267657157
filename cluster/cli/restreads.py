"""GETs of an API server's REST face by the certificates of a kubeconfig, one after another."""

import http.client
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from cluster.api import faults
from cluster.launcher import kubeconfig

_SECONDS: Final = 30.0


class Refused(faults.Fault):
    """The API server said no. `code` is its status code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Unreachable(faults.Fault):
    """The API server does not answer."""


class Server:
    """One connection."""

    def __init__(self, connection: http.client.HTTPConnection, where: str) -> None:
        self._connection = connection
        self._where = where

    def get(self, path: str, accept: str = "application/json") -> Any:
        """The document at a path with its query. Refused, Unreachable."""
        try:
            self._connection.request("GET", path, headers={"Accept": accept})
            answer = self._connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(
                f"the API server at {self._where} does not answer: {error}"
            ) from error
        try:
            document = msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            raise Unreachable(f"{self._where} answers what is no JSON") from error
        if answer.status >= 400:
            raise Refused(_words(document), answer.status)
        return document


@contextmanager
def connected(path: Path) -> Iterator[Server]:
    """The server that a kubeconfig names. kubeconfig.Unreadable."""
    access = kubeconfig.access(path)
    parts = urlsplit(access.server)
    host, port = parts.hostname or "", parts.port or 443
    if parts.scheme == "https":
        made: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=_SECONDS, context=_context(access)
        )
    else:
        made = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        yield Server(made, access.server)
    finally:
        made.close()


def _context(access: kubeconfig.Access) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=access.authority.decode() or None)
    if access.certificate:
        # OpenSSL takes certificates from files alone.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "client.pem"
            path.touch(0o600)
            path.write_bytes(access.certificate + b"\n" + access.key)
            context.load_cert_chain(path)
    return context


def _words(document: Any) -> str:
    status = document if isinstance(document, Mapping) else {}
    message = str(status.get("message") or "the API server refuses")
    reason = status.get("reason")
    return f"{message} ({reason})" if reason else message
