"""The ConfigMaps and Secrets that pods of a process need, read one by one: by name, and no others.

What is held is watched, as by a kubelet's watch-based manager: one watch for each object, whoever
of the pods needs it. What is not held is asked for. Source: pkg/kubelet/util/manager.
"""

import asyncio
import random as randoms
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from cluster.api import errors, objects
from cluster.api.objects import Object
from cluster.client.client import Client
from cluster.client.informer import Change, Informer
from cluster.kubelet.volumes.contents import Unready
from cluster.kubelet.volumes.references import Known, Reference

Spawn = Callable[[Coroutine[Any, Any, Any], str], asyncio.Task[Any]]

RECENT: Final = 10.0
"""Seconds for which an answer will do where only the presence of something matters."""
_KEPT: Final = 4096
_MAX_WATCHED: Final = 10_000
"""Objects that are watched at most; what more there is is asked for when it is needed."""
_SECONDS: Final = 30.0


@dataclass(slots=True, eq=False)
class _Watched:
    informer: Informer
    task: asyncio.Task[Any]
    holders: dict[str, None] = field(default_factory=dict)
    final: Object | None = None
    """What it is for good, where it is immutable: it is watched no longer."""


class Objects:
    """Reads objects. `on_change(holder)` hears of each change of what a holder holds."""

    def __init__(
        self, client: Client, random: randoms.Random, spawn: Spawn, on_change: Callable[[str], None]
    ) -> None:
        self._client = client
        self._random = random
        self._spawn = spawn
        self._on_change = on_change
        self._watched: dict[Reference, _Watched] = {}
        self._held: dict[str, tuple[Reference, ...]] = {}
        self._recent: dict[Reference, tuple[float, Object]] = {}
        self._log = structlog.get_logger().bind(component="kubelet")

    async def read(self, references: Iterable[Reference], *, recent: bool = False) -> Known:
        """What these are, None for what is not there. With `recent`, what was read a moment ago
        will do. Unready.
        """
        return {one: await self._one(one, recent=recent) for one in references}

    async def _one(self, wanted: Reference, *, recent: bool) -> Object | None:
        watched = self._watched.get(wanted)
        if watched is not None:
            key = f"{wanted.namespace}/{wanted.name}" if wanted.namespace else wanted.name
            found = watched.final or watched.informer.store.get(key)
            if found is not None:
                return found
        now = asyncio.get_running_loop().time()
        known = self._recent.get(wanted)
        if recent and known is not None and now - known[0] < RECENT:
            return known[1]
        try:
            async with asyncio.timeout(_SECONDS):
                found = await self._client.get(wanted.resource, wanted.name, wanted.namespace)
        except errors.NotFound:
            return None
        except TimeoutError:
            raise Unready(
                f"failed to sync {wanted.resource} cache: timed out waiting for the condition"
            ) from None
        except errors.StatusError as error:
            raise Unready(str(error)) from error
        if recent:
            if len(self._recent) >= _KEPT:
                self._recent.clear()
            self._recent[wanted] = (now, found)
        return found

    def hold(self, holder: str, references: Iterable[Reference]) -> None:
        """Watch these, until `release`."""
        wanted = tuple(references)
        self.release(holder)
        self._held[holder] = wanted
        for one in wanted:
            watched = self._watched.get(one) or self._watch(one)
            if watched is not None:
                watched.holders[holder] = None

    def release(self, holder: str) -> None:
        """Need nothing more. Nothing happens where nothing was held."""
        for one in self._held.pop(holder, ()):
            watched = self._watched.get(one)
            if watched is None:
                continue
            watched.holders.pop(holder, None)
            if not watched.holders:
                del self._watched[one]
                watched.task.cancel()

    def _watch(self, wanted: Reference) -> _Watched | None:
        if len(self._watched) >= _MAX_WATCHED:
            self._log.warning("too many objects to watch", name=wanted.name, most=_MAX_WATCHED)
            return None
        informer = Informer(
            self._client,
            wanted.resource,
            namespace=wanted.namespace,
            fields=f"metadata.name={wanted.name}",
            generator=randoms.Random(self._random.random()),  # noqa: S311  (jitter)
        )
        task = self._spawn(informer.run(), f"watch/{wanted.resource}/{wanted.name}")
        made = self._watched[wanted] = _Watched(informer, task)

        def changed(change: Change) -> None:
            self._changed(made, change)

        informer.on_change(changed)
        return made

    def _changed(self, watched: _Watched, change: Change) -> None:
        if change.new is not None and change.new.get("immutable") and watched.final is None:
            watched.final = change.new
            watched.task.cancel()
        if change.old is None or change.new is None or _differ(change.old, change.new):
            for holder in list(watched.holders):
                self._on_change(holder)


def _differ(old: Object, new: Object) -> bool:
    return objects.uid(old) != objects.uid(new) or any(
        old.get(part) != new.get(part) for part in ("data", "binaryData", "spec")
    )
