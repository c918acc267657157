"""What annotations of an Ingress (nginx.ingress.kubernetes.io/…) and the controller's ConfigMap
say, as settings. Pure. What cannot be read counts as not said, as in ingress-nginx, and is told of.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

PREFIX: Final = "nginx.ingress.kubernetes.io/"
_SIZE: Final = re.compile(r"(\d{1,12})([kKmMgG]?)")
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_REDIRECTS: Final = (300, 301, 302, 303, 304, 307, 308)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Auth:
    """Basic authentication by a Secret."""

    secret: str
    realm: str
    by_user: bool = False
    """Whether the secret's keys are the users (auth-map)."""


@dataclass(frozen=True, slots=True)
class Cors:
    """Who of other origins may ask."""

    origins: tuple[str, ...] = ("*",)
    methods: str = "GET, PUT, POST, DELETE, PATCH, OPTIONS"
    headers: str = (
        "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,"
        "Range,Authorization"
    )
    credentials: bool = True
    max_age: int = 1728000


@dataclass(frozen=True, slots=True)
class Canary:
    """Whose requests go to this Ingress's service in the place of another's."""

    weight: int = 0
    total: int = 100
    header: str = ""
    value: str = ""
    cookie: str = ""


@dataclass(frozen=True, slots=True)
class Affinity:
    """A cookie that keeps a client at one endpoint."""

    cookie: str = "INGRESSCOOKIE"
    path: str = "/"
    max_age: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """How requests of a location are answered. Durations in seconds, sizes in bytes (0: any)."""

    rewrite: str = ""
    regex: bool = False
    ssl_redirect: bool = True
    force_ssl_redirect: bool = False
    redirect: str = ""
    redirect_code: int = 301
    app_root: str = ""
    max_body: int = 1 << 20
    connect: float = 5.0
    read: float = 60.0
    tries: int = 3
    secure: bool = False
    """Whether the service is asked by TLS."""
    host: str = ""
    """The Host that the service is told."""
    prefix: str = ""
    """X-Forwarded-Prefix."""
    cors: Cors | None = None
    allowed: tuple[Network, ...] = ()
    denied: tuple[Network, ...] = ()
    auth: Auth | None = None
    affinity: Affinity | None = None
    canary: Canary | None = None
    aliases: tuple[str, ...] = ()
    backend: str = ""
    """A service of the same namespace for what nobody is ready to answer."""
    errors: tuple[int, ...] = ()
    """Statuses whose pages the default backend makes."""
    log: bool = True
    rate: float = 0.0
    """Requests a second of one client; 0: any."""
    hsts: str = "max-age=31536000; includeSubDomains"


UNBUILT: Final = frozenset((
    "auth-url", "auth-tls-secret", "configuration-snippet", "server-snippet", "mirror-target",
    "modsecurity-snippet", "enable-modsecurity", "stream-snippet", "auth-snippet", "auth-signin",
    "enable-opentelemetry", "fastcgi-index", "proxy-ssl-secret", "auth-tls-verify-client",
))  # fmt: skip
"""Annotations that are not built here; whoever uses one is told."""


@dataclass(slots=True)
class Read:
    """Settings, and what could not be read."""

    settings: Settings
    complaints: list[str] = field(default_factory=list)


class _Reader:
    def __init__(self, values: Mapping[str, str], prefix: str = PREFIX) -> None:
        self._values = values
        self._prefix = prefix
        self.complaints: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        return str(self._values.get(self._prefix + name, default)).strip()

    def flag(self, name: str, *, default: bool = False) -> bool:
        told = self.text(name).lower()
        if told in ("true", "false", "1", "0", "t", "f", ""):
            return told in ("true", "1", "t") if told else default
        self._wrong(name, told)
        return default

    def number(self, name: str, default: int, least: int = 0) -> int:
        told = self.text(name)
        if not told:
            return default
        if told.isascii() and told.isdigit() and len(told) < 10 and int(told) >= least:
            return int(told)
        self._wrong(name, told)
        return default

    def seconds(self, name: str, default: float) -> float:
        told = self.text(name).removesuffix("s")
        if not told:
            return default
        if told.isascii() and told.isdigit() and int(told[:7]) > 0:
            return float(told[:7])
        self._wrong(name, told)
        return default

    def size(self, name: str, default: int) -> int:
        told = self.text(name)
        if not told:
            return default
        match = _SIZE.fullmatch(told)
        if match is None:
            self._wrong(name, told)
            return default
        return int(match[1]) * _UNITS[match[2].lower()]

    def networks(self, *names: str) -> tuple[Network, ...]:
        found: list[Network] = []
        for name in names:
            for word in filter(None, map(str.strip, self.text(name).split(","))):
                try:
                    found.append(ipaddress.ip_network(word, strict=False))
                except ValueError:
                    self._wrong(name, word)
        return tuple(found)

    def _wrong(self, name: str, value: str) -> None:
        self.complaints.append(f"the annotation {name} contains an invalid value {value[:100]!r}")


def read(annotations: Mapping[str, Any], base: Settings) -> Read:
    """The settings of an Ingress, over those of the controller."""
    given = _Reader(annotations)
    rewrite = given.text("rewrite-target")
    permanent, temporal = given.text("permanent-redirect"), given.text("temporal-redirect")
    code = given.number("permanent-redirect-code", 301)
    settings = Settings(
        rewrite=rewrite,
        regex=bool(rewrite) or given.flag("use-regex"),
        ssl_redirect=given.flag("ssl-redirect", default=base.ssl_redirect),
        force_ssl_redirect=given.flag("force-ssl-redirect", default=base.force_ssl_redirect),
        redirect=permanent or temporal,
        redirect_code=(code if code in _REDIRECTS else 301) if permanent else 302,
        app_root=given.text("app-root"),
        max_body=given.size("proxy-body-size", base.max_body),
        connect=given.seconds("proxy-connect-timeout", base.connect),
        read=given.seconds("proxy-read-timeout", base.read),
        tries=given.number("proxy-next-upstream-tries", base.tries),
        secure=given.text("backend-protocol").upper() in ("HTTPS", "AUTO_HTTP"),
        host=given.text("upstream-vhost"),
        prefix=given.text("x-forwarded-prefix"),
        cors=_cors(given),
        allowed=given.networks("whitelist-source-range", "allowlist-source-range") or base.allowed,
        denied=given.networks("denylist-source-range") or base.denied,
        auth=_auth(given),
        affinity=_affinity(given),
        canary=_canary(given),
        aliases=tuple(filter(None, map(str.strip, given.text("server-alias").lower().split(",")))),
        backend=given.text("default-backend"),
        errors=_statuses(given.text("custom-http-errors")) or base.errors,
        log=given.flag("enable-access-log", default=base.log),
        rate=float(given.number("limit-rps", 0)) or given.number("limit-rpm", 0) / 60,
        hsts=base.hsts,
    )
    unbuilt = [name for name in annotations if name.removeprefix(PREFIX) in UNBUILT
               and name.startswith(PREFIX)]  # fmt: skip
    given.complaints += [f"{name} is not built in the emulated controller" for name in unbuilt]
    protocol = given.text("backend-protocol").upper()
    if protocol not in ("", "HTTP", "HTTPS", "AUTO_HTTP"):
        given.complaints.append(f"backend-protocol {protocol} is not built in the emulated "
                                "controller")  # fmt: skip
    return Read(settings, given.complaints)


def of_controller(data: Mapping[str, Any]) -> Settings:
    """The settings of the controller's ConfigMap."""
    given = _Reader(data, "")
    hsts = ""
    if given.flag("hsts", default=True):
        hsts = f"max-age={given.number('hsts-max-age', 31536000)}"
        hsts += "; includeSubDomains" * given.flag("hsts-include-subdomains", default=True)
        hsts += "; preload" * given.flag("hsts-preload")
    return Settings(
        ssl_redirect=given.flag("ssl-redirect", default=True),
        force_ssl_redirect=given.flag("force-ssl-redirect"),
        max_body=given.size("proxy-body-size", 1 << 20),
        connect=given.seconds("proxy-connect-timeout", 5.0),
        read=given.seconds("proxy-read-timeout", 60.0),
        tries=given.number("proxy-next-upstream-tries", 3),
        allowed=given.networks("whitelist-source-range"),
        denied=given.networks("denylist-source-range"),
        errors=_statuses(given.text("custom-http-errors")),
        log=not given.flag("disable-access-log"),
        hsts=hsts,
    )


def _cors(given: _Reader) -> Cors | None:
    if not given.flag("enable-cors"):
        return None
    usual = Cors()
    origins = tuple(filter(None, map(str.strip, given.text("cors-allow-origin").split(","))))
    return Cors(
        origins or usual.origins,
        given.text("cors-allow-methods") or usual.methods,
        given.text("cors-allow-headers") or usual.headers,
        given.flag("cors-allow-credentials", default=True),
        given.number("cors-max-age", usual.max_age),
    )


def _auth(given: _Reader) -> Auth | None:
    if given.text("auth-type") != "basic" or not given.text("auth-secret"):
        return None
    by_user = given.text("auth-secret-type") == "auth-map"
    return Auth(given.text("auth-secret"), given.text("auth-realm"), by_user)


def _affinity(given: _Reader) -> Affinity | None:
    if given.text("affinity") != "cookie":
        return None
    usual = Affinity()
    return Affinity(
        given.text("session-cookie-name") or usual.cookie,
        given.text("session-cookie-path") or usual.path,
        given.number("session-cookie-max-age", 0),
    )


def _canary(given: _Reader) -> Canary | None:
    if not given.flag("canary"):
        return None
    return Canary(
        given.number("canary-weight", 0),
        max(given.number("canary-weight-total", 100), 1),
        given.text("canary-by-header"),
        given.text("canary-by-header-value"),
        given.text("canary-by-cookie"),
    )


def _statuses(text: str) -> tuple[int, ...]:
    words = (word.strip() for word in text.split(","))
    plain = (word for word in words if word.isascii() and word.isdigit())
    return tuple(int(word) for word in plain if 300 <= int(word[:4]) < 600)
