"""From a request to its answer: who asks, for what, by which verb. Every failure is a Status."""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import unquote

import structlog
from aiohttp import web

from cluster.api import errors, identity
from cluster.apiserver import authn
from cluster.apiserver.aggregation.aggregator import Aggregator
from cluster.apiserver.aggregation.services import Remote
from cluster.apiserver.authn.authenticator import bearer
from cluster.apiserver.authz import gate, impersonation
from cluster.apiserver.authz.attributes import Attributes
from cluster.apiserver.rest import (
    answers,
    health,
    negotiation,
    paths,
    protobuf_answers,
    query,
    reads,
    requests,
)
from cluster.apiserver.rest.asking import Asking
from cluster.apiserver.rest.documents import Documents
from cluster.apiserver.rest.exchange import Exchange, Protection
from cluster.apiserver.rest.pages import Page
from cluster.apiserver.rest.paths import Target
from cluster.apiserver.rest.reads import Reads
from cluster.apiserver.rest.requests import Call
from cluster.apiserver.rest.watching import Watches
from cluster.apiserver.rest.writes import Writes

Act = Callable[[Call], Awaitable[web.StreamResponse]]

NOT_ALLOWED = "the server does not allow this method on the requested resource"
_OPEN = ("/healthz", "/livez", "/readyz", "/version")
_OF_ONE = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "POST": "create"}
_INTO_PODS = ("attach", "exec", "portforward")
_SELECTING = ("list", "watch", "deletecollection")
_USUAL = ("", negotiation.JSON, "*/*")
_OF_MANY = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}


class Router:
    """Answers requests. `checks` are those of health.PATHS, `connects` the subresources that are
    not objects (log, exec, proxy…), by name; `pages` are served beside the API, by path;
    `aggregator` knows what other servers serve.
    """

    def __init__(
        self,
        *,
        reads: Reads,
        writes: Writes,
        watches: Watches,
        documents: Documents,
        authenticator: authn.Authenticator,
        checks: Mapping[str, Mapping[str, health.Check]],
        connects: Mapping[str, Act],
        protection: Protection,
        pages: Mapping[str, Page],
        aggregator: Aggregator | None = None,
    ) -> None:
        self._registry = reads.registry
        self._table = reads.registry.table
        self._paths = reads.registry.paths
        self._freshness = reads.registry.freshness
        self._authz = reads.registry.authz
        self._authorizer = self._authz.authorizer
        self._documents = documents
        self.asking = Asking(authenticator)
        self._checks = checks
        self._connects = connects
        self._protection = protection
        self._pages = pages
        self._aggregator = aggregator
        self._log = structlog.get_logger().bind(component="apiserver")
        self._acts: dict[str, Act] = {
            "get": reads.get,
            "list": reads.list,
            "watch": watches.watch,
            "create": writes.create,
            "update": writes.update,
            "patch": writes.patch,
            "delete": writes.delete,
            "deletecollection": writes.delete_collection,
        }

    async def answer(self, http: web.BaseRequest) -> web.StreamResponse:
        """The answer to a request; never raises for what a client did."""
        exchange = self._protection.begin(http)
        response: web.StreamResponse = answers.GONE
        panicked = False
        try:
            response = await self._route(http, exchange)
        except errors.StatusError as error:
            response = answers.failure(error, http.headers.get("Accept", ""))
            if error.warnings:
                answers.warned(response, error.warnings)
        except ConnectionError:
            response = _cut(http)  # the client went away
        except Exception as error:  # noqa: BLE001  (a fault must not end the server)
            self._log.error(
                "request failed unexpectedly", method=http.method, path=http.path, exc_info=error
            )
            panicked = True
            if http.writer.output_size:
                response = _cut(http)  # too late for a Status: the client must see that it is cut
            else:
                failure = errors.InternalError(f"Internal error occurred: {error}")
                response = answers.failure(failure)
        finally:
            exchange.end(response)
        if self._protection.auditor is not None:
            try:
                await exchange.audit(response, panicked=panicked)
            except Exception as error:  # noqa: BLE001  (what was done is answered all the same)
                self._log.error("audit of an answer failed", id=exchange.id, exc_info=error)
        return response

    async def _route(self, http: web.BaseRequest, exchange: Exchange) -> web.StreamResponse:
        if http.version[0] != 1:
            return answers.of_another_version()
        path, _, text = http.raw_path.partition("?")
        if path.startswith(_OPEN):
            return await self._open(path, text, http, exchange)
        user = await self._known_user(http, exchange)
        remote = self._aggregator.route(path) if self._aggregator is not None else None
        if remote is not None or self._paths.measures(path):
            await self._let_in(user, path, http, exchange)
            return await self._answered_beside(remote, user, http)
        try:
            target = await self._target(path)
            parameters = query.parse(text)
            connects = target is not None and target.subresource in self._connects
            verb = self._verb(http.method, target, parameters, connects=connects)
        except errors.StatusError:
            await self._let_in(user, path, http, exchange)  # who may not ask hears no more
            raise
        if target is None:
            await self._let_in(user, path, http, exchange)
            return self._document(path, parameters, http)
        asked = _asked(user, verb, target, parameters)
        if not http.content.is_eof() and not connects:
            # A body that trickles in takes nobody's seat; who may not ask need not send it.
            await self._check(asked)
            await requests.arrived(http)
        exchange.known(user, verb, target)
        seat = exchange.enter(path)
        if seat is not None and seat.pending:
            await seat.wait()
        if exchange.trail is not None:
            exchange.decided(*self._authorizer.authorize(asked))
        await self._check(asked)
        if connects:
            if target.subresource in _INTO_PODS:
                gate.check_stream(self._authz, asked)
            act = self._connects[target.subresource]
            return await act(Call(http, user, target, parameters, negotiation.PLAIN))
        form = _form(http.headers.get("Accept", ""), target)
        response = await self._act(verb, Call(http, user, target, parameters, form))
        if target.resource.deprecated and isinstance(response, web.Response):
            answers.warned(response, (target.resource.deprecated,))
        return response

    async def _act(self, verb: str, call: Call) -> web.StreamResponse:
        if self._registry.faults is not None:
            past = await self._registry.faults.meet(call.user, verb, call.target.resource.id)
            call = call._replace(past=past)
        return await self._acts[verb](call)

    async def _known_user(self, http: web.BaseRequest, exchange: Exchange) -> identity.User:
        """As `_user`, of who became known by way of another server, too."""
        return await self._freshness.sought(
            lambda: self._user(http, exchange), errors.Unauthorized, errors.Forbidden
        )

    async def _target(self, path: str) -> Target | None:
        """What a path names, be it that it came by way of another server."""
        return await self._freshness.sought(lambda: paths.parse(path, self._table), errors.NotFound)

    async def _check(self, asked: Attributes) -> None:
        """errors.Forbidden, unless another server has allowed it meanwhile."""
        await self._freshness.sought(lambda: gate.check(self._authorizer, asked), errors.Forbidden)

    def _user(self, http: web.BaseRequest, exchange: Exchange) -> identity.User:
        """Who asks, or as whom he asks to act. errors.Unauthorized, errors.Forbidden."""
        user = self.asking.user(http)
        for name in http.headers:
            # Looked at for every header of every request: most do not even begin like it.
            if name[0] in "Ii" and name[:12].lower() == impersonation.PREFIX:
                exchange.asker = user
                return impersonation.impersonated(
                    self._authorizer, user, tuple(http.headers.items())
                )
        return user

    async def _answered_beside(
        self, remote: Remote | None, user: identity.User, http: web.BaseRequest
    ) -> web.StreamResponse:
        """What another server answers; without one, the metrics that annotations give."""
        if remote is not None and self._aggregator is not None:
            return await self._aggregator.forward(remote, user, http)
        if http.method != "GET":
            raise errors.MethodNotAllowed(NOT_ALLOWED)
        path, _, text = http.raw_path.partition("?")
        return answers.json(self._paths.metrics.read(path, query.parse(text)))

    def _document(
        self, path: str, parameters: query.Query, http: web.BaseRequest
    ) -> web.StreamResponse:
        """What is at a path that names no object."""
        if http.method != "GET":
            raise errors.MethodNotAllowed(NOT_ALLOWED)
        page = self._pages.get(path)
        return page(http) if page else self._documents.answer(path, parameters, http)

    async def _let_in(
        self, user: identity.User, path: str, http: web.BaseRequest, exchange: Exchange
    ) -> None:
        """Who asks for a path that names no object has to be admitted, and allowed to."""
        await exchange.admitted(user, http.method.lower(), None, path)
        gate.check(self._authorizer, gate.of_path(user, http.method, unquote(path)))

    @staticmethod
    def _verb(
        method: str, target: Target | None, parameters: query.Query, *, connects: bool
    ) -> str:
        if target is None:
            return ""
        return _connect_verb(method, target) if connects else _verb(method, target, parameters)

    async def _open(
        self, path: str, text: str, http: web.BaseRequest, exchange: Exchange
    ) -> web.Response:
        """What may be asked for without credentials, where authorization lets the anonymous; not
        with wrong ones.
        """
        try:
            user = self._user(http, exchange)
        except errors.Unauthorized:
            if bearer(http.headers.get("Authorization", "")):
                raise
            user = identity.ANONYMOUS
        await self._let_in(user, path, http, exchange)
        if http.method not in ("GET", "HEAD"):
            raise errors.MethodNotAllowed(NOT_ALLOWED)
        parameters = query.parse(text)
        if path.strip("/").partition("/")[0] in health.PATHS:
            return await health.answer(path, parameters, text, self._checks)
        return self._documents.answer(path, parameters, http)


def _form(accept: str, target: Target) -> negotiation.Form:
    """The form of an answer. errors.NotAcceptable."""
    if accept in _USUAL:
        return negotiation.PLAIN
    return negotiation.form(accept, protobuf=protobuf_answers.known(target.resource))


def _cut(http: web.BaseRequest) -> web.Response:
    """Close the connection in the middle of an answer; what this returns reaches nobody."""
    if http.transport is not None:
        http.transport.abort()
    return web.Response()


def _verb(method: str, target: Target, parameters: query.Query) -> str:
    """The API's verb. errors.MethodNotAllowed, errors.NotFound."""
    if target.watch and method != "GET":
        raise errors.MethodNotAllowed(NOT_ALLOWED)
    verb = (_OF_ONE if target.name else _OF_MANY).get(method, "")
    if method == "GET" and (target.watch or (verb == "list" and _watches(parameters))):
        verb = "watch"
    if target.subresource:
        reads.check_subresource(target, verb)
    elif not _served(target, verb):
        raise errors.MethodNotAllowed(NOT_ALLOWED)
    return verb


def _connect_verb(method: str, target: Target) -> str:
    """The API's verb for what a pod, a service or a node itself answers (exec, proxy…).

    errors.MethodNotAllowed, errors.NotFound.
    """
    if target.watch:
        raise errors.MethodNotAllowed(NOT_ALLOWED)
    verb = "get" if method in ("HEAD", "OPTIONS") else _OF_ONE.get(method, "")
    if method in ("HEAD", "OPTIONS") and target.subresource != "proxy":
        raise errors.MethodNotAllowed(NOT_ALLOWED)
    if target.tail and target.subresource != "proxy":
        raise errors.NotFound(paths.NOT_FOUND)
    reads.check_subresource(target, verb)
    return verb


def _asked(user: identity.User, verb: str, target: Target, parameters: query.Query) -> Attributes:
    """The question that a request puts to authorization."""
    row, name, namespace, fields = target.resource, target.name, target.namespace, ""
    if not name and verb in _SELECTING:
        fields = parameters.get("fieldSelector", "")
        name = gate.named_by(fields) if fields else ""
    elif row.plural == "namespaces" and not row.group:
        namespace = name
    return Attributes(
        user, verb, row.group, row.version, row.plural, target.subresource, namespace, name,
        "", fields,
    )  # fmt: skip


def _watches(parameters: query.Query) -> bool:
    return "watch" in parameters and query.boolean(parameters, "watch")


def _served(target: Target, verb: str) -> bool:
    row = target.resource
    if not row.serves(verb) or (verb == "create" and target.name):
        return False
    everywhere = row.namespaced and not target.namespace
    return not (everywhere and verb in ("create", "deletecollection"))
