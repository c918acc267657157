"""The sockets of the REST face: HTTPS on aiohttp's low-level server, with our own routing."""

import asyncio
import logging
import re
import ssl
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, Self

from aiohttp import abc, http_exceptions, http_parser, streams, web

from cluster.aio import plainhttp
from cluster.aio.clock import Clock
from cluster.api import errors, schema
from cluster.apiserver import authn, bodies
from cluster.apiserver.aggregation.aggregator import Aggregator
from cluster.apiserver.kubelets.protocol import Connector, Nowhere
from cluster.apiserver.limits import Limits, Refusals
from cluster.apiserver.registry import Registry
from cluster.apiserver.rest import answers, health
from cluster.apiserver.rest.documents import Documents
from cluster.apiserver.rest.exchange import Protection, Request
from cluster.apiserver.rest.pages import Page
from cluster.apiserver.rest.reads import Reads
from cluster.apiserver.rest.router import NOT_ALLOWED, Act, Router
from cluster.apiserver.rest.watching import Watches
from cluster.apiserver.rest.writes import Writes
from cluster.apiserver.streaming.face import Streams
from cluster.apiserver.streaming.proxying import Proxies
from cluster.streams.sessions import Sessions

_LINE_BYTES = 1 << 16
_CLOSE_SECONDS = 2.0
_LINGER_SECONDS = 1.0
"""How long the rest of a body is read that nobody wants any more, so that its sender comes to read
the answer; Go's server reads 256 KiB of it."""
_GOODBYE_SECONDS = 5.0
"""How long a client may take to end TLS."""


def tls(certificate: str, key: str, client_ca: str = "") -> ssl.SSLContext:
    """TLS 1.2 and later with a certificate chain and key (paths of PEM files).

    With `client_ca`, clients may show a certificate, which that CA must have signed.
    """
    context = plainhttp.Context(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    # Who comes again shows the certificate again: a ticket would outlive it, and its authority.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


class RestServer:
    """Serves `registry` at `host:port` (port 0: a free one). Use it inside `async with`.

    `checks` adds to the checks of /readyz. Without `ssl_context` it speaks plain HTTP, over which
    only tokens tell who asks. `kubelets` reaches the kubelets of nodes: for logs, exec and so on.
    """

    def __init__(
        self,
        registry: Registry,
        authenticator: authn.Authenticator,
        *,
        clock: Clock,
        random: Random,
        ssl_context: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        version: str = "",
        checks: Mapping[str, health.Check] | None = None,
        kubelets: Connector | None = None,
        protection: Protection | None = None,
        pages: Mapping[str, Page] | None = None,
        aggregator: Aggregator | None = None,
        limits: Limits | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        self._ssl = ssl_context
        self._limits = limits or Limits()
        self._patience = limits.body_seconds if limits is not None else 0.0
        self._refusals = refusals or Refusals()
        self._host = host
        self._port = port
        self._connections: dict[object, dict[Callable[[], None], None]] = {}
        self._listener: asyncio.Server | None = None
        self._http: web.Server | None = None
        reads = Reads(registry, clock)
        self.documents = Documents(registry.table, version or schema.NEWEST)
        every_check = _all_checks(checks or {})
        self.documents.beside = (*(pages or {}), *_paths(every_check))
        watches = Watches(registry, clock, random, self._follow)
        registry.table.on_change(lambda _resource: watches.forget())
        self._router = Router(
            reads=reads,
            writes=Writes(registry, reads),
            watches=watches,
            documents=self.documents,
            authenticator=authenticator,
            checks=every_check,
            protection=protection if protection is not None else Protection(random),
            pages=pages or {},
            connects=self._connects(registry, kubelets or Nowhere(), random),
            aggregator=aggregator,
        )

    def _connects(self, registry: Registry, kubelets: Connector, random: Random) -> dict[str, Act]:
        """What pods, services and nodes answer themselves, by subresource."""
        sessions = Sessions(self._follow)
        streams = Streams(registry, kubelets, sessions)
        return {
            "log": streams.log,
            "exec": streams.exec,
            "attach": streams.attach,
            "portforward": streams.port_forward,
            "proxy": Proxies(registry, kubelets, sessions, random).proxy,
        }

    @property
    def port(self) -> int:
        """The port that it listens on."""
        if self._listener is None:
            raise RuntimeError("the server does not listen yet")
        return int(self._listener.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        limits = self._limits
        if isinstance(self._ssl, plainhttp.Context):
            self._ssl.told = self._refusals.note
        self._http = _Server(
            self._router.answer, self._lost, loop,
            limits=limits, refusals=self._refusals, patience=self._patience,
        )  # fmt: skip
        self._listener = await loop.create_server(
            self._http, self._host, self._port, ssl=self._ssl, backlog=1024, reuse_address=True,
            ssl_handshake_timeout=limits.head_seconds if self._ssl is not None else None,
            ssl_shutdown_timeout=_GOODBYE_SECONDS if self._ssl is not None else None,
        )  # fmt: skip
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Take no more connections, end the watches, and let what is under way finish."""
        if self._listener is not None:
            self._listener.close()
        for connection in list(self._connections):
            self._lost(connection)
        if self._http is not None:
            self._http.pre_shutdown()
            await self._http.shutdown(_CLOSE_SECONDS)

    def _follow(self, connection: object, end: Callable[[], None]) -> Callable[[], None]:
        """Call `end` when `connection` is lost, unless the call that this returns comes first."""
        self._connections.setdefault(connection, {})[end] = None

        def forget() -> None:
            ends = self._connections.get(connection)
            if ends is not None:
                ends.pop(end, None)
                if not ends:
                    del self._connections[connection]

        return forget

    def _lost(self, connection: object) -> None:
        self._router.asking.forget(connection)
        for end in self._connections.pop(connection, {}):
            end()


def _ours(record: logging.LogRecord) -> bool:
    """Whether a record tells of more than a request that is no HTTP, whose sender is told 400."""
    fault = record.exc_info[1] if record.exc_info else None
    return not isinstance(fault, http_exceptions.HttpProcessingError)


_LOG = logging.getLogger(__name__)
_LOG.addFilter(_ours)

_GONE = ("SSL connection is closed", "socket.send() raised exception.")


def _of_the_living(record: logging.LogRecord) -> bool:
    """All but what asyncio says of writing to a client that has hung up, which anybody may do."""
    return record.msg not in _GONE


logging.getLogger("asyncio").addFilter(_of_the_living)


class _Handler(web.RequestHandler):
    """aiohttp's handler of a connection, with the deadlines and answers of Go's server.

    A head that does not come within its time, a head that is too long and what is no HTTP are
    refused, counted and logged; a method that HTTP does not know is 405, in a Status.
    """

    _late: asyncio.TimerHandle | None = None

    def __init__(self, server: "_Server", **settings: Any) -> None:
        super().__init__(server, **settings)
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected: its first request has so long to come."""
        super().connection_made(transport)
        server = self._server
        limits = server.limits
        if limits.connections and len(server.connections) > limits.connections:
            self.refused("too many connections")
            transport.abort()  # type: ignore[attr-defined]
            return
        loop = asyncio.get_running_loop()
        self._late = loop.call_later(limits.head_seconds, self._too_late)

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is gone."""
        self.begun()
        super().connection_lost(exc)

    def begun(self) -> None:
        """The head of a request is here."""
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _too_late(self) -> None:
        self._late = None
        self.refused("slow headers")
        self.force_close()
        if self.transport is not None:
            self.transport.abort()

    def refused(self, reason: str) -> None:
        """Something of this client's was refused."""
        self._server.refusals.note(reason, self._peer())

    def _peer(self) -> object:
        return self.transport.get_extra_info("peername") if self.transport is not None else None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what cannot be read."""
        self.begun()
        if request.writer.output_size:
            return super().handle_error(request, status, exc, message)
        if _unknown_method(exc):
            response = answers.failure(errors.MethodNotAllowed(NOT_ALLOWED))
        elif isinstance(exc, http_exceptions.HttpProcessingError):
            response = self._unreadable(exc)
        else:
            return super().handle_error(request, status, exc, message)
        response.force_close()
        return response

    def _unreadable(self, fault: http_exceptions.HttpProcessingError) -> web.Response:
        """As Go says it; what the client sent is not told back to it."""
        too_long = isinstance(fault, http_exceptions.LineTooLong) or "Too many headers" in str(
            fault
        )
        if too_long:
            self.refused("headers too large")
            return answers.text("431 Request Header Fields Too Large", 431)
        self.refused("malformed request")
        return answers.text("400 Bad Request", 400)


_WORD_AND_PATH = re.compile(r"""b['"][!#$%&*+.^_`|~0-9A-Za-z-]+ /""")


def _unknown_method(fault: BaseException | None) -> bool:
    """Whether a request begins as one does, with a word and a path, and aiohttp knows no such word;
    its parser tells of the line alone.
    """
    is_method = isinstance(fault, http_exceptions.BadHttpMethod)
    return is_method and _WORD_AND_PATH.search(str(fault)) is not None


class _Server(web.Server):
    """aiohttp's server, which tells of lost connections and takes bodies of our size."""

    def __init__(
        self,
        handler: Callable[..., object],
        lost: Callable[[object], None],
        loop: AbstractEventLoop,
        *,
        limits: Limits,
        refusals: Refusals,
        patience: float,
    ) -> None:
        super().__init__(
            handler,  # type: ignore[arg-type]
            request_factory=self._request,
            access_log=None,
            logger=_LOG,
            max_line_size=_LINE_BYTES,
            max_field_size=_LINE_BYTES,
            auto_decompress=False,
            lingering_time=_LINGER_SECONDS,
        )
        self._lost = lost
        self._here = loop
        self.limits = limits
        self.refusals = refusals
        self.patience = patience

    def __call__(self) -> web.RequestHandler:
        """The handler of a new connection."""
        return _Handler(self, loop=self._here, **self._kwargs)

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        """A client is gone."""
        super().connection_lost(handler, exc)
        self._lost(handler)

    def _request(
        self,
        message: http_parser.RawRequestMessage,
        payload: streams.StreamReader,
        protocol: web.RequestHandler,
        writer: abc.AbstractStreamWriter,
        task: "asyncio.Task[None]",
    ) -> web.BaseRequest:
        protocol.begun()  # type: ignore[attr-defined]
        request = Request(
            message if message.path.startswith("/") else _in_origin_form(message),
            payload,
            protocol,
            writer,
            task,
            self._here,
            client_max_size=bodies.MAX_BODY,
        )
        request.patience = self.patience
        if message.chunked and _layered(message):
            request.garbled = True
            protocol.refused("malformed request")  # type: ignore[attr-defined]
        return request


_SCHEME_AND_HOST = re.compile(r"^https?://[^/?]*", re.IGNORECASE)


def _in_origin_form(message: http_parser.RawRequestMessage) -> http_parser.RawRequestMessage:
    """The same request with a target as most have it: a server takes an absolute one, too
    (RFC 9112, section 3.2.2). Any other form is left alone.
    """
    path, found = _SCHEME_AND_HOST.subn("", message.path, count=1)
    if not found:
        return message
    return message._replace(path=path if path.startswith("/") else f"/{path}")


def _layered(message: http_parser.RawRequestMessage) -> bool:
    """Whether a body is packed in more than chunks: others might see another end of it."""
    return message.headers.getall("Transfer-Encoding") != ["chunked"]


def _paths(checks: Mapping[str, Mapping[str, health.Check]]) -> Iterator[str]:
    """The path of each check, and of all together."""
    for kind, named in checks.items():
        yield f"/{kind}"
        for name in named:
            yield f"/{kind}/{name}"


def _all_checks(more: Mapping[str, health.Check]) -> dict[str, dict[str, health.Check]]:
    alive: dict[str, health.Check] = {"ping": _true, "log": _true} | dict(more)
    ready: dict[str, health.Check] = {"informer-sync": _true, "shutdown": _true}
    return {"healthz": alive, "livez": alive, "readyz": alive | ready}


def _true() -> bool:
    return True
