"""Keeps a sink in step with a resource: list, then watch, for ever.

A watch that ends, or an API that is away, is resumed from the last revision seen (bookmarks move
it on through quiet times); a revision that is no longer kept means a new list. Watches are rotated
every five to ten minutes, as client-go's reflector does, so that none waits for ever on a
connection that died without a word; where there is no connection, because events are pushed within
the process, they are not.
"""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from typing import Protocol

import structlog

from cluster.aio import backoff
from cluster.api import errors, objects
from cluster.client.client import Client, Event

MIN_WATCH_SECONDS = 300.0
MAX_WATCH_SECONDS = 600.0
_LIST_SECONDS = 60.0


class Sink(Protocol):
    """What a reflector feeds."""

    def replace(self, items: Sequence[objects.Object], revision: int) -> None:
        """The whole state as of `revision`, from a list."""
        ...

    def apply(self, events: Sequence[Event]) -> None:
        """Events in order; none is a bookmark."""
        ...


class Reflector:
    """Lists and watches one resource into a sink. `run` serves until it is cancelled."""

    def __init__(
        self,
        client: Client,
        resource: str,
        sink: Sink,
        generator: random.Random,
        *,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
    ) -> None:
        self._client = client
        self._resource = resource
        self._sink = sink
        self._random = generator
        self._namespace = namespace
        self._labels = labels
        self._fields = fields
        self._backoff = backoff.Backoff(generator, initial=0.1, maximum=5.0)
        self._log = structlog.get_logger().bind(reflector=resource)
        self.revision = 0
        """Everything up to this revision has reached the sink; 0: nothing has yet."""
        self._listed = 0

    async def run(self) -> None:
        """List and watch until cancelled. Errors of the API are logged and tried again."""
        while True:
            try:
                if not self.revision:
                    await self._list()
                await self._watch()
            except errors.Expired:
                self._log.info("watch expired; listing again", revision=self.revision)
                if self.revision == self._listed:
                    # Lists that no watch can follow must not be asked for in a tight circle.
                    await self._backoff.wait()
                self.revision = 0
            except TimeoutError:
                self._log.warning("list not answered in time", seconds=_LIST_SECONDS)
                await self._backoff.wait()
            except errors.StatusError as failure:
                self._log.warning("list or watch failed", reason=failure.reason, error=str(failure))
                await self._backoff.wait()

    async def _list(self) -> None:
        async with asyncio.timeout(_LIST_SECONDS):
            listing = await self._client.list(
                self._resource, self._namespace, labels=self._labels, fields=self._fields, lean=True
            )
        self._sink.replace(listing.items, listing.revision)
        self.revision = self._listed = listing.revision

    async def _watch(self) -> None:
        """One watch, to its end or its rotation."""
        started = asyncio.get_running_loop().time()
        seconds = None
        if not self._client.pushed:
            seconds = self._random.uniform(MIN_WATCH_SECONDS, MAX_WATCH_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._client.follow(
                    self._resource,
                    self._namespace,
                    revision=self.revision,
                    labels=self._labels,
                    fields=self._fields,
                    take=self._take,
                )
        if asyncio.get_running_loop().time() - started < 1:
            # A server that ends watches at once must not be asked in a tight circle.
            await self._backoff.wait()

    def _take(self, events: Sequence[Event]) -> None:
        self._backoff.reset()
        if len(events) == 1 and events[0].type == "BOOKMARK":  # most that comes in a quiet cluster
            self.revision = events[0].revision
            return
        real = [event for event in events if event.type != "BOOKMARK"]
        if real:
            self._sink.apply(real)
        if events:
            self.revision = events[-1].revision
