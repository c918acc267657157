"""How nginx answers: server, rewriting, location, access, try_files, content, error pages."""

import base64
import hashlib
import hmac
import ipaddress
import posixpath
from collections.abc import Sequence
from typing import Final

from cluster.runtime.emulated.nginx import pages, routing
from cluster.runtime.emulated.nginx.exchange import (
    Exchange,
    Fault,
    credentials,
    escaped,
    unescaped,
    version,
)
from cluster.runtime.emulated.nginx.logs import Logs
from cluster.runtime.emulated.nginx.model import (
    Assign,
    Break,
    Condition,
    Configuration,
    If,
    Location,
    Return,
    Rewrite,
    Rule,
    Settings,
)
from cluster.runtime.emulated.nginx.proxying import Proxy
from cluster.runtime.emulated.web import conditions, files
from cluster.runtime.emulated.web.messages import Headers, Request, Response
from cluster.runtime.emulated.web.serving import Sent, Server
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.nodes import File, Folder

_MAX_HOPS: Final = 10
_ADDED: Final = frozenset((200, 201, 204, 206, 301, 302, 303, 304, 307, 308))
"""Statuses to which add_header adds without `always`."""
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))


class Site:
    """Answers requests by a configuration, which a reload replaces."""

    def __init__(self, call: Call, configuration: Configuration, logs: Logs) -> None:
        self.configuration = configuration
        self.server: Server | None = None
        self._call = call
        self._logs = logs
        self._version = version(call.kernel.image_tag)
        self._proxy = Proxy(call, logs)
        self._connections = 0

    def name(self, port: int, address: str) -> str:
        """What the Server header says at an address of this host."""
        found = routing.server_of(self.configuration.servers, address, port, "")
        shown = found is None or found[0].own.settings.tokens
        return f"nginx/{self._version}" if shown else "nginx"

    async def handle(self, request: Request) -> Response:
        """Answer a request."""
        exchange = self._exchange(request)
        try:
            response = await self._answer(exchange, self._normal(exchange))
        except Fault as fault:
            response = await self._failed(exchange, fault)
        self._finish(exchange, response)
        return response

    async def heard(self, _request: Request | None, sent: Sent) -> None:
        """Log what was answered."""
        exchange = sent.response.note
        if isinstance(exchange, Exchange):
            exchange.body_sent, exchange.seconds = sent.body, sent.seconds
            exchange.status = exchange.status or sent.response.status
            exchange.now = self._call.kernel.clock.now()
            await self._logs.access(exchange)

    def refused(self, status: int) -> Response:
        """The answer to what is no request."""
        headers = Headers([("Server", f"nginx/{self._version}"), ("Content-Type", "text/html")])
        shown = 400 if status == 431 else status
        response = Response(shown, headers, pages.error(status, f"nginx/{self._version}"))
        response.close = True
        return response

    def _exchange(self, request: Request) -> Exchange:
        local = request.local
        found = routing.server_of(
            self.configuration.servers, local.address, local.port, request.host
        )
        server, named = found or (self.configuration.servers[0], {})
        if request.number == 1:
            self._connections += 1
        made = Exchange(
            request, self.configuration, server, server.own, "/", request.query,
            self._call.kernel.clock.now(), self._connections,
            hostname=self._call.kernel.hostname, version=self._version, method=request.method,
            request_id=self._request_id(request),
        )  # fmt: skip
        made.own |= named
        if self.server is not None:
            made.connections = self.server.connections
        return made

    def _request_id(self, request: Request) -> str:
        """`$request_id`: unlike all others, and the same in the same run of the lab."""
        kernel = self._call.kernel
        text = f"{kernel.hostname}/{kernel.started}/{self._connections}/{request.number}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @staticmethod
    def _normal(exchange: Exchange) -> str:
        uri = routing.normal(unescaped(exchange.request.path))
        if uri is None:
            raise Fault(400)
        return uri

    # ---- phases ------------------------------------------------------------------------------

    async def _answer(self, exchange: Exchange, uri: str) -> Response:
        """All phases, from the server's rules on. Fault."""
        request = exchange.request
        exchange.uri = uri
        if request.minor and not request.headers.get("host"):
            raise Fault(400)
        response = await self._rules(exchange, exchange.server.own.rules)
        return response or await self._route(exchange)

    async def _route(self, exchange: Exchange) -> Response:
        """Find the location of the URI, and answer there. Fault."""
        while True:
            exchange.hops += 1
            if exchange.hops > _MAX_HOPS:
                await self._logs.error(
                    "error",
                    f'rewrite or internal redirection cycle while processing "{exchange.uri}"',
                    exchange,
                )
                raise Fault(500)
            self._locate(exchange)
            exchange.broken = exchange.changed = False
            response = await self._rules(exchange, exchange.location.rules)
            if response is not None:
                return response
            if exchange.changed and not exchange.broken:
                continue
            return await self._content(exchange)

    def _locate(self, exchange: Exchange) -> None:
        own = exchange.server.own
        found, captures, named = routing.location_of(own.locations, exchange.uri)
        if found is None or found.kind == "@":
            if routing.slashed(own.locations, exchange.uri):
                raise self._moved(exchange, exchange.uri + "/")
            exchange.location = own
            return
        if found.text != exchange.uri and routing.slashed(own.locations, exchange.uri):
            raise self._moved(exchange, exchange.uri + "/")
        exchange.location = found
        if captures:
            exchange.captures = captures
            exchange.own |= named
        if found.internal and not exchange.internal:
            raise Fault(404)

    async def _rules(self, exchange: Exchange, rules: Sequence[Rule]) -> Response | None:
        """Carry out rules; the answer where one gives it. Fault."""
        for rule in rules:
            match rule:
                case Assign():
                    exchange.own[rule.name] = rule.value.of(exchange.look)
                case Break():
                    exchange.broken = True
                    return None
                case Return():
                    return self._return(exchange, rule)
                case Rewrite():
                    stop = self._rewrite(exchange, rule)
                    if stop:
                        return None
                case If():
                    if self._holds(exchange, rule.condition):
                        self._enter(exchange, rule.location)
                        response = await self._rules(exchange, rule.location.rules)
                        if response is not None or exchange.broken:
                            return response
        return None

    @staticmethod
    def _enter(exchange: Exchange, inside: Location) -> None:
        """From now on it is the `if` that says what holds, with the location's own content."""
        outer = exchange.location
        exchange.location = Location(
            outer.kind, outer.text, inside.settings, outer.pattern, (), outer.locations,
            outer.try_files if inside.proxy is None else (), inside.proxy or outer.proxy,
            inside.missing or outer.missing, outer.internal, outer.status_page, outer.gif,
        )  # fmt: skip
        if inside.settings.alias is None:
            exchange.location.settings.alias = outer.settings.alias

    def _return(self, exchange: Exchange, rule: Return) -> Response:
        text = rule.text.of(exchange.look) if rule.text is not None else ""
        if rule.code == 444:
            return Response(444, drop=True)
        if rule.code in _REDIRECTS:
            return self._redirect(exchange, rule.code, text)
        if rule.text is None:
            if rule.code >= 300:
                raise Fault(rule.code)
            return Response(rule.code)
        kind = self._type(exchange.settings, exchange.uri)
        data = text.encode("utf-8", "surrogateescape")
        return Response(rule.code, Headers([("Content-Type", kind)]), data)

    def _rewrite(self, exchange: Exchange, rule: Rewrite) -> bool:
        """Whether the rules end with it. Fault."""
        match = rule.pattern.program.search(exchange.uri)
        if match is None:
            return False
        exchange.captures = [match.group(0), *(one or "" for one in match.groups())]
        exchange.own |= {name.lower(): match.group(name) or "" for name in rule.pattern.names}
        made = rule.target.of(exchange.look)
        if rule.flag in ("redirect", "permanent"):
            code = 301 if rule.flag == "permanent" else 302
            if made.endswith("?"):
                made = made[:-1]
            elif exchange.args:
                made += ("&" if "?" in made else "?") + exchange.args
            raise _Answered(self._redirect(exchange, code, made))
        path, mark, query = made.partition("?")
        if mark:
            exchange.args = f"{query}&{exchange.args}" if query and exchange.args else query
            if not query:
                exchange.args = ""
        exchange.uri = path if path.startswith("/") else f"/{path}"
        exchange.changed, exchange.broken = True, rule.flag == "break"
        return rule.flag != ""

    def _holds(self, exchange: Exchange, condition: Condition) -> bool:
        value = condition.left.of(exchange.look)
        kind = condition.kind
        if condition.pattern is not None:
            match = condition.pattern.program.search(value)
            if match is not None:
                exchange.captures = [match.group(0), *(one or "" for one in match.groups())]
            return (match is not None) != kind.startswith("!")
        if kind == "set":
            return value not in ("", "0")
        if kind in ("=", "!="):
            return (value == condition.right) == (kind == "=")
        return self._is(value, kind[-1]) != kind.startswith("!")

    def _is(self, path: str, what: str) -> bool:
        try:
            node = self._call.files.find(path)
        except OSError:
            return False
        if what == "f":
            return isinstance(node, File)
        return isinstance(node, Folder) if what == "d" else what == "e" or bool(node.mode & 0o111)

    # ---- content -----------------------------------------------------------------------------

    async def _content(self, exchange: Exchange) -> Response:
        """Access, try_files, and what the location answers. Fault."""
        await self._admit(exchange)
        exchange.path = ""
        if exchange.location.try_files:
            response = await self._try(exchange)
            if response is not None:
                return response
        location = exchange.location
        if location.proxy is not None:
            return await self._proxy.answer(exchange, location.proxy)
        if location.missing:
            await self._logs.error(
                "error", f'"{location.missing}" is not built in the emulated nginx', exchange
            )
            raise Fault(502)
        if location.status_page:
            server = self.server
            counts = (server.connections, server.accepted, server.requests) if server else (1, 1, 1)
            kind = Headers([("Content-Type", "text/plain")])
            return Response(200, kind, pages.status(*counts))
        if location.gif:
            return Response(200, Headers([("Content-Type", "image/gif")]), pages.GIF)
        return await self._static(exchange)

    async def _admit(self, exchange: Exchange) -> None:
        """`allow`, `deny`, `auth_basic`, the size of the body. Fault."""
        settings, request = exchange.settings, exchange.request
        length = request.headers.get("content-length")
        if settings.max_body and length.isdigit() and int(length) > settings.max_body:
            await self._logs.error(
                "error", f"client intended to send too large body: {length} bytes", exchange
            )
            raise Fault(413)
        denied = _denied(settings, request.peer.address)
        realm = settings.realm.of(exchange.look) if settings.realm is not None else ""
        if settings.satisfy_any and realm:
            if settings.access and not denied:
                return
        elif denied:
            await self._logs.error("error", "access forbidden by rule", exchange)
            raise Fault(403)
        if realm:
            await self._authenticate(exchange, realm)

    async def _authenticate(self, exchange: Exchange, realm: str) -> None:
        given = credentials(exchange.request.headers)
        refusal = Fault(401, [("WWW-Authenticate", f'Basic realm="{realm}"')])
        word = exchange.settings.passwords
        if given is None or word is None:
            raise refusal
        path = word.of(exchange.look)
        path = path if path.startswith("/") else f"/etc/nginx/{path}"
        try:
            lines = self._call.files.read(path).decode("utf-8", "surrogateescape").splitlines()
        except OSError as error:
            await self._logs.error(
                "error", f'open() "{path}" failed ({error.errno}: {error.strerror})', exchange
            )
            raise Fault(403) from error
        for line in lines:
            name, _, hashed = line.partition(":")
            if name == given[0]:
                verdict = _password_fits(hashed.partition(":")[0], given[1])
                if verdict is None:
                    await self._logs.error(
                        "crit", f'the hash of "{name}" is of a kind that is not built', exchange
                    )
                    raise Fault(500)
                if verdict:
                    return
                await self._logs.error("error", f'user "{name}": password mismatch', exchange)
                raise refusal
        await self._logs.error("error", f'user "{given[0]}" was not found in "{path}"', exchange)
        raise refusal

    async def _try(self, exchange: Exchange) -> Response | None:
        """The first file that is there; its answer where it is not that of the location. Fault."""
        *words, last = exchange.location.try_files
        for word in words:
            text = word.of(exchange.look)
            uri = routing.normal(text if text.startswith("/") else f"/{text}")
            if uri is None:
                continue
            path = self._tried(exchange, uri)
            if self._is(path.rstrip("/") or "/", "d" if text.endswith("/") else "f"):
                exchange.uri, exchange.path = uri, path
                return None
        target = last.of(exchange.look)
        if target.startswith("=") and target[1:].isdigit():
            raise Fault(int(target[1:4]))
        return await self._inside(exchange, target)

    @staticmethod
    def _tried(exchange: Exchange, uri: str) -> str:
        if exchange.settings.alias is not None and not uri.startswith(exchange.location.text):
            return exchange.settings.alias.of(exchange.look).rstrip("/") + uri
        return exchange.file(uri)

    async def _inside(self, exchange: Exchange, target: str) -> Response:
        """An internal redirect to a URI or a named location. Fault."""
        exchange.internal = True
        if target.startswith("@"):
            exchange.hops += 1
            for one in exchange.server.own.locations:
                if one.kind == "@" and one.text == target and exchange.hops <= _MAX_HOPS:
                    exchange.location = one
                    return await self._rules(exchange, one.rules) or await self._content(exchange)
            await self._logs.error("error", f'could not find named location "{target}"', exchange)
            raise Fault(500)
        path, mark, query = target.partition("?")
        exchange.uri = routing.normal(path) or "/"
        if mark:
            exchange.args = query
        return await self._route(exchange)

    async def _static(self, exchange: Exchange) -> Response:
        if exchange.method not in ("GET", "HEAD"):
            raise Fault(405)
        path = exchange.path or exchange.file()
        if exchange.uri.endswith("/"):
            return await self._folder(exchange, path)
        try:
            node = self._call.files.find(path)
        except OSError as error:
            raise await self._unreadable(exchange, path, error) from error
        if isinstance(node, Folder):
            raise self._moved(exchange, exchange.uri + "/")
        if not isinstance(node, File):
            raise Fault(404)
        kind = self._type(exchange.settings, path)
        asked = exchange.request if not exchange.error_status else Request("GET", "/")
        exact = exchange.settings.modified_since != "before"
        response = files.answer(asked, node, kind, exact=exact)
        if response.status >= 400:
            raise Fault(response.status, [("Content-Range", response.headers.get("content-range"))]
                        if response.status == 416 else ())  # fmt: skip
        if not exchange.settings.etag:
            response.headers.drop("etag")
        return response

    async def _unreadable(self, exchange: Exchange, path: str, error: OSError) -> Fault:
        status = 403 if isinstance(error, PermissionError) else 404
        if exchange.settings.log_not_found or status != 404:
            await self._logs.error(
                "error", f'open() "{path}" failed ({error.errno}: {error.strerror})', exchange
            )
        return Fault(status)

    async def _folder(self, exchange: Exchange, path: str) -> Response:
        """The index of a directory, or a listing of it. Fault."""
        tree = self._call.files
        for word in exchange.settings.index or ():
            name = word.of(exchange.look)
            if name.startswith("/"):
                return await self._inside(exchange, name)
            if self._is(posixpath.join(path, name), "f"):
                exchange.internal = True
                exchange.uri = posixpath.join(exchange.uri, name)
                return await self._route(exchange)
        if not exchange.settings.index and self._is(posixpath.join(path, "index.html"), "f"):
            exchange.internal = True
            exchange.uri = posixpath.join(exchange.uri, "index.html")
            return await self._route(exchange)
        if not tree.is_folder(path.rstrip("/") or "/"):
            shown = posixpath.join(path, "index.html")
            await self._logs.error(
                "error", f'"{shown}" is not found (2: No such file or directory)', exchange
            )
            raise Fault(404)
        if not exchange.settings.autoindex:
            await self._logs.error("error", f'directory index of "{path}" is forbidden', exchange)
            raise Fault(403)
        kind = self._with_charset(exchange.settings, "text/html")
        return Response(200, Headers([("Content-Type", kind)]), self._listing(exchange.uri, path))

    def _listing(self, uri: str, path: str) -> bytes:
        tree = self._call.files
        entries = []
        for name in tree.names(path.rstrip("/") or "/"):
            if name.startswith("."):
                continue
            try:
                node = tree.find(posixpath.join(path, name))
            except OSError:
                continue
            size = node.size if isinstance(node, File) else 0
            entries.append(pages.Entry(name, isinstance(node, Folder), size, node.mtime))
        return pages.listing(uri, entries)

    # ---- answers -----------------------------------------------------------------------------

    def _moved(self, exchange: Exchange, uri: str) -> "_Answered":
        query = f"?{exchange.args}" if exchange.args else ""
        return _Answered(self._redirect(exchange, 301, escaped(uri) + query))

    def _redirect(self, exchange: Exchange, code: int, target: str) -> Response:
        settings = exchange.settings
        if target.startswith("/") and settings.absolute_redirect:
            host = exchange.look("server_name") if settings.name_in_redirect else exchange.host
            port = exchange.request.local.port
            scheme = exchange.request.scheme
            usual = 443 if scheme == "https" else 80
            shown = f":{port}" if settings.port_in_redirect and port != usual else ""
            target = f"{scheme}://{host}{shown}{target}"
        headers = Headers([("Content-Type", "text/html"), ("Location", target)])
        return Response(code, headers, pages.error(code, exchange.token))

    async def _failed(self, exchange: Exchange, fault: Fault) -> Response:
        """The answer to an error: a page of the configuration, else nginx' own."""
        if isinstance(fault, _Answered):
            return fault.response
        page = exchange.settings.error_pages.get(fault.status)
        if page is None or (exchange.error_status and not exchange.settings.recursive_error_pages):
            return self._plain_error(exchange, fault)
        exchange.error_status = fault.status
        target = page.target.of(exchange.look)
        if target.startswith(("http://", "https://")):
            code = page.status if page.status in _REDIRECTS else 302
            return self._redirect(exchange, code, target)
        if not target.startswith("@"):
            exchange.method = exchange.method if exchange.method == "HEAD" else "GET"
        try:
            response = await self._inside(exchange, target)
        except Fault as again:
            return await self._failed(exchange, again)
        if page.status >= 0:
            response.status = page.status or fault.status
        response.headers.pairs += fault.headers
        return response

    def _plain_error(self, exchange: Exchange, fault: Fault) -> Response:
        headers = Headers([("Content-Type", "text/html"), *fault.headers])
        data = pages.error(fault.status, exchange.token)
        response = Response(fault.status, headers, data)
        response.close = fault.status in (400, 413, 500)
        return response

    def _finish(self, exchange: Exchange, response: Response) -> None:
        """Add what the configuration adds."""
        settings, headers = exchange.settings, response.headers
        exchange.status, exchange.sent = response.status, headers
        response.note = exchange
        response.reason = response.reason or pages.phrase(response.status)
        if "server" not in headers:
            headers.pairs.insert(0, ("Server", exchange.token))
        kind = headers.get("content-type")
        if kind and settings.charset and exchange.location.proxy is None:
            headers.pairs = [
                (name, self._with_charset(settings, value)) if name.lower() == "content-type"
                else (name, value) for name, value in headers.pairs
            ]  # fmt: skip
        if settings.expires and response.status in _ADDED:
            _expire(settings.expires, headers, exchange.now)
        for one in settings.headers:
            if one.always or response.status in _ADDED:
                value = one.value.of(exchange.look)
                if value:
                    headers.add(one.name, value)

    def _type(self, settings: Settings, path: str) -> str:
        name = path.rpartition("/")[2]
        end = name.rpartition(".")[2].lower() if "." in name else ""
        return self._with_charset(settings, settings.types.get(end, settings.default_type))

    @staticmethod
    def _with_charset(settings: Settings, kind: str) -> str:
        texts = ("text/", "application/javascript", "application/rss+xml")
        if settings.charset and "charset=" not in kind and kind.startswith(texts):
            return f"{kind}; charset={settings.charset}"
        return kind


class _Answered(Fault):
    """No error: the answer is there."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def _denied(settings: Settings, client: str) -> bool:
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return bool(settings.access)
    for allowed, network in settings.access:
        if network is None or (network.version == address.version and address in network):
            return not allowed
    return False


def _password_fits(hashed: str, password: str) -> bool | None:
    """Whether a password is that of a line of a password file; None for an unknown hash."""
    data = password.encode("utf-8", "surrogateescape")
    if hashed.startswith("{PLAIN}"):
        return hmac.compare_digest(hashed[7:].encode("utf-8", "surrogateescape"), data)
    if hashed.startswith("{SHA}"):
        digest = hashlib.sha1(data, usedforsecurity=False).digest()
        return hmac.compare_digest(hashed[5:].encode(), base64.b64encode(digest))
    if hashed.startswith("$apr1$"):
        from cluster.runtime.emulated.web.apr1 import apr1

        salt = hashed.split("$")[2]
        return hmac.compare_digest(hashed.encode(), apr1(data, salt.encode()).encode())
    return None


def _expire(text: str, headers: Headers, now: float) -> None:
    if text == "epoch":
        headers.set("Expires", "Thu, 01 Jan 1970 00:00:01 GMT")
        headers.set("Cache-Control", "no-cache")
        return
    if text == "max":
        headers.set("Expires", "Thu, 31 Dec 2037 23:55:55 GMT")
        headers.set("Cache-Control", "max-age=315360000")
        return
    sign = -1 if text.startswith("-") else 1
    number, unit = text.lstrip("+-")[:-1], text[-1:]
    if text.lstrip("+-").isdigit():
        number, unit = text.lstrip("+-"), "s"
    scale = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2592000, "y": 31536000}
    if not number.isdigit() or unit not in scale or len(number) > 9:
        return
    seconds = sign * int(number) * scale[unit]
    headers.set("Expires", conditions.http_date(now + seconds))
    headers.set("Cache-Control", f"max-age={seconds}" if seconds >= 0 else "no-cache")
