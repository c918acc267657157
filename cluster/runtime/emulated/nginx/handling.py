"""How nginx answers: server, rewriting, location, access, try_files, content, error pages."""

import hashlib
from typing import Final

from cluster.runtime.emulated.nginx import pages, responding, routing
from cluster.runtime.emulated.nginx.access import Gate
from cluster.runtime.emulated.nginx.exchange import Exchange, Fault, unescaped, version
from cluster.runtime.emulated.nginx.logs import Logs
from cluster.runtime.emulated.nginx.model import Configuration
from cluster.runtime.emulated.nginx.proxying import Proxy
from cluster.runtime.emulated.nginx.responding import REDIRECTS, Answered
from cluster.runtime.emulated.nginx.rewriting import Rules
from cluster.runtime.emulated.nginx.statics import Elsewhere, Statics
from cluster.runtime.emulated.web.messages import Headers, Request, Response
from cluster.runtime.emulated.web.serving import Sent, Server
from cluster.runtime.vos.kernel import Call

_MAX_HOPS: Final = 10
_HEADER_SECONDS: Final = 60.0
"""client_header_timeout, where nobody says otherwise."""


class Site:
    """Answers requests by a configuration, which a reload replaces."""

    def __init__(self, call: Call, configuration: Configuration, logs: Logs) -> None:
        self.configuration = configuration
        self.server: Server | None = None
        self._call = call
        self._logs = logs
        self._version = version(call.kernel.image_tag)
        self._proxy = Proxy(call, logs)
        self._rules = Rules(call.files)
        self._gate = Gate(call.files, logs)
        self._statics = Statics(call.files, logs, self._rules)
        self._connections = 0

    def name(self, port: int, address: str) -> str:
        """What the Server header says at an address of this host."""
        found = routing.server_of(self.configuration.servers, address, port, "")
        shown = found is None or found[0].own.settings.tokens
        return f"nginx/{self._version}" if shown else "nginx"

    def patience(self, port: int, address: str) -> tuple[float, float]:
        """Seconds for which it waits at an address of this host: for the next request of a client,
        and for more of a body. Where connections end with each answer, the first is for a request.
        """
        found = routing.server_of(self.configuration.servers, address, port, "")
        told = (found[0] if found else self.configuration.servers[0]).own.settings
        return told.keepalive or _HEADER_SECONDS, told.body_timeout

    async def handle(self, request: Request) -> Response:
        """Answer a request."""
        exchange = self._exchange(request)
        try:
            response = await self._answer(exchange, self._normal(exchange))
        except Fault as fault:
            response = await self._failed(exchange, fault)
        responding.finish(exchange, response)
        response.close = response.close or not exchange.settings.keepalive
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
        response = self._rules.run(exchange, exchange.server.own.rules)
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
            response = self._rules.run(exchange, exchange.location.rules)
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
                raise responding.moved(exchange, exchange.uri + "/")
            exchange.location = own
            return
        if found.text != exchange.uri and routing.slashed(own.locations, exchange.uri):
            raise responding.moved(exchange, exchange.uri + "/")
        exchange.location = found
        if captures:
            exchange.captures = captures
            exchange.own |= named
        if found.internal and not exchange.internal:
            raise Fault(404)

    # ---- content -----------------------------------------------------------------------------

    async def _content(self, exchange: Exchange) -> Response:
        """Access, try_files, and what the location answers. Fault."""
        await self._gate.admit(exchange)
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
        answer = await self._statics.answer(exchange)
        return await self._elsewhere(exchange, answer) if isinstance(answer, Elsewhere) else answer

    async def _try(self, exchange: Exchange) -> Response | None:
        """The first file that is there; its answer where it is not that of the location. Fault."""
        *words, last = exchange.location.try_files
        for word in words:
            text = word.of(exchange.look)
            uri = routing.normal(text if text.startswith("/") else f"/{text}")
            if uri is None:
                continue
            path = self._tried(exchange, uri)
            if self._rules.there(path.rstrip("/") or "/", "d" if text.endswith("/") else "f"):
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
                    return self._rules.run(exchange, one.rules) or await self._content(exchange)
            await self._logs.error("error", f'could not find named location "{target}"', exchange)
            raise Fault(500)
        path, mark, query = target.partition("?")
        exchange.uri = routing.normal(path) or "/"
        if mark:
            exchange.args = query
        return await self._route(exchange)

    async def _elsewhere(self, exchange: Exchange, index: Elsewhere) -> Response:
        """The index of a directory. Fault."""
        if index.whole:
            return await self._inside(exchange, index.uri)
        exchange.internal = True
        exchange.uri = index.uri
        return await self._route(exchange)

    async def _failed(self, exchange: Exchange, fault: Fault) -> Response:
        """The answer to an error: a page of the configuration, else nginx' own."""
        if isinstance(fault, Answered):
            return fault.response
        page = exchange.settings.error_pages.get(fault.status)
        if page is None or (exchange.error_status and not exchange.settings.recursive_error_pages):
            return responding.error(exchange, fault)
        exchange.error_status = fault.status
        target = page.target.of(exchange.look)
        if target.startswith(("http://", "https://")):
            code = page.status if page.status in REDIRECTS else 302
            return responding.redirect(exchange, code, target)
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
