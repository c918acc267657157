"""`cluster.v1.Resources` over the registry: what components talk to.

Answers are ready bytes (`wire`), so the methods have no serializers. A failed call carries its
Status as JSON in the trailing metadata `status-bin`, with the nearest gRPC code.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import grpc
import msgspec
import structlog

from cluster.api import errors, identity
from cluster.api.operations import FENCE, Fence, Operation, Verb
from cluster.apiserver import authn, codec, wire
from cluster.apiserver.chaos import stale
from cluster.apiserver.chaos.watching import AnyWatch
from cluster.apiserver.registry import Registry
from cluster.pb.cluster.v1 import resources_pb2 as pb

NAME = "cluster.v1.Resources"

T = TypeVar("T")
_read_fence = msgspec.json.Decoder(Fence).decode

_CODES: dict[type[errors.StatusError], grpc.StatusCode] = {
    errors.BadRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Invalid: grpc.StatusCode.INVALID_ARGUMENT,
    errors.UnsupportedMediaType: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotAcceptable: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Unauthorized: grpc.StatusCode.UNAUTHENTICATED,
    errors.Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.Conflict: grpc.StatusCode.ABORTED,
    errors.Expired: grpc.StatusCode.OUT_OF_RANGE,
    errors.MethodNotAllowed: grpc.StatusCode.UNIMPLEMENTED,
    errors.NotImplementedYet: grpc.StatusCode.UNIMPLEMENTED,
    errors.RequestEntityTooLarge: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.TooManyRequests: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.ServiceUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.Timeout: grpc.StatusCode.DEADLINE_EXCEEDED,
}


class GrpcFace:
    """Serves a registry to the users that `authenticator` knows."""

    def __init__(self, registry: Registry, authenticator: authn.Authenticator) -> None:
        self._registry = registry
        self._authenticator = authenticator
        self._watches: dict[AnyWatch, None] = {}
        self._log = structlog.get_logger().bind(component="apiserver")

    def close(self) -> None:
        """End every watch, so that a server that stops need not wait for them."""
        for watch in list(self._watches):
            watch.close()

    async def get(self, request: Any, context: Any) -> bytes:
        """Get."""
        return await self._answer(self._get(request, context), context)

    async def list(self, request: Any, context: Any) -> AsyncIterator[bytes]:
        """List, in chunks of one revision."""
        page = await self._answer(self._list(request, context), context)
        for chunk in wire.list_responses(page):
            yield chunk

    async def watch(self, request: Any, context: Any) -> AsyncIterator[bytes]:
        """Watch, until the client or the server has enough, or the client is too slow."""
        watch = await self._answer(self._open(request, context), context)
        user = self.user(context)
        try:
            release = await self._answer(self._seat(user), context)
        except BaseException:
            watch.close()
            raise
        self._watches[watch] = None
        leave = self._registry.presence.enter(user)
        unfollow = self._registry.followers.enter(watch, user, request.resource)
        try:
            while True:
                batch = await self._answer(_next(watch), context)
                if batch is None:
                    return
                yield batch
        finally:
            release()
            leave()
            unfollow()
            self._watches.pop(watch, None)
            watch.close()

    async def _seat(self, user: identity.User) -> Callable[[], None]:
        return self._registry.bounds.enter(user)

    async def write(self, request: Any, context: Any) -> bytes:
        """Write a batch."""
        return await self._answer(self._write(request, context), context)

    async def read(self, request: Any, context: Any) -> bytes:
        """Read a path."""
        return await self._answer(self._read(request, context), context)

    async def _get(self, request: Any, context: Any) -> bytes:
        user = await self._known(context)
        place = (request.namespace, request.name)
        await self._check(user, "get", request.resource, place)
        if self._registry.faults is not None:
            past = await self._registry.faults.meet(user, "get", request.resource)
            if past:
                found = await stale.get(self._registry, request.resource, place, past)
                return wire.get_response(found)
        entry = await self._registry.get(request.resource, request.namespace, request.name)
        return wire.get_response(entry)

    async def _list(self, request: Any, context: Any) -> Any:
        place = (request.namespace, "")
        user = await self._known(context)
        await self._check(user, "list", request.resource, place, request.field_selector)
        token, past = getattr(request, "continue"), 0
        if self._registry.faults is not None:
            past = await self._registry.faults.meet(user, "list", request.resource)
            past = 0 if token else past
        return await self._registry.list(
            request.resource,
            request.namespace,
            labels=request.label_selector,
            fields=request.field_selector,
            limit=request.limit,
            token=token,
            **stale.as_of(past),
        )

    async def _open(self, request: Any, context: Any) -> AnyWatch:
        place = (request.namespace, "")
        user = await self._known(context)
        await self._check(user, "watch", request.resource, place, request.field_selector)
        if self._registry.faults is not None:
            await self._registry.faults.meet(user, "watch", request.resource)
        watch = await self._registry.watch(
            request.resource,
            request.namespace,
            revision=str(request.revision),
            labels=request.label_selector,
            fields=request.field_selector,
        )
        return self._registry.suffering(watch, user, request.resource)

    async def _write(self, request: Any, context: Any) -> bytes:
        user = await self._known(context)
        fence = _fence(context)
        batch = [_operation(operation, fence) for operation in request.operations]
        results = await self._registry.write_allowed(batch, user, prompt=request.prompt)
        return wire.write_response(results)

    async def _read(self, request: Any, context: Any) -> bytes:
        found = await self._registry.paths.read(request.path, await self._known(context))
        return wire.read_response(found)

    async def _known(self, context: Any) -> identity.User:
        """As `user`, of who became known by way of another server, too."""
        fresh = self._registry.freshness
        return await fresh.sought(lambda: self.user(context), errors.Unauthorized)

    async def _check(
        self,
        user: identity.User,
        verb: str,
        resource: str,
        place: tuple[str, str],
        fields: str = "",
    ) -> None:
        """errors.Forbidden, unless another server has allowed it meanwhile."""
        await self._registry.freshness.sought(
            lambda: self._registry.check_read(user, verb, resource, place, fields),
            errors.Forbidden,
        )

    def user(self, context: Any) -> identity.User:
        """Who asks: by certificate, else by token. errors.Unauthorized."""
        for certificate in context.auth_context().get("x509_pem_cert") or ():
            user = self._authenticator.by_pem(certificate)
            if user is not None:
                return user
        for key, value in context.invocation_metadata() or ():
            if key == "authorization":
                return self._authenticator.by_header(value)
        raise authn.unauthorized()

    async def _answer(self, work: Awaitable[T], context: Any) -> T:
        """The result of `work`; its failure ends the call with a Status."""
        try:
            return await work
        except errors.StatusError as error:
            failure = error
        except Exception as error:  # noqa: BLE001  (a fault must not end the server)
            self._log.error("call failed unexpectedly", exc_info=error)
            failure = errors.InternalError(f"Internal error occurred: {error}")
        await context.abort(
            _CODES.get(type(failure), grpc.StatusCode.INTERNAL),
            failure.message[:1024],
            (("status-bin", codec.document(failure.status())),),
        )
        raise failure


def register(face: GrpcFace, server: Any) -> None:
    """Add the service to a gRPC server."""
    unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
    methods = {
        "Get": _handler(unary, face.get, pb.GetRequest),
        "List": _handler(stream, face.list, pb.ListRequest),
        "Watch": _handler(stream, face.watch, pb.WatchRequest),
        "Write": _handler(unary, face.write, pb.WriteRequest),
        "Read": _handler(unary, face.read, pb.ReadRequest),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, methods),))
    server.add_registered_method_handlers(NAME, methods)


def _handler(make: Callable[..., Any], method: Callable[..., Any], request: Any) -> Any:
    return make(method, request_deserializer=request.FromString, response_serializer=None)


async def _next(watch: AnyWatch) -> bytes | None:
    """The next message of a watch; None at its end."""
    try:
        batch = await anext(watch)
    except StopAsyncIteration:
        return None
    return batch.frame(wire.watch_response)


def _fence(context: Any) -> Fence | None:
    """The lease by which the writer leads, where it tells one. errors.BadRequest."""
    for key, value in context.invocation_metadata() or ():
        if key == FENCE:
            try:
                return _read_fence(value)
            except (msgspec.DecodeError, TypeError) as error:
                raise errors.BadRequest(f"the metadata {FENCE} is no lease: {error}") from None
    return None


def _operation(sent: Any, fence: Fence | None) -> Operation:
    try:
        verb = Verb(sent.verb)
    except ValueError:
        raise errors.BadRequest(f"unknown verb {sent.verb} in a write") from None
    return Operation(
        verb,
        sent.resource,
        sent.namespace,
        sent.name,
        sent.subresource,
        sent.body,
        sent.patch_type,
        sent.cause,
        sent.dry_run,
        sent.field_manager,
        sent.field_validation,
        not sent.omit_object,
        force=sent.force,
        fence=fence,
    )
