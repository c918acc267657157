"""Where requests wait for their seats: the shell around the dispatcher.

`enter` is the whole of it while there is room: a look-up and three sums.
"""

import asyncio
import math
from collections.abc import Iterable
from typing import Any, Protocol

from multidict import istr

from cluster.api import errors, flowcontrol, identity
from cluster.apiserver import codec
from cluster.apiserver.fairness import schemas, settings
from cluster.apiserver.fairness.dispatching import Dispatcher, Level, Waiting
from cluster.apiserver.fairness.schemas import Asked, Schema
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.events import Event

SCHEMAS = "flowschemas.flowcontrol.apiserver.k8s.io"
LEVELS = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io"
RETRY_SECONDS = 1
WIDEST = 10
_ITEMS_A_SEAT = 100
_SCHEMA_UID = istr("X-Kubernetes-PF-FlowSchema-UID")
_LEVEL_UID = istr("X-Kubernetes-PF-PriorityLevel-UID")
_REMEMBERED = 8192
_WAITING_AT_MOST = 20_000

_Key = tuple[str, tuple[str, ...], str, str, str, str]


class Ticket(Protocol):
    """The right to be carried out, or the wait for it."""

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """What the answer tells of it."""
        ...

    @property
    def pending(self) -> bool:
        """Whether it must be waited for."""
        ...

    async def wait(self) -> None:
        """Until there is a seat. errors.TooManyRequests."""
        ...

    def release(self) -> None:
        """The request is done, or has begun to be a watch. It may be said twice."""
        ...


def too_many() -> errors.TooManyRequests:
    """What somebody is told for whom there is no room."""
    return errors.TooManyRequests(
        "Too many requests, please try again later.", retry_after=RETRY_SECONDS
    )


class _Place:
    """Where requests of one kind go: their level, their flow, and the headers that tell it."""

    __slots__ = ("counted", "flow", "headers", "level", "schema")

    def __init__(
        self, schema: Schema, level: Level, flow: str, uid: str, counted: list[int]
    ) -> None:
        self.counted = counted
        self.schema = schema
        self.level = level
        self.flow = f"{schema.name}/{flow}"
        self.headers = ((_SCHEMA_UID, schema.uid), (_LEVEL_UID, uid))


class _Seat:
    """A Ticket of the gate."""

    __slots__ = ("_gate", "_place", "_released", "_waiting", "_width", "headers")

    def __init__(self, gate: "Gate", place: _Place, width: int, waiting: Waiting | None) -> None:
        self._gate = gate
        self._place = place
        self._width = width
        self._waiting = waiting
        self._released = False
        self.headers = place.headers

    @property
    def pending(self) -> bool:
        return self._waiting is not None and not self._waiting.given

    async def wait(self) -> None:
        if self._waiting is not None:
            await self._gate.seated(self._waiting, self._place)

    def release(self) -> None:
        if self._released:
            return
        self._released = True
        gate, waiting = self._gate, self._waiting
        if waiting is None:
            gate.wake(gate.dispatcher.release(self._place.level, self._width))
        else:
            gate.wake(gate.dispatcher.leave(waiting))


class Gate:
    """Lets requests in by the FlowSchemas and PriorityLevelConfigurations of `cache`."""

    def __init__(
        self, cache: WatchCache, seats: int, seconds: float = settings.WAIT_SECONDS
    ) -> None:
        self._cache = cache
        self._seats = seats
        self._seconds = seconds
        self.dispatcher = Dispatcher()
        self.rejected: dict[tuple[str, str, str], int] = {}
        self.dispatched: dict[tuple[str, str], list[int]] = {}
        self._places: dict[_Key, _Place] = {}
        self._schemas: list[Schema] = []
        self._uids: dict[str, str] = {}
        self._stale = True
        self._wakers: dict[Waiting, asyncio.Future[None]] = {}
        for resource in (SCHEMAS, LEVELS):
            cache.of(resource).observe(self._changed)

    def enter(
        self, user: identity.User, verb: str, resource: str, namespace: str, subresource: str = ""
    ) -> "_Seat":
        """A place for a request; `pending` where it must `wait`. errors.TooManyRequests.

        `resource` is a resource's id, or the path of what is no resource.
        """
        if self._stale:
            self._read()
        key = (user.name, user.groups, verb, resource, subresource, namespace)
        place = self._places.get(key) or self._placed(key, user)
        level = place.level
        width = 1 if verb != "list" else self._list_width(resource, level)
        dispatcher = self.dispatcher
        place.counted[0] += 1
        if dispatcher.admit(level, width):
            return _Seat(self, place, width, None)
        waiting = None
        if len(self._wakers) < _WAITING_AT_MOST:
            waiting = dispatcher.wait(level, place.flow, width)
        if waiting is None:
            why = "queue-full" if level.limit.queues else "concurrency-limit"
            raise self._refused(place, why)
        if not waiting.given:
            self._wakers[waiting] = asyncio.get_running_loop().create_future()
        return _Seat(self, place, width, waiting)

    async def seated(self, waiting: Waiting, place: _Place) -> None:
        """Wait for a seat. errors.TooManyRequests after the time for that."""
        waker = self._wakers.get(waiting)
        if waker is None:
            return
        try:
            async with asyncio.timeout(self._seconds):
                await waker
        except TimeoutError:
            if not waiting.given:
                raise self._refused(place, "time-out") from None
        finally:
            self._wakers.pop(waiting, None)
            if not waiting.given:
                self.wake(self.dispatcher.leave(waiting))

    def wake(self, given: Iterable[Waiting]) -> None:
        """Tell those who have a seat now."""
        for waiting in given:
            waker = self._wakers.pop(waiting, None)
            if waker is not None and not waker.done():
                waker.set_result(None)

    def _refused(self, place: _Place, why: str) -> errors.TooManyRequests:
        key = (place.schema.name, place.level.limit.name, why)
        self.rejected[key] = self.rejected.get(key, 0) + 1
        place.counted[0] -= 1
        return too_many()

    def _placed(self, key: _Key, user: identity.User) -> _Place:
        if len(self._places) >= _REMEMBERED:
            self._places.clear()
        _, _, verb, resource, subresource, namespace = key
        if resource.startswith("/"):
            asked = Asked(verb, path=resource)
        else:
            plural, _, group = resource.partition(".")
            asked = Asked(
                verb, group, f"{plural}/{subresource}" if subresource else plural, namespace
            )
        schema = next((s for s in self._schemas if s.matches(user, asked)), _CATCH_ALL)
        level = self.dispatcher.levels[schema.level]
        counted = self.dispatched.setdefault((schema.name, schema.level), [0])
        uid = self._uids.get(schema.level, "")
        found = _Place(schema, level, schema.flow(user, asked), uid, counted)
        self._places[key] = found
        return found

    def _list_width(self, resource: str, level: Level) -> int:
        """Seats of a list: a hundred objects each, as kube-apiserver estimates, ten at most."""
        if resource.startswith("/"):
            return 1
        wanted = min(math.ceil(len(self._cache.of(resource)) / _ITEMS_A_SEAT), WIDEST)
        return max(1, min(wanted, level.limit.nominal))

    def _changed(self, _event: Event) -> None:
        self._stale = True

    def _read(self) -> None:
        self._stale = False
        self._places.clear()
        # Before they are made, and where an older version has none, the usual ones hold.
        documents = list(_every(self._cache, LEVELS)) or list(flowcontrol.levels())
        self._uids = {d["metadata"]["name"]: d["metadata"].get("uid", "") for d in documents}
        given = self.dispatcher.configure(settings.limits(documents, self._seats), self._seats)
        levels = self.dispatcher.levels
        rules = list(_every(self._cache, SCHEMAS)) or list(flowcontrol.schemas())
        found = [schemas.read(document) for document in rules]
        self._schemas = schemas.ordered(schema for schema in found if schema.level in levels)
        self.wake(given)


_CATCH_ALL = Schema(settings.CATCH_ALL, "", settings.CATCH_ALL, 10_000, "ByUser", ())


def _every(cache: WatchCache, resource: str) -> Iterable[dict[str, Any]]:
    for entry in cache.of(resource).scan(codec.prefix(resource)):
        yield entry.document()
