"""What nginx serves, as its configuration says: servers, locations, rules. Pure values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from cluster.runtime.emulated.nginx.variables import Word, compiled

COMBINED: Final = compiled(
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent"'
)


class Pattern(NamedTuple):
    """A compiled regular expression of RE2."""

    text: str
    program: Any
    names: tuple[str, ...] = ()


class ErrorPage(NamedTuple):
    """`error_page CODE =STATUS TARGET`: status 0 keeps the code, -1 takes what the page answers."""

    target: Word
    status: int


class Header(NamedTuple):
    """`add_header NAME VALUE [always]`."""

    name: str
    value: Word
    always: bool


class AccessLog(NamedTuple):
    """`access_log PATH FORMAT if=CONDITION`."""

    path: Word
    form: Word
    condition: Word | None = None


@dataclass(slots=True)
class Settings:
    """What a location inherits from what is round it."""

    root: Word = field(default_factory=lambda: compiled("html"))
    alias: Word | None = None
    index: tuple[Word, ...] = ()
    default_type: str = "text/plain"
    types: Mapping[str, str] = field(
        default_factory=lambda: {"html": "text/html", "gif": "image/gif", "jpg": "image/jpeg"}
    )
    charset: str = ""
    error_pages: Mapping[int, ErrorPage] = field(default_factory=dict)
    headers: tuple[Header, ...] = ()
    access_logs: tuple[AccessLog, ...] = ()
    error_log: tuple[str, str] = ("/var/log/nginx/error.log", "error")
    autoindex: bool = False
    etag: bool = True
    expires: str = ""
    modified_since: str = "exact"
    max_body: int = 1 << 20
    tokens: bool = True
    absolute_redirect: bool = True
    port_in_redirect: bool = True
    name_in_redirect: bool = False
    log_not_found: bool = True
    recursive_error_pages: bool = False
    access: tuple[tuple[bool, Any], ...] = ()
    """(allowed, network or None for all), the first that fits counts."""
    satisfy_any: bool = False
    realm: Word | None = None
    passwords: Word | None = None
    keepalive: float = 75.0
    body_timeout: float = 60.0
    proxy_headers: tuple[tuple[str, Word], ...] = ()
    proxy_minor: int = 0
    proxy_method: Word | None = None
    proxy_body: Word | None = None
    proxy_connect: float = 60.0
    proxy_read: float = 60.0
    proxy_hidden: frozenset[str] = frozenset()
    proxy_passed: frozenset[str] = frozenset()
    proxy_intercept: bool = False
    proxy_redirect: tuple[tuple[Word, Word], ...] | None = None
    """Pairs of what is replaced in Location; None for the default, () for off."""
    proxy_next: tuple[str, ...] = ("error", "timeout")
    proxy_tries: int = 0
    resolver: bool = False


class ProxyPass(NamedTuple):
    """`proxy_pass SCHEME://HOST:PORT/URI`. `uri` is None where nothing follows the port; `whole`
    is the text where it has variables.
    """

    scheme: str
    host: str
    port: int
    uri: str | None
    whole: Word | None = None


@dataclass(slots=True)
class Condition:
    """`if (…)`."""

    kind: str
    """`set`, `=`, `!=`, `~`, `!~`, `-f`, `!-f`, `-d`, `!-d`, `-e`, `!-e`, `-x`, `!-x`."""
    left: Word
    right: str = ""
    pattern: Pattern | None = None


class Return(NamedTuple):
    """`return CODE TEXT`."""

    code: int
    text: Word | None


class Rewrite(NamedTuple):
    """`rewrite PATTERN TARGET FLAG`."""

    pattern: Pattern
    target: Word
    flag: str


class Assign(NamedTuple):
    """`set $NAME VALUE`."""

    name: str
    value: Word


class Break(NamedTuple):
    """`break`."""


class If(NamedTuple):
    """`if (CONDITION) { … }`; what stands in it is a location of its own."""

    condition: Condition
    location: "Location"


Rule = Return | Rewrite | Assign | Break | If


@dataclass(slots=True)
class Location:
    """A location, or the inside of an `if`, or what a server does outside of locations."""

    kind: str
    """`=`, `^~`, "" (a prefix), `~`, `~*`, `@` (named), `if`, `server`."""
    text: str
    settings: Settings
    pattern: Pattern | None = None
    rules: tuple[Rule, ...] = ()
    locations: tuple["Location", ...] = ()
    try_files: tuple[Word, ...] = ()
    proxy: ProxyPass | None = None
    missing: str = ""
    """A directive that would answer and that is not built: `fastcgi_pass`."""
    internal: bool = False
    status_page: bool = False
    gif: bool = False


class Listen(NamedTuple):
    """`listen ADDRESS:PORT default_server ssl`."""

    address: str
    port: int
    default: bool = False
    tls: bool = False
    shown: str = ""


@dataclass(slots=True)
class Server:
    """A server block."""

    listens: tuple[Listen, ...]
    names: tuple[str, ...]
    patterns: tuple[Pattern, ...]
    own: Location
    certificate: str = ""
    key: str = ""


class Peer(NamedTuple):
    """A server of an upstream."""

    host: str
    port: int
    weight: int = 1
    backup: bool = False
    down: bool = False


@dataclass(slots=True)
class Upstream:
    """An upstream block. `turn` counts what it was asked."""

    name: str
    peers: tuple[Peer, ...]
    turn: int = 0


@dataclass(slots=True)
class Map:
    """`map SOURCE $NAME { … }`."""

    source: Word
    exact: Mapping[str, Word]
    patterns: tuple[tuple[Pattern, Word], ...]
    default: Word
    hostnames: bool = False


@dataclass(slots=True)
class Configuration:
    """All of it."""

    servers: tuple[Server, ...] = ()
    upstreams: Mapping[str, Upstream] = field(default_factory=dict)
    maps: Mapping[str, Map] = field(default_factory=dict)
    error_log: tuple[str, str] = ("/var/log/nginx/error.log", "error")
    daemon: bool = True
    pid: str = "/run/nginx.pid"
    """The file with the number of its process."""
    workers: int = 1
    notices: tuple[str, ...] = ()
    """What is known and makes no difference here, to be said once."""
    names: frozenset[str] = frozenset()
    """Variables that it makes."""
