"""What the controller does with a request: redirects, who may ask, canaries, rewriting."""

import asyncio
import re
import zlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol
from urllib.parse import quote

from cluster.api import objects
from cluster.runtime.emulated.ingressnginx import exchange as exchanges
from cluster.runtime.emulated.ingressnginx import passwords, proxying
from cluster.runtime.emulated.ingressnginx.annotations import Auth, Cors, Settings
from cluster.runtime.emulated.ingressnginx.endpoints import Endpoints, Peer
from cluster.runtime.emulated.ingressnginx.exchange import Exchange
from cluster.runtime.emulated.ingressnginx.keeping import Kept
from cluster.runtime.emulated.ingressnginx.model import Backend, Location, Model, Server
from cluster.runtime.emulated.ingressnginx.proxying import Fault
from cluster.runtime.emulated.nginx import pages, routing
from cluster.runtime.emulated.web.messages import Headers, Request, Response
from cluster.runtime.emulated.web.serving import Sent
from cluster.runtime.vos.kernel import Call, encoded

_GROUP: Final = re.compile(r"\$(\d)")
_CLIENTS: Final = 10_000
"""Of whom it is known how much they have asked."""
_BURST: Final = 5


class State(Protocol):
    """What the handler looks at for each request anew."""

    model: Model
    endpoints: Endpoints
    default: tuple[str, str] | None
    """The service of --default-backend-service."""
    base: Settings

    def secret(self, namespace: str, name: str) -> objects.Object | None:
        """A Secret."""


class Handler:
    """Answers requests."""

    def __init__(self, call: Call, state: State, count: Callable[[Exchange, Sent], None]) -> None:
        self._call = call
        self._state = state
        self._count = count
        self._way = proxying.Way(call, Kept())
        self._number = 0
        self._buckets: dict[tuple[str, tuple[str, str]], tuple[float, float]] = {}

    async def __call__(self, request: Request) -> Response:
        """Answer one."""
        self._number += 1
        text = f"{self._call.kernel.hostname}/{self._call.kernel.started}/{self._number}"
        number = "".join(f"{zlib.crc32(f'{text}/{part}'.encode()):08x}" for part in range(4))
        exchange = Exchange(request, request.headers.get("x-request-id") or number)
        try:
            response = await self._answer(exchange)
        except Fault as fault:
            response = await self._failed(exchange, fault.status)
        settings = exchange.location.settings if exchange.location else self._state.base
        if request.scheme == "https" and settings.hsts and "strict-transport-security" not in (
            response.headers
        ):  # fmt: skip
            response.headers.add("Strict-Transport-Security", settings.hsts)
        if settings.cors is not None:
            _allow(response.headers, request, settings.cors)
        response.note = exchange
        return response

    async def heard(self, request: Request | None, sent: Sent) -> None:
        """Write the access log."""
        exchange = sent.response.note
        if not isinstance(exchange, Exchange):
            if request is None:
                return
            exchange = Exchange(request, "-")
        self._count(exchange, sent)
        if exchange.location is not None and not exchange.location.settings.log:
            return
        now = self._call.kernel.clock.now()
        line = exchanges.line(exchange, sent.response.status, sent.body, sent.seconds, now)
        await self._call.io.stdout.write(encoded(line + "\n"))

    async def _answer(self, exchange: Exchange) -> Response:
        request = exchange.request
        server = exchange.server = self._state.model.server(request.host)
        path = routing.normal(request.decoded)
        if path is None:
            raise Fault(400)
        location = exchange.location = server.locate(path) if server is not None else None
        if server is not None and server.app_root and path == "/":
            return _redirect(302, f"{request.scheme}://{request.headers.get('host')}"
                                  f"{server.app_root}")  # fmt: skip
        if location is None:
            return await self._default(exchange)
        early = await self._early(exchange, server, location)
        if early is not None:
            return early
        return await self._proxied(exchange, location, path)

    async def _early(
        self, exchange: Exchange, server: Server | None, location: Location
    ) -> Response | None:
        """What is answered without asking anybody. Fault."""
        request, settings = exchange.request, location.settings
        redirected = settings.force_ssl_redirect or (
            settings.ssl_redirect and server is not None and server.tls
        )
        if redirected and request.scheme == "http" and not _by_tls_already(request):
            return _redirect(308, f"https://{request.host}{request.uri}")
        client = request.peer.address
        if settings.denied and exchanges.among(client, settings.denied):
            raise Fault(403)
        if settings.allowed and not exchanges.among(client, settings.allowed):
            raise Fault(403)
        if settings.rate and not self._within(exchange, location):
            raise Fault(503)
        if settings.cors is not None and request.method == "OPTIONS":
            return Response(204, Headers([("Content-Type", "text/plain charset=UTF-8")]))
        if settings.auth is not None:
            refused = self._authenticated(exchange, location, settings.auth)
            if refused is not None:
                return refused
        if settings.redirect:
            return _redirect(settings.redirect_code, settings.redirect)
        return None

    def _within(self, exchange: Exchange, location: Location) -> bool:
        """Whether a client asks no more than it may (limit_req with a burst)."""
        key = (exchange.request.peer.address, location.ingress)
        rate = location.settings.rate
        now = asyncio.get_running_loop().time()
        level, at = self._buckets.pop(key, (0.0, now))
        level = max(level - (now - at) * rate, 0.0)
        allowed = level < rate * _BURST
        self._buckets[key] = (level + 1 if allowed else level, now)
        if len(self._buckets) > _CLIENTS:
            del self._buckets[next(iter(self._buckets))]
        return allowed

    def _authenticated(self, exchange: Exchange, location: Location, auth: Auth) -> Response | None:
        """The refusal of who does not know a password. Fault 503 where there is none to know."""
        namespace, _, name = auth.secret.rpartition("/")
        secret = self._state.secret(namespace or location.ingress[0], name)
        if secret is None:
            raise Fault(503)
        user = passwords.user(exchange.request.headers, secret, by_user=auth.by_user)
        if user is None:
            refused = self._page(401)
            refused.headers.add("WWW-Authenticate", f'Basic realm="{auth.realm}"')
            return refused
        exchange.user = user
        return None

    # ---- asking ----------------------------------------------------------------------------------

    async def _proxied(self, exchange: Exchange, location: Location, path: str) -> Response:
        settings, request = location.settings, exchange.request
        backend = location.backend
        other = exchanges.canary(location, request, self._number)
        if other is not None:
            exchange.alternative = other.name
            backend = other
        if backend is None:
            return await self._default(exchange)
        exchange.backend = backend.name
        peers = self._peers(backend, location, request)
        data = await proxying.body(exchange, settings.max_body)
        headers = exchanges.upstream_headers(
            exchange, settings.host or request.headers.get("host"), settings.prefix
        )
        target = _target(request, location, path)
        question = proxying.Question(exchange, target, headers, data, settings)
        response = await proxying.ask(self._way, question, peers, self._complain(exchange))
        if response.status in settings.errors and response.takeover is None:
            close = getattr(response.body, "aclose", None)
            if close is not None:
                await close()
            return await self._default(exchange, response.status)
        self._stick(exchange, location, response)
        return response

    def _peers(self, backend: Backend, location: Location, request: Request) -> Sequence[Peer]:
        endpoints, settings = self._state.endpoints, location.settings
        found = endpoints.turn(backend)
        if not found and settings.backend:
            spare = endpoints.first_port(backend.namespace, settings.backend)
            return endpoints.turn(spare) if spare is not None else ()
        if settings.affinity is not None:
            told = exchanges.cookie(request.headers, settings.affinity.cookie)
            found = sorted(found, key=lambda one: one.cookie != told) if told else found
        return found

    @staticmethod
    def _stick(exchange: Exchange, location: Location, response: Response) -> None:
        affinity = location.settings.affinity
        if affinity is None or not exchange.tries:
            return
        value = exchange.tries[-1].peer.cookie
        if exchanges.cookie(exchange.request.headers, affinity.cookie) != value:
            age = f"; Max-Age={affinity.max_age}" if affinity.max_age else ""
            secure = "; Secure" if exchange.request.scheme == "https" else ""
            response.headers.add("Set-Cookie", f"{affinity.cookie}={value}{age}; "
                                 f"Path={affinity.path}{secure}; HttpOnly")  # fmt: skip

    def _complain(self, exchange: Exchange) -> Callable[[str], Awaitable[None]]:
        async def complain(text: str) -> None:
            request = exchange.request
            now = self._call.kernel.clock.now()
            host = exchange.server.host if exchange.server is not None else "_"
            head, _, upstream = text.partition(", upstream: ")
            from cluster.runtime.emulated.nginx import logs

            said = (
                f"{logs.stamp(now)} [error] 29#29: *{self._number} {head}, client: "
                f'{request.peer.address}, server: {host}, request: "{request.line}", upstream: '
                f'{upstream}, host: "{request.headers.get("host")}"\n'
            )
            await self._call.io.stderr.write(encoded(said))

        return complain

    # ---- pages of its own ------------------------------------------------------------------------

    async def _default(self, exchange: Exchange, status: int = 404) -> Response:
        """What the default backend answers, or the page that there is without one."""
        place = self._state.default
        backend = self._state.endpoints.first_port(*place) if place is not None else None
        peers = self._state.endpoints.turn(backend) if backend is not None else ()
        if backend is None or not peers:
            exchange.backend = exchange.backend or "upstream-default-backend"
            return self._page(status)
        exchange.backend = "upstream-default-backend"
        request = exchange.request
        headers = exchanges.upstream_headers(exchange, request.headers.get("host"), "")
        headers.add("X-Code", str(status))
        headers.add("X-Format", request.headers.get("accept"))
        headers.add("X-Original-URI", request.uri)
        if exchange.location is not None:
            headers.add("X-Namespace", exchange.location.ingress[0])
            headers.add("X-Ingress-Name", exchange.location.ingress[1])
        question = proxying.Question(exchange, request.uri, headers, b"", self._state.base)
        made = await proxying.ask(self._way, question, peers, self._complain(exchange))
        if status != 404:
            made.status, made.reason = status, ""
        return made

    async def _failed(self, exchange: Exchange, status: int) -> Response:
        settings = exchange.location.settings if exchange.location else self._state.base
        if status in settings.errors:
            try:
                return await self._default(exchange, status)
            except Fault:
                return self._page(status)
        return self._page(status)

    @staticmethod
    def _page(status: int) -> Response:
        return Response(status, Headers([("Content-Type", "text/html")]),
                        pages.error(status, "nginx"), pages.phrase(status))  # fmt: skip


def refused(status: int) -> Response:
    """What nginx answers to what is no request, with its own page; a head that is too long is a bad
    request to it.
    """
    shown = 400 if status == 431 else status
    headers = Headers([("Content-Type", "text/html")])
    return Response(shown, headers, pages.error(status, "nginx"), pages.phrase(shown), close=True)


def _by_tls_already(request: Request) -> bool:
    """ACME's challenges come by HTTP, and are never redirected by ingress-nginx."""
    return request.path.startswith("/.well-known/acme-challenge")


def _redirect(status: int, target: str) -> Response:
    headers = Headers([("Content-Type", "text/html"), ("Location", target)])
    return Response(status, headers, pages.error(status, "nginx"), pages.phrase(status))


def _target(request: Request, location: Location, path: str) -> str:
    """What the endpoint is asked for: as the client asked, or rewritten."""
    query = f"?{request.query}" if "?" in request.target else ""
    rewrite = location.settings.rewrite
    if not rewrite or location.pattern is None:
        return request.path + query
    match = location.pattern.match(path)
    groups = match.groups() if match is not None else ()
    filled = _GROUP.sub(
        lambda m: (groups[int(m[1]) - 1] or "") if 0 < int(m[1]) <= len(groups) else "", rewrite
    )
    made = quote(filled, safe="/:@!$&'()*+,;=-._~?%")
    if not made.startswith("/"):
        made = "/" + made
    if "?" in made and query:
        return made + "&" + query[1:]
    return made + query


def _allow(headers: Headers, request: Request, cors: Cors) -> None:
    """CORS, as ingress-nginx adds it to every answer."""
    origin = request.headers.get("origin")
    allowed = "*" if "*" in cors.origins else (origin if origin in cors.origins else "")
    if not allowed:
        return
    headers.set("Access-Control-Allow-Origin", allowed)
    if cors.credentials:
        headers.set("Access-Control-Allow-Credentials", "true")
    headers.set("Access-Control-Allow-Methods", cors.methods)
    headers.set("Access-Control-Allow-Headers", cors.headers)
    headers.set("Access-Control-Max-Age", str(cors.max_age))
