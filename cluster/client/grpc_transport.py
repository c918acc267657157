"""The client seam over gRPC: `cluster.v1.Resources` of an apiserver."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import grpc
import msgspec

from cluster.api import errors, operations
from cluster.client import renewing
from cluster.client.transport import ALONE, Outcome, Raw, RawEvent, RawPage
from cluster.pb.cluster.v1 import resources_pb2 as pb
from cluster.pb.cluster.v1 import resources_pb2_grpc as pb_grpc

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode
_CALL_SECONDS = 30.0
_LIST_SECONDS = 60.0

_AGAIN = 3
"""How often a read is tried again whose server was lost."""
_LOST = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)

_EVENT_TYPES = {
    pb.Event.ADDED: "ADDED",
    pb.Event.MODIFIED: "MODIFIED",
    pb.Event.DELETED: "DELETED",
    pb.Event.BOOKMARK: "BOOKMARK",
}

_BY_CODE: dict[grpc.StatusCode, type[errors.StatusError]] = {
    grpc.StatusCode.UNAVAILABLE: errors.ServiceUnavailable,
    # A server that stops cancels the calls that outlast its grace.
    grpc.StatusCode.CANCELLED: errors.ServiceUnavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.Timeout,
    grpc.StatusCode.UNAUTHENTICATED: errors.Unauthorized,
    grpc.StatusCode.PERMISSION_DENIED: errors.Forbidden,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.RequestEntityTooLarge,
    grpc.StatusCode.UNIMPLEMENTED: errors.NotImplementedYet,
    grpc.StatusCode.INVALID_ARGUMENT: errors.BadRequest,
}


class GrpcTransport:
    """A `client.transport.Transport` over a channel. Calls wait for the connection to be ready.

    That wait counts towards the deadline of the call, so an apiserver that restarts is met again as
    soon as it answers, and one that stays away gives errors.Timeout. With `others` the channel
    leads to several servers: what was read of one that is lost is read again of the next, and what
    became of writes to it is looked up (`client.lostanswers`).
    """

    def __init__(
        self, channel: Any, *, deadline: float = _CALL_SECONDS, others: bool = False
    ) -> None:
        self._stub: Any = pb_grpc.ResourcesStub(channel)
        self._deadline = deadline
        self._others = others

    async def get(self, resource: str, namespace: str, name: str) -> Raw:
        """One object, as it is now."""
        request = pb.GetRequest(resource=resource, namespace=namespace, name=name)
        answer = await self._asked(self._stub.Get, request)
        return Raw(answer.object.json, answer.object.revision)

    async def list(
        self, resource: str, namespace: str, *, labels: str, fields: str, limit: int, token: str
    ) -> RawPage:
        """Objects of a resource, all as of one revision."""
        request = pb.ListRequest(
            resource=resource,
            namespace=namespace,
            label_selector=labels,
            field_selector=fields,
            limit=limit,
            **{"continue": token},
        )
        return await self._again(lambda: self._listed(request))

    async def _listed(self, request: Any) -> RawPage:
        items: list[Raw] = []
        revision, rest = 0, ""
        stream = self._stub.List(request, timeout=_LIST_SECONDS, wait_for_ready=True)
        async for chunk in stream:
            items += [Raw(item.json, item.revision) for item in chunk.items]
            revision, rest = chunk.revision, getattr(chunk, "continue")
        return RawPage(items, revision, rest)

    async def watch(
        self, resource: str, namespace: str, *, revision: int, labels: str, fields: str
    ) -> AsyncGenerator[Sequence[RawEvent], None]:
        """Batches of events after `revision`, until the server ends the stream."""
        request = pb.WatchRequest(
            resource=resource,
            namespace=namespace,
            revision=revision,
            label_selector=labels,
            field_selector=fields,
        )
        call = self._stub.Watch(request, wait_for_ready=True)
        try:
            async for batch in call:
                yield [
                    RawEvent(_EVENT_TYPES[event.type], event.json, event.revision)
                    for event in batch.events
                ]
        except asyncio.CancelledError:
            raise renewing.cut() from None
        except grpc.aio.AioRpcError as failure:
            raise status_error(failure) from failure
        finally:
            call.cancel()

    async def write(self, batch: Sequence[operations.Operation]) -> Sequence[Outcome]:
        """Carry out a batch; the results are in order."""
        request = pb.WriteRequest(
            operations=[_operation(operation) for operation in batch], prompt=len(batch) > 1
        )
        fence = batch[0].fence if batch else None
        metadata = ((operations.FENCE, _encode(fence)),) if fence is not None else None
        try:
            answer = await self._stub.Write(
                request, timeout=self._deadline, wait_for_ready=True, metadata=metadata
            )
        except asyncio.CancelledError:
            raise renewing.cut() from None
        except grpc.aio.AioRpcError as failure:
            if self._others and failure.code() in _LOST:
                return await self._doubted(batch)
            raise status_error(failure) from failure
        return [_outcome(result) for result in answer.results]

    async def _doubted(self, batch: Sequence[operations.Operation]) -> Sequence[Outcome]:
        """What became of a batch whose answer was lost with its server."""
        from cluster.client import lostanswers  # late: seldom needed

        return await lostanswers.settled(batch, self)

    async def _asked(self, method: Any, request: Any) -> Any:
        """The answer to a read."""
        return await self._again(
            lambda: method(request, timeout=self._deadline, wait_for_ready=True)
        )

    async def _again(self, read: Callable[[], Awaitable[T]]) -> T:
        """What `read` gives, of another server where one is lost. errors.StatusError."""
        for left in range(_AGAIN, -1, -1):
            try:
                return await read()
            except asyncio.CancelledError:
                raise renewing.cut() from None
            except grpc.aio.AioRpcError as failure:
                if not (left and self._others and failure.code() in _LOST):
                    raise status_error(failure) from failure
        raise AssertionError("unreachable")

    async def read(self, path: str) -> bytes:
        """See `Transport.read`."""
        request = pb.ReadRequest(path=path)
        answer = await self._asked(self._stub.Read, request)
        return bytes(answer.json)


def _operation(operation: operations.Operation) -> pb.Operation:
    return pb.Operation(
        verb=int(operation.verb),  # type: ignore[arg-type]
        resource=operation.resource,
        namespace=operation.namespace,
        name=operation.name,
        subresource=operation.subresource,
        body=operation.body,
        patch_type=operation.patch_type,
        cause=operation.cause,
        dry_run=operation.dry_run,
        field_manager=operation.field_manager,
        field_validation=operation.field_validation,
        omit_object=not operation.want_object,
        force=operation.force,
    )


def _outcome(result: pb.Result) -> Outcome:
    kind = result.WhichOneof("outcome")
    if kind == "object":
        return Raw(result.object.json, result.object.revision)
    if kind == "status":
        return errors.from_status(msgspec.json.decode(result.status))
    return ALONE if kind == "alone" else None


def status_error(failure: grpc.aio.AioRpcError) -> errors.StatusError:
    """The error of a failed call: the Status that it carries, or what its gRPC code says."""
    for key, value in failure.trailing_metadata() or ():
        if key == "status-bin":
            return errors.from_status(msgspec.json.decode(value))
    kind = _BY_CODE.get(failure.code(), errors.InternalError)
    return kind(_said(failure))


def _said(failure: grpc.aio.AioRpcError) -> str:
    """What is told of a failed call; gRPC itself may have no other word than its code's name."""
    code, said = failure.code(), failure.details() or ""
    if said not in ("", code.name):
        return said
    if code is grpc.StatusCode.CANCELLED:
        return "the server ended the call before it was over: it stops, or is too busy to answer"
    return f"the call failed without a word of why (gRPC: {code.name})"
