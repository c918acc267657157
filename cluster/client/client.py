"""The client that components use: typed verbs over a transport, with automatic write batching.

Writes that coroutines issue in the same turn of the loop travel as one batch. Each carries the
cause that `cluster.client.cause` holds for the coroutine that issued it.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import msgspec

from cluster.api import errors, objects
from cluster.api.operations import MERGE_PATCH, Fence, Operation, Verb
from cluster.client import batching, cause, decoding
from cluster.client.transport import Event, Pushing, RawEvent, Transport

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

__all__ = ["Client", "Event", "Listing"]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list as of `revision`; `token` asks for the next page, "" at the end."""

    items: list[objects.Object]
    revision: int
    token: str = ""


class Client:
    """Get, list, watch and write. `resource` is always `plural[.group]`.

    Every method raises `cluster.api.errors.StatusError` and its subclasses. Use it inside
    `async with`: it owns the tasks that carry batches.
    """

    def __init__(self, transport: Transport, *, manager: str = "") -> None:
        self._transport = transport
        self._manager = manager
        self.fence: Fence | None = None
        """The lease by which the writer leads: writes are made only while it holds it."""
        send = transport.send if isinstance(transport, Pushing) else None
        self._batcher = batching.Batcher(transport.write, send=send)

    async def __aenter__(self) -> Self:
        await self._batcher.__aenter__()
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        await self._batcher.__aexit__(kind, error, trace)

    async def get(self, resource: str, name: str, namespace: str = "") -> objects.Object:
        """One object. errors.NotFound."""
        raw = await self._transport.get(resource, namespace, name)
        return _decode(raw.json)  # type: ignore[no-any-return]

    async def list(
        self,
        resource: str,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
        token: str = "",
        lean: bool = False,
    ) -> Listing:
        """Objects of a resource, all of them unless `limit` is set; read-only and without their
        managedFields if they are to be `lean`.
        """
        page = await self._transport.list(
            resource, namespace, labels=labels, fields=fields, limit=limit, token=token
        )
        decode = decoding.lean if lean else _decode
        return Listing([decode(raw.json) for raw in page.items], page.revision, page.token)

    async def watch(
        self,
        resource: str,
        namespace: str = "",
        *,
        revision: int,
        labels: str = "",
        fields: str = "",
    ) -> AsyncGenerator[Sequence[Event], None]:
        """Batches of events after `revision`. errors.Expired: list again.

        Close it when done (`contextlib.aclosing`): that ends the stream under it.
        """
        stream = self._transport.watch(
            resource, namespace, revision=revision, labels=labels, fields=fields
        )
        async with _closing(stream):
            async for batch in stream:
                yield [_event(raw) for raw in batch]

    @property
    def pushed(self) -> bool:
        """Whether events are pushed within this process: no connection can die without a word."""
        return isinstance(self._transport, Pushing)

    async def follow(
        self,
        resource: str,
        namespace: str = "",
        *,
        revision: int,
        take: Callable[[Sequence[Event]], None],
        labels: str = "",
        fields: str = "",
    ) -> None:
        """Give `take` each batch of a watch until it ends; what `take` raises is raised here.

        The objects are read-only and without managedFields: a transport of the same process
        (`transport.Pushing`) decodes them once for everybody. errors.Expired: list again.
        """
        if isinstance(self._transport, Pushing):
            await self._transport.follow(
                resource, namespace, revision=revision, labels=labels, fields=fields, take=take
            )
            return
        stream = self._transport.watch(
            resource, namespace, revision=revision, labels=labels, fields=fields
        )
        async with _closing(stream):
            async for batch in stream:
                take([_lean(raw) for raw in batch])

    async def read(self, path: str) -> objects.Object:
        """The document that a GET of an absolute path answers. errors.NotFound.

        errors.InternalError where another server that is asked answers with no document.
        """
        try:
            found = _decode(await self._transport.read(path))
        except (msgspec.DecodeError, RecursionError) as error:
            raise errors.InternalError(f"the answer is no JSON: {error}") from None
        if not isinstance(found, dict):
            raise errors.InternalError("the answer is no JSON object")
        return found

    async def create(
        self, resource: str, obj: objects.Object, *, subresource: str = ""
    ) -> objects.Object:
        """Create `obj` in its own namespace; returns it as stored. errors.AlreadyExists."""
        return await self._write(Verb.CREATE, resource, obj, subresource)

    async def update(
        self, resource: str, obj: objects.Object, *, subresource: str = ""
    ) -> objects.Object:
        """Replace an object, its resourceVersion being the one read. errors.Conflict."""
        return await self._write(Verb.UPDATE, resource, obj, subresource)

    async def patch(
        self,
        resource: str,
        name: str,
        patch: Any,
        namespace: str = "",
        *,
        subresource: str = "",
        patch_type: str = MERGE_PATCH,
    ) -> objects.Object:
        """Patch an object (a merge patch by default). metadata.uid in it is a precondition."""
        return await self.submit(
            Operation(
                Verb.PATCH, resource, namespace, name, subresource, _encode(patch), patch_type
            )
        )

    async def delete(
        self,
        resource: str,
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        revision: int = 0,
        propagation: str = "",
        grace: int | None = None,
    ) -> None:
        """Delete an object, if it still has this uid and revision. errors.NotFound, Conflict."""
        preconditions: dict[str, str] = {}
        if uid:
            preconditions["uid"] = uid
        if revision:
            preconditions["resourceVersion"] = str(revision)
        options: objects.Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if preconditions:
            options["preconditions"] = preconditions
        if propagation:
            options["propagationPolicy"] = propagation
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        body = _encode(options)
        await self.submit(
            Operation(Verb.DELETE, resource, namespace, name, body=body, want_object=False)
        )

    async def bind(self, namespace: str, name: str, uid: str, node: str) -> None:
        """Bind a pod to a node (`pods/binding`). errors.Conflict where it is bound already."""
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name, "namespace": namespace, "uid": uid},
            "target": {"kind": "Node", "name": node},
        }
        body = _encode(binding)
        await self.submit(
            Operation(Verb.CREATE, "pods", namespace, name, "binding", body, want_object=False)
        )

    async def submit(self, operation: Operation) -> objects.Object:
        """Carry out an operation; {} where no object was wanted. Joins the turn's batch."""
        raw = await self._batcher.submit(self._stamped(operation))
        return _decode(raw.json) if raw is not None else {}

    async def submit_all(
        self, operations: Iterable[Operation]
    ) -> Sequence[objects.Object | errors.StatusError]:
        """Carry out many operations together, as few batches as can be.

        The results are in order: the object ({} where none was wanted) or the error it met.
        """
        answers = [self._batcher.enqueue(self._stamped(operation)) for operation in operations]
        try:
            return [_result(await answer) for answer in answers]
        except asyncio.CancelledError:
            for answer in answers:
                answer.cancel()
            raise

    def _stamped(self, operation: Operation) -> Operation:
        # Nobody hears what the API would warn of: it need not look for it.
        return operation.stamped(cause.current(), self._manager, "Ignore", self.fence)

    async def _write(
        self, verb: Verb, resource: str, obj: objects.Object, subresource: str
    ) -> objects.Object:
        return await self.submit(
            Operation(
                verb, resource, objects.namespace(obj), objects.name(obj), subresource, _encode(obj)
            )
        )


def _result(outcome: batching.Answer) -> objects.Object | errors.StatusError:
    if isinstance(outcome, errors.StatusError):
        return outcome
    return _decode(outcome.json) if outcome is not None else {}


@contextlib.asynccontextmanager
async def _closing(stream: AsyncIterator[Any]) -> AsyncIterator[None]:
    """Close the stream at the end, where it can be closed (generators can)."""
    try:
        yield
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()


def _event(raw: RawEvent) -> Event:
    return Event(raw.type, _decode(raw.json) if raw.json else {}, raw.revision)


def _lean(raw: RawEvent) -> Event:
    return Event(raw.type, decoding.lean(raw.json) if raw.json else {}, raw.revision)
