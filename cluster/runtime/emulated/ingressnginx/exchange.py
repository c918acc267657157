"""One request on its way through the controller, and its line in the access log. Pure."""

import datetime
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from cluster.runtime.emulated.ingressnginx.annotations import Canary, Network
from cluster.runtime.emulated.ingressnginx.endpoints import Peer
from cluster.runtime.emulated.ingressnginx.model import Backend, Location, Server
from cluster.runtime.emulated.web.messages import Headers, Request

_ALWAYS, _NEVER = "always", "never"


@dataclass(slots=True)
class Try:
    """What became of asking one endpoint."""

    peer: Peer
    status: str = "-"
    size: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Exchange:
    """A request and what is known of it."""

    request: Request
    id: str
    server: Server | None = None
    location: Location | None = None
    backend: str = ""
    alternative: str = ""
    user: str = ""
    tries: list[Try] = field(default_factory=list)


def line(exchange: Exchange, status: int, size: int, seconds: float, now: float) -> str:
    """The line of the access log (log_format upstreaminfo)."""
    request = exchange.request
    when = datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    headers = request.headers
    told = exchange.tries
    return (
        f"{request.peer.address} - {shown(exchange.user)} [{when}] "
        f'"{shown(request.line)}" {status} {size} "{shown(headers.get("referer"))}" '
        f'"{shown(headers.get("user-agent"))}" {request.size} {seconds:.3f} '
        f"[{exchange.backend}] [{exchange.alternative}] "
        f"{_joined(str(one.peer) for one in told)} {_joined(str(one.size) for one in told)} "
        f"{_joined(f'{one.seconds:.3f}' for one in told)} {_joined(one.status for one in told)} "
        f"{exchange.id}"
    )


def _joined(words: Iterable[str]) -> str:
    return ", ".join(words) or "-"


def shown(text: str) -> str:
    """A value as nginx writes it: "-" for none, quotes and control characters escaped."""
    if not text:
        return "-"
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(
        f"\\x{ord(sign) & 0xFF:02X}" if sign in '"\\' or not sign.isprintable() else sign
        for sign in text
    )


def among(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address is in one of the networks."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found.version == one.version and found in one for one in networks)


def cookie(headers: Headers, name: str) -> str:
    """The value of a cookie; "" where the client sends none."""
    for part in headers.joined("cookie").replace(", ", "; ").split("; "):
        key, equals, value = part.partition("=")
        if equals and key.strip() == name:
            return value.strip()
    return ""


def canary(location: Location, request: Request, draw: int) -> Backend | None:
    """The canary that a request goes to; `draw` is a number that is another one each time."""
    for backend, rule in location.canaries:
        if _chosen(rule, request, draw):
            return backend
    return None


def _chosen(rule: Canary, request: Request, draw: int) -> bool:
    if rule.header:
        told = request.headers.get(rule.header)
        if rule.value:
            if told:
                return told == rule.value
        elif told in (_ALWAYS, _NEVER):
            return told == _ALWAYS
    if rule.cookie:
        told = cookie(request.headers, rule.cookie)
        if told in (_ALWAYS, _NEVER):
            return told == _ALWAYS
    return draw % rule.total < rule.weight


HOPS: Final = frozenset((
    "connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade",
    "expect", "host", "content-length", "x-request-id", "x-real-ip", "x-forwarded-for",
    "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-forwarded-scheme", "x-scheme",
    "x-original-forwarded-for", "x-forwarded-prefix",
))  # fmt: skip
"""Headers of a request that the controller sets itself, or that are about its connection alone."""


def upstream_headers(exchange: Exchange, host: str, prefix: str) -> Headers:
    """The head of what an endpoint is asked, as ingress-nginx' template sets it."""
    request = exchange.request
    client = request.peer.address
    made = Headers([("Host", host), ("X-Request-ID", exchange.id), ("X-Real-IP", client),
                    ("X-Forwarded-For", client),
                    ("X-Forwarded-Host", request.headers.get("host")),
                    ("X-Forwarded-Port", "443" if request.scheme == "https" else "80"),
                    ("X-Forwarded-Proto", request.scheme),
                    ("X-Forwarded-Scheme", request.scheme),
                    ("X-Scheme", request.scheme)])  # fmt: skip
    before = request.headers.get("x-forwarded-for")
    if before:
        made.add("X-Original-Forwarded-For", before)
    if prefix:
        made.add("X-Forwarded-Prefix", prefix)
    for name, value in request.headers:
        if name.lower() not in HOPS:
            made.add(name, value)
    return made
