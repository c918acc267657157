"""One watcher's reading of a feed: what it missed first, then batches as they come."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Self

from cluster.api import errors
from cluster.apiserver.watchcache import events
from cluster.apiserver.watchcache import feed as feeds
from cluster.apiserver.watchcache.events import Batch, Event
from cluster.apiserver.watchcache.feed import Feed


class Watch:
    """An endless async iterator of batches. Close it when done: `async with` does.

    Raises errors.Expired where the reader was too slow and fell out: it must list again.
    """

    def __init__(
        self,
        feed: Feed,
        position: int,
        revision: int,
        missed: Sequence[Event] = (),
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self._feed = feed
        self._position = position
        self._missed = missed
        self._read = 0
        self._due = 0
        self._on_close = on_close
        self._waiter: asyncio.Future[None] | None = None
        self._hear: Callable[[], None] | None = None
        self.revision = revision
        """Everything up to this revision has been given to the reader."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        while True:
            batch = self.ready()
            if batch is not None:
                return batch
            if self._on_close is None:  # closed, by the reader or because nothing more will come
                raise StopAsyncIteration
            self._waiter = self._feed.wait()
            await self._waiter

    def listen(self, hear: Callable[[], None]) -> None:
        """Call `hear` now, and from then on at once when something may be `ready`, or it is over.

        For one reader in the same process, who then needs no task to wait; it must not raise, and
        must not close the watch.
        """
        self._hear = hear
        self._feed.listen(hear)
        hear()

    @property
    def closed(self) -> bool:
        """Whether nothing more will be ready."""
        return self._on_close is None

    @property
    def pending(self) -> bool:
        """Whether `ready` has something to give or to say."""
        feed = self._feed
        return (
            feed.end > self._position
            or feed.bookmarked > self.revision
            or self._read < len(self._missed)
            or self._due >= max(self.revision, 1)
            or feed.ended
            or self._on_close is None
        )

    def ready(self) -> Batch | None:
        """The next batch if there is one now. errors.Expired."""
        if self._on_close is None:
            return None
        if self._read < len(self._missed):
            return self._next_missed()
        try:
            found = self._feed.take(self._position)
        except feeds.FellOut:
            raise errors.expired(
                f"too old resource version: {self.revision} (the watch was too slow)"
            ) from None
        if found is not None:
            batch, self._position = found
        elif self._feed.bookmarked > self.revision:
            batch = self._feed.bookmark()
        elif self._due >= max(self.revision, 1):  # also where the newest event has said it
            batch = Batch([Event(events.BOOKMARK, b"", self._due)])
            self._due = 0
        else:
            if self._feed.ended:
                self.close()
            return None
        self.revision = batch.revision
        return batch

    def remind(self, revision: int) -> None:
        """Bookmark the cache's revision of now, once the reader has seen everything up to it."""
        self._due = revision
        self._wake()

    def close(self) -> None:
        """Stop. A reader that waits sees the end."""
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()
        if self._hear is not None:
            self._feed.ignore(self._hear)
        self._wake()

    def _wake(self) -> None:
        if self._hear is not None:
            self._hear()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()

    def _next_missed(self) -> Batch:
        start = self._read
        size = 0
        while self._read < min(len(self._missed), start + feeds.BLOCK) and size < 1 << 20:
            size += len(self._missed[self._read].json)
            self._read += 1
        batch = Batch(self._missed[start : self._read])
        if self._read == len(self._missed):
            self._missed = ()
            self._read = 0
        self.revision = max(self.revision, batch.revision)
        return batch
