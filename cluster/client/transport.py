"""The client seam: four calls that reach the API, over gRPC or straight into a registry.

Objects cross it as JSON text, so that a component can never share a dict with another.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple, Protocol

from cluster.api import errors, objects, operations


class Raw(NamedTuple):
    """An object's JSON text and its revision."""

    json: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class RawPage:
    """A list, or one page of it, as of `revision`; `token` continues it, "" at the end."""

    items: Sequence[Raw]
    revision: int
    token: str = ""


class RawEvent(NamedTuple):
    """A watch event: ADDED, MODIFIED, DELETED or BOOKMARK (whose `json` is empty)."""

    type: str
    json: bytes
    revision: int


class Event(NamedTuple):
    """A RawEvent decoded. A BOOKMARK has an empty object: only its revision means something."""

    type: str
    object: objects.Object
    revision: int


class Alone(Enum):
    """The answer to an operation that would have kept its batch waiting for a webhook: it was not
    carried out, and has to be sent again in a batch of its own.
    """

    ALONE = 1


ALONE: Final = Alone.ALONE
Outcome = Raw | errors.StatusError | Alone | None
Settle = Callable[[Sequence[Outcome] | Exception], None]
"""Hears what became of a batch: its results in order, or why there are none."""


class Transport(Protocol):
    """Reaches the API. Every method raises `cluster.api.errors.StatusError`.

    `errors.ServiceUnavailable` means that the API could not be reached: try again.
    """

    async def get(self, resource: str, namespace: str, name: str) -> Raw:
        """One object, as it is now."""
        ...

    async def list(
        self, resource: str, namespace: str, *, labels: str, fields: str, limit: int, token: str
    ) -> RawPage:
        """Objects of a resource ("" as namespace: all namespaces)."""
        ...

    def watch(
        self, resource: str, namespace: str, *, revision: int, labels: str, fields: str
    ) -> AsyncIterator[Sequence[RawEvent]]:
        """Batches of events after `revision`, with bookmarks, until closed. errors.Expired."""
        ...

    async def write(self, batch: Sequence[operations.Operation]) -> Sequence[Outcome]:
        """Carry out a batch; the results are in order. None: done, and no object was wanted.

        ALONE is an answer in batches of several only.
        """
        ...

    async def read(self, path: str) -> bytes:
        """The JSON text that a GET of an absolute path answers (`/apis/…?labelSelector=…`).

        For what is no object of a resource: subresources such as `scale`, and what other servers
        serve for this one. errors.NotFound where nothing is served.
        """
        ...


class Pushing(ABC):
    """What a transport within the API's own process does besides, cheaper than by `Transport`: it
    calls back, so that no task has to wait.
    """

    @abstractmethod
    async def follow(
        self,
        resource: str,
        namespace: str,
        *,
        revision: int,
        labels: str,
        fields: str,
        take: Callable[[Sequence[Event]], None],
    ) -> None:
        """Give `take` batches of events after `revision`, until the watch ends or `take` raises.

        The objects are shared by all who follow, read-only, and without managedFields.
        """

    @abstractmethod
    def send(
        self, batch: Sequence[operations.Operation], deadline: float, settle: Settle
    ) -> Callable[[], None] | None:
        """Carry out a batch as `write` does, and `settle` it, later, within `deadline` seconds.

        ALONE is an answer in any batch. What is given ends the batch where it is under way still:
        nothing of it is done, and nobody is told. None: it is one for `write`.
        """
