"""Where etcd is, and how long it is waited for."""

from dataclasses import dataclass
from urllib.parse import urlsplit

PREFIX = "/registry"


@dataclass(frozen=True, slots=True)
class Settings:
    """ValueError with a sentence where a setting cannot be used.

    `servers` are URLs (`http://127.0.0.1:2379`, `https://…`) of members of one etcd cluster; a
    server without a scheme is spoken to by TLS where there is a `ca`. `ca`, `certificate` and `key`
    are PEM. `prefix` is under what keys are kept (kube-apiserver's --etcd-prefix). A call is tried
    on one member for `try_seconds` and given up after `patience_seconds`, which is longer than an
    election takes.
    """

    servers: tuple[str, ...]
    ca: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    prefix: str = PREFIX
    try_seconds: float = 3.0
    patience_seconds: float = 12.0

    def __post_init__(self) -> None:
        if not self.servers:
            raise ValueError("etcd needs at least one server")
        schemes = {self.scheme(server) for server in self.servers}
        if schemes - {"http", "https"}:
            raise ValueError(f"servers of etcd are http or https URLs, not {self.servers}")
        if len(schemes) > 1:
            raise ValueError("all servers of etcd are reached by TLS, or none")
        for server in self.servers:
            if not _has_port(self.target(server)):
                raise ValueError(f"{server!r} names no host and port")
        if bool(self.certificate) != bool(self.key):
            raise ValueError("a certificate for etcd needs its key, and a key its certificate")
        if not self.tls and (self.ca or self.certificate):
            raise ValueError("certificates for etcd need servers with https")
        if not 0 < self.try_seconds <= self.patience_seconds:
            raise ValueError("try_seconds must be positive, and patience_seconds not smaller")

    @property
    def tls(self) -> bool:
        """Whether the servers are spoken to by TLS."""
        return self.scheme(self.servers[0]) == "https"

    def scheme(self, server: str) -> str:
        """`http` or `https`."""
        if "://" not in server:
            return "https" if self.ca else "http"
        return urlsplit(server).scheme

    def target(self, server: str) -> str:
        """What gRPC is told: `host:port`."""
        return urlsplit(server).netloc if "://" in server else server


def _has_port(target: str) -> bool:
    try:
        parts = urlsplit(f"//{target}")
        return bool(parts.hostname) and bool(parts.port)
    except ValueError:
        return False
