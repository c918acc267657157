"""What a request to the outside is, and who carries it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Unreachable(Exception):
    """No answer came; the message says why, as Go's HTTP client words it."""


@dataclass(frozen=True, slots=True)
class Service:
    """A port of a Service."""

    namespace: str
    name: str
    port: int = 443

    @property
    def host(self) -> str:
        """The name that the server's certificate has to be valid for."""
        return f"{self.name}.{self.namespace}.svc"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request. To `service` it goes by `path`, else to `url`, which is whole.

    `ca` holds PEM certificates that the server's own has to be signed by; empty: those that the
    machine trusts. `verify` false trusts anybody.
    """

    method: str = "POST"
    url: str = ""
    service: Service | None = None
    path: str = "/"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    ca: bytes = b""
    verify: bool = True

    @property
    def shown(self) -> str:
        """The URL, as messages show it."""
        if self.service is None:
            return self.url
        return f"https://{self.service.host}:{self.service.port}{self.path}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Caller(Protocol):
    """Carries requests to the outside."""

    async def call(self, request: Outgoing, seconds: float) -> Answer:
        """The answer, within `seconds`. Unreachable."""


class Nobody:
    """A caller for an API server that has no way to the outside, as in the lab."""

    async def call(self, request: Outgoing, seconds: float) -> Answer:
        """Unreachable, always."""
        raise Unreachable(
            f'{request.method.capitalize()} "{request.shown}": this API server was given no way to '
            "reach servers outside"
        )
