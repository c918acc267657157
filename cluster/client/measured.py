"""A transport that counts its calls for /metrics (`figures`), and is the one under it otherwise."""

from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Final, TypeVar

from cluster.api import errors, operations
from cluster.client.figures import Figures
from cluster.client.transport import ALONE, Outcome, Raw, RawEvent, RawPage, Transport

T = TypeVar("T")
_REQUESTS: Final = "rest_client_requests_total"
_METHODS: Final = {
    operations.Verb.CREATE: "POST",
    operations.Verb.UPDATE: "PUT",
    operations.Verb.PATCH: "PATCH",
    operations.Verb.DELETE: "DELETE",
}


class MeasuredTransport:
    """Counts as client-go does: a call by its HTTP method and code, though it is gRPC's.

    Each operation of a batch counts, as it would be a request there.
    """

    def __init__(self, inner: Transport, figures: Figures, host: str) -> None:
        self._inner = inner
        self._figures = figures
        self._host = host

    async def get(self, resource: str, namespace: str, name: str) -> Raw:
        """See `Transport.get`."""
        return await self._read(self._inner.get(resource, namespace, name))

    async def list(
        self, resource: str, namespace: str, *, labels: str, fields: str, limit: int, token: str
    ) -> RawPage:
        """See `Transport.list`."""
        return await self._read(
            self._inner.list(
                resource, namespace, labels=labels, fields=fields, limit=limit, token=token
            )
        )

    async def watch(
        self, resource: str, namespace: str, *, revision: int, labels: str, fields: str
    ) -> AsyncIterator[Sequence[RawEvent]]:
        """See `Transport.watch`."""
        stream = self._inner.watch(
            resource, namespace, revision=revision, labels=labels, fields=fields
        )
        answered = False
        try:
            async for batch in stream:
                if not answered:
                    answered = True
                    self._count("GET", 200)
                yield batch
        except errors.StatusError as error:
            if not answered:
                self._count("GET", error.code)
            raise
        finally:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()

    async def write(self, batch: Sequence[operations.Operation]) -> Sequence[Outcome]:
        """See `Transport.write`."""
        try:
            outcomes = await self._inner.write(batch)
        except errors.StatusError as error:
            for operation in batch:
                self._count(_method(operation), error.code)
            raise
        for operation, outcome in zip(batch, outcomes, strict=True):
            if outcome is not ALONE:
                self._count(_method(operation), _code(operation, outcome))
        return outcomes

    async def read(self, path: str) -> bytes:
        """See `Transport.read`."""
        return await self._read(self._inner.read(path))

    async def _read(self, answer: Awaitable[T]) -> T:
        try:
            found = await answer
        except errors.StatusError as error:
            self._count("GET", error.code)
            raise
        self._count("GET", 200)
        return found

    def _count(self, method: str, code: int) -> None:
        self._figures.count(_REQUESTS, str(code), self._host, method)


def _method(operation: operations.Operation) -> str:
    return _METHODS.get(operation.verb, "POST")


def _code(operation: operations.Operation, outcome: Outcome) -> int:
    if isinstance(outcome, errors.StatusError):
        return outcome.code
    return 201 if _method(operation) == "POST" else 200
