"""`cluster.v1.Chaos`: administrators put faults into effect, each for a bounded time."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Final

import grpc
import structlog

from cluster.aio import tasks
from cluster.api import errors, identity
from cluster.apiserver.chaos.table import ApiFault, Faults
from cluster.apiserver.registry import Registry
from cluster.pb.cluster.v1 import chaos_pb2 as pb
from cluster.storage import faulty
from cluster.storage import interface as storage

NAME: Final = "cluster.v1.Chaos"
MOST_SECONDS: Final = 3600.0
_MOST: Final = 1000

Who = Callable[[Any], identity.User]


class Injector:
    """Keeps the faults of a registry and its store. Nothing of it is there before the first one."""

    def __init__(self, registry: Registry, store: storage.Storage, random: Random) -> None:
        self._registry = registry
        self._store = store
        self._random = random
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._disks: dict[str, pb.DiskFault] = {}
        self._log = structlog.get_logger().bind(component="apiserver")
        self._background = tasks.Background("chaos", self._failed)

    async def set(self, request: pb.SetFaultRequest) -> None:
        """Put a fault into effect. ValueError; errors.NotImplementedYet; storage.Unavailable."""
        if not request.id or not 0 < request.seconds <= MOST_SECONDS:
            raise ValueError(f"a fault has an id and lasts from 0 to {MOST_SECONDS:g} seconds")
        if request.id not in self._timers and len(self._timers) >= _MOST:
            raise errors.TooManyRequests(f"there are {_MOST} faults already")
        if request.HasField("disk"):
            await self._put_disk(request.id, request.disk)
        else:
            self._put_api(request.id, read(request.api, self._registry.revision))
        self._timer(request.id, request.seconds)
        self._log.warning("a fault is in effect", id=request.id, seconds=request.seconds)

    async def clear(self, ids: list[str]) -> None:
        """End faults; none: all."""
        for each in ids or list(self._timers):
            await self._end(each)

    def states(self) -> list[pb.FaultState]:
        """Those in effect."""
        now = asyncio.get_running_loop().time()
        faults = self._registry.faults
        hits = faults.hits if faults is not None else {}
        return [
            pb.FaultState(id=one, seconds=max(timer.when() - now, 0), requests=hits.get(one, 0))
            for one, timer in self._timers.items()
        ]

    def close(self) -> None:
        """End all timers."""
        self._background.cancel()
        for timer in self._timers.values():
            timer.cancel()

    def _timer(self, id: str, seconds: float) -> None:
        old = self._timers.pop(id, None)
        if old is not None:
            old.cancel()
        loop = asyncio.get_running_loop()
        self._timers[id] = loop.call_later(
            seconds, lambda: self._background.spawn(self._end(id), "end")
        )

    def _put_api(self, id: str, fault: ApiFault) -> None:
        registry = self._registry
        if registry.faults is None:
            registry.faults = Faults(Random(self._random.random()))  # noqa: S311  (repeats)
        registry.faults.put(id, fault)
        if fault.of_watches:
            registry.faults.hits[id] += registry.followers.cut(fault)

    async def _put_disk(self, id: str, disk: pb.DiskFault) -> None:
        if not disk.full and not disk.latency:
            raise ValueError("the fault says nothing of what is wrong with the disk")
        if not 0 <= disk.latency <= 60:
            raise ValueError("a commit can be late by up to 60 seconds")
        self._disks[id] = disk
        try:
            await self._settle_disk()
        except BaseException:
            del self._disks[id]
            raise

    async def _settle_disk(self) -> None:
        """Let the store's disk be as bad as the faults in effect say."""
        store = self._store
        if not isinstance(store, faulty.Hurtable):
            raise errors.NotImplementedYet("the disk of this store cannot be made bad")
        store.lag(sum(disk.latency for disk in self._disks.values()))
        await store.fill(full=any(disk.full for disk in self._disks.values()))

    async def _end(self, id: str) -> None:
        timer = self._timers.pop(id, None)
        if timer is None:
            return
        timer.cancel()
        faults = self._registry.faults
        if faults is not None:
            faults.drop(id)
            if not faults:
                self._registry.faults = None
        if self._disks.pop(id, None) is not None:
            await self._settle_disk()
        self._log.warning("a fault has ended", id=id)

    def _failed(self, name: str, error: BaseException) -> None:
        self._log.error("ending a fault failed", task=name, exc_info=error)


class ChaosFace:
    """Serves an injector to administrators; `who` tells who calls. errors.Unauthorized."""

    def __init__(self, injector: Injector, who: Who) -> None:
        self._injector = injector
        self._who = who

    async def SetFault(self, request: Any, context: Any) -> Any:
        """Put a fault into effect."""
        await self._answer(lambda: self._injector.set(request), context)
        return pb.SetFaultResponse()

    async def ClearFaults(self, request: Any, context: Any) -> Any:
        """End faults."""
        await self._answer(lambda: self._injector.clear(list(request.ids)), context)
        return pb.ClearFaultsResponse()

    async def ListFaults(self, _request: Any, context: Any) -> Any:
        """The faults in effect."""
        await self._answer(_nothing, context)
        return pb.ListFaultsResponse(faults=self._injector.states())

    async def _answer(self, work: Callable[[], Awaitable[None]], context: Any) -> None:
        codes = grpc.StatusCode
        try:
            if identity.MASTERS not in self._who(context).groups:
                await context.abort(codes.PERMISSION_DENIED, "chaos is for administrators alone")
            await work()
        except errors.Unauthorized as error:
            await context.abort(codes.UNAUTHENTICATED, error.message)
        except ValueError as error:
            await context.abort(codes.INVALID_ARGUMENT, str(error))
        except errors.NotImplementedYet as error:
            await context.abort(codes.UNIMPLEMENTED, error.message)
        except errors.TooManyRequests as error:
            await context.abort(codes.RESOURCE_EXHAUSTED, error.message)
        except storage.Unavailable as error:
            await context.abort(codes.UNAVAILABLE, str(error))


async def _nothing() -> None:
    """There is nothing to do."""


def read(told: Any, revision: int) -> ApiFault:
    """A fault as a request tells it (cluster.v1.ApiFault). ValueError."""
    return ApiFault(
        users=tuple(told.users),
        verbs=tuple(told.verbs),
        resources=tuple(told.resources),
        share=told.share or 1.0,
        code=told.code,
        latency=told.latency,
        drop_watches=told.drop_watches,
        delay_watches=told.delay_watches,
        stale=told.stale,
        revision=revision,
    )
