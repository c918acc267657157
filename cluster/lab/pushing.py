"""How watch events reach the lab's components: pushed by timers, and decoded once for all of them.

A component of another process reads a stream, with a task that wakes up for each batch and
decodes it. In one process, where dozens watch, that is a large part of what a write costs.
"""

import asyncio
import contextvars
from collections.abc import Callable, Sequence
from typing import Final

from cluster.api.objects import Object
from cluster.apiserver.watchcache.events import Batch
from cluster.apiserver.watchcache.watch import Watch
from cluster.client import decoding
from cluster.client.transport import Event

Delay = Callable[[], float]
"""Draws the seconds that a crossing takes."""
Take = Callable[[Sequence[Event]], None]

_REMEMBERED: Final = 512


class Decoded:
    """The objects of recent events, known again by their text: it is the same for every watcher.

    They are shared by everybody, as all is that comes out of an informer, and have no managedFields
    (`client.transport.Pushing`).
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[bytes, Object]] = {}
        """By the identity of the text, which is held so that no other one gets it."""

    def events(self, batch: Batch) -> list[Event]:
        """The events of a batch as a client has them."""
        return [Event(one.type, self._object(one.json), one.revision) for one in batch.events]

    def _object(self, json: bytes) -> Object:
        if not json:
            return {}
        found = self._known.get(id(json))
        if found is not None:
            return found[1]
        obj = decoding.lean(json)
        if len(self._known) >= _REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[id(json)] = json, obj
        return obj


class Push:
    """Hands the events of a watch to `take`, each batch after a delay of its own.

    What comes while a batch is on its way arrives with it.
    """

    def __init__(self, watch: Watch, decoded: Decoded, delay: Delay, take: Take) -> None:
        self._watch = watch
        self._decoded = decoded
        self._delay = delay
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._end: asyncio.Future[None] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None

    async def ended(self) -> None:
        """Push until the watch is over. Raises what `take` raises, and errors.Expired."""
        self._watch.listen(self._hear)
        try:
            await self._end
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def _hear(self) -> None:
        if self._watch.closed:
            self._finish()
        elif self._timer is None:
            self._timer = self._loop.call_later(self._delay(), self._arrive, context=self._context)

    def _arrive(self) -> None:
        self._timer = None
        try:
            batch = self._watch.ready()
            if batch is not None:
                self._take(self._decoded.events(batch))
                if self._watch.pending:  # more than fits a batch, or new meanwhile
                    self._hear()
        except Exception as error:  # noqa: BLE001  (it reaches whoever awaits the end)
            if not self._end.done():
                self._end.set_exception(error)

    def _finish(self) -> None:
        if not self._end.done():
            self._end.set_result(None)
