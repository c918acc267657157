"""A request on its way through nginx: what it is by now, and the values of its variables. Pure."""

import base64
import binascii
import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote

from cluster.runtime.emulated.nginx.model import Configuration, Location, Map, Server, Settings
from cluster.runtime.emulated.nginx.variables import Word
from cluster.runtime.emulated.web.messages import Headers, Request, split_host

_DEEPEST: Final = 16
"""How deep maps look into maps."""
VERSION: Final = "1.27.5"
_LAST: Final = {"1.14": 2, "1.16": 1, "1.18": 0, "1.19": 10, "1.20": 2, "1.21": 6, "1.22": 1,
                "1.23": 4, "1.24": 0, "1.25": 5, "1.26": 3, "1.27": 5, "1.28": 0}  # fmt: skip


def version(tag: str) -> str:
    """The version that an image's tag means: `1.25-alpine`, `1.14.2`, `latest`. That of a tag
    below 1 is the image's own: nginx-slim:0.21.
    """
    match = re.match(r"([1-9]\d?\.\d{1,3})(\.\d{1,3})?(?![\d.])", tag)
    if match is None:
        return VERSION
    return match[1] + (match[2] or f".{_LAST.get(match[1], 0)}")


class Fault(Exception):
    """The request ends with an error status."""

    def __init__(self, status: int, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(str(status))
        self.status = status
        self.headers = headers


@dataclass(slots=True)
class Exchange:
    """One request. `uri` is decoded and normal."""

    request: Request
    configuration: Configuration
    server: Server
    location: Location
    uri: str
    args: str
    now: float
    number: int
    """Of its connection, in the log."""
    hostname: str = ""
    version: str = VERSION
    method: str = ""
    request_id: str = ""
    captures: list[str] = field(default_factory=list)
    own: dict[str, str] = field(default_factory=dict)
    internal: bool = False
    error_status: int = 0
    """What it failed with, while the page of that error is being made."""
    hops: int = 0
    broken: bool = False
    """Whether `break` was said: no more rewriting."""
    changed: bool = False
    """Whether rewriting has said which URI it is."""
    path: str = ""
    """What try_files chose, where it is no path below the root."""
    status: int = 0
    body_sent: int = 0
    seconds: float = 0.0
    sent: Headers = field(default_factory=Headers)
    upstream: dict[str, str] = field(default_factory=dict)
    upstream_headers: Headers = field(default_factory=Headers)
    connections: int = 1
    _depth: int = 0

    @property
    def settings(self) -> Settings:
        """What holds for it now."""
        return self.location.settings

    @property
    def token(self) -> str:
        """What nginx calls itself."""
        return f"nginx/{self.version}" if self.settings.tokens else "nginx"

    @property
    def host(self) -> str:
        """`$host`."""
        return self.request.host or (self.server.names[0] if self.server.names else "")

    def file(self, uri: str = "") -> str:
        """The path of a URI in the root or alias of the location."""
        uri = uri or self.uri
        settings, location = self.settings, self.location
        if settings.alias is not None:
            base = settings.alias.of(self.look)
            if location.kind in ("~", "~*"):
                return base
            return _rooted(base + uri[len(location.text) :])
        return _rooted(settings.root.of(self.look)).rstrip("/") + uri

    def look(self, name: str) -> str:
        """The value of a variable, "" where it has none."""
        if name.isdigit():
            return self.captures[int(name)] if int(name) < len(self.captures) else ""
        if name in self.own:
            return self.own[name]
        found = self.configuration.maps.get(name)
        if found is not None:
            return self._mapped(found)
        simple = getattr(self, f"_v_{name}", None)
        if simple is not None:
            return str(simple())
        return self._prefixed(name)

    def _mapped(self, found: Map) -> str:
        self._depth += 1
        if self._depth > _DEEPEST:
            self._depth -= 1
            return ""
        try:
            source = found.source.of(self.look)
            value = found.exact.get(source.lower())
            if value is None and found.hostnames:
                value = _by_hostname(found, source.lower())
            if value is None:
                for pattern, word in found.patterns:
                    match = pattern.program.search(source)
                    if match is not None:
                        self.captures = [match.group(0), *(one or "" for one in match.groups())]
                        self.own |= {one.lower(): match.group(one) or "" for one in pattern.names}
                        value = word
                        break
            return (found.default if value is None else value).of(self.look)
        finally:
            self._depth -= 1

    def _prefixed(self, name: str) -> str:
        headers = self.request.headers
        if name.startswith("arg_"):
            for pair in self.args.split("&"):
                key, _, value = pair.partition("=")
                if key.lower() == name[4:]:
                    return value
        elif name.startswith("cookie_"):
            for pair in headers.joined("cookie").split(";"):
                key, _, value = pair.strip().partition("=")
                if key.lower() == name[7:]:
                    return value
        elif name.startswith("http_"):
            return headers.joined(name[5:].replace("_", "-"))
        elif name.startswith("sent_http_"):
            return self.sent.joined(name[10:].replace("_", "-"))
        elif name.startswith("upstream_http_"):
            return self.upstream_headers.get(name[14:].replace("_", "-"))
        elif name.startswith("upstream_"):
            return self.upstream.get(name[9:], "")
        return ""

    # ---- variables, `_v_NAME` each ---------------------------------------------------------------

    def _v_uri(self) -> str:
        return self.uri

    _v_document_uri = _v_fastcgi_script_name = _v_uri

    def _v_args(self) -> str:
        return self.args

    _v_query_string = _v_args

    def _v_is_args(self) -> str:
        return "?" if self.args else ""

    def _v_host(self) -> str:
        return self.host

    def _v_hostname(self) -> str:
        return self.hostname

    def _v_request(self) -> str:
        return self.request.line

    def _v_request_uri(self) -> str:
        path, query = self.request.path, self.request.query
        return f"{path}?{query}" if "?" in self.request.target else path

    def _v_request_method(self) -> str:
        return self.request.method

    def _v_request_id(self) -> str:
        return self.request_id

    def _v_request_length(self) -> str:
        length = self.request.headers.get("content-length")
        return str(self.request.size + (int(length) if length.isdigit() else 0))

    def _v_request_time(self) -> str:
        return f"{self.seconds:.3f}"

    def _v_request_completion(self) -> str:
        return "OK" if self.status else ""

    def _v_request_filename(self) -> str:
        return self.path or self.file()

    def _v_document_root(self) -> str:
        return _rooted(self.settings.root.of(self.look)).rstrip("/")

    _v_realpath_root = _v_document_root

    def _v_scheme(self) -> str:
        return self.request.scheme

    def _v_https(self) -> str:
        return "on" if self.request.scheme == "https" else ""

    def _v_server_name(self) -> str:
        return self.server.names[0] if self.server.names else ""

    def _v_server_addr(self) -> str:
        return self.request.local.address

    def _v_server_port(self) -> str:
        return str(self.request.local.port)

    def _v_server_protocol(self) -> str:
        return f"HTTP/1.{self.request.minor}"

    def _v_remote_addr(self) -> str:
        return self.request.peer.address

    _v_realip_remote_addr = _v_remote_addr

    def _v_remote_port(self) -> str:
        return str(self.request.peer.port)

    _v_realip_remote_port = _v_remote_port

    def _v_remote_user(self) -> str:
        found = credentials(self.request.headers)
        return found[0] if found else ""

    def _v_content_type(self) -> str:
        return self.request.headers.get("content-type")

    def _v_content_length(self) -> str:
        return self.request.headers.get("content-length")

    def _v_status(self) -> str:
        return f"{self.status:03d}" if self.status else "000"

    def _v_body_bytes_sent(self) -> str:
        return str(self.body_sent)

    def _v_bytes_sent(self) -> str:
        head = sum(len(name) + len(value) + 4 for name, value in self.sent)
        return str(self.body_sent + head + 19)

    def _v_connection(self) -> str:
        return str(self.number)

    def _v_connection_requests(self) -> str:
        return str(self.request.number)

    def _v_connections_active(self) -> str:
        return str(self.connections)

    def _v_msec(self) -> str:
        return f"{self.now:.3f}"

    def _v_pid(self) -> str:
        return "29"

    def _v_nginx_version(self) -> str:
        return self.version

    def _v_pipe(self) -> str:
        return "."

    def _v_time_local(self) -> str:
        return _utc(self.now).strftime("%d/%b/%Y:%H:%M:%S +0000")

    def _v_time_iso8601(self) -> str:
        return _utc(self.now).strftime("%Y-%m-%dT%H:%M:%S+00:00")

    def _v_proxy_host(self) -> str:
        return self.upstream.get("host", "")

    def _v_proxy_port(self) -> str:
        return str(split_host(self.upstream.get("host", ""), 80)[1])

    def _v_proxy_add_x_forwarded_for(self) -> str:
        before = self.request.headers.joined("x-forwarded-for")
        return f"{before}, {self.request.peer.address}" if before else self.request.peer.address


def _utc(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _rooted(path: str) -> str:
    return path if path.startswith("/") else f"/etc/nginx/{path}"


def _by_hostname(found: Map, host: str) -> Word | None:
    parts = host.split(".")
    for number in range(len(parts)):
        rest = ".".join(parts[number:])
        for key in (f"*.{rest}", f".{rest}"):
            if number and key in found.exact:
                return found.exact[key]
    return found.exact.get(f".{host}")


def credentials(headers: Headers) -> tuple[str, str] | None:
    """Name and password of basic authentication."""
    scheme, _, text = headers.get("authorization").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        plain = base64.b64decode(text.strip(), validate=True).decode("utf-8", "surrogateescape")
    except (ValueError, binascii.Error):
        return None
    name, colon, password = plain.partition(":")
    return (name, password) if colon else None


def escaped(uri: str) -> str:
    """A decoded URI as it is sent."""
    return quote(uri, safe="/!$&'()*+,;=:@~-._", errors="surrogateescape")


def unescaped(text: str) -> str:
    """A URI without percent signs."""
    return unquote(text, errors="surrogateescape")
