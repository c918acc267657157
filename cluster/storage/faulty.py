"""The seam by which a store's disk is made bad on purpose, and SQLite's side of it."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar, runtime_checkable

from cluster.storage.sqlite import SqliteStorage

T = TypeVar("T")

_NO_LIMIT: Final = 1_073_741_823
"""SQLite's own SQLITE_MAX_PAGE_COUNT."""


@runtime_checkable
class Hurtable(Protocol):
    """A store whose disk can be made bad. What is durable stays so, and nothing is lost that was
    acknowledged: writers are told that the disk refuses, or wait.
    """

    async def fill(self, *, full: bool) -> None:
        """Let the disk take nothing more, or as much as there is room for. Unavailable."""
        ...

    def lag(self, seconds: float) -> None:
        """Let each commit take so much longer; 0: no more."""
        ...


class HurtableSqlite(SqliteStorage):
    """SQLite, whose disk can be made bad.

    A full disk is a database that may not have another page, so that SQLite itself says SQLITE_FULL
    in the middle of a transaction, as it would. What still fits into pages that there are is taken.
    """

    _lag = 0.0

    async def fill(self, *, full: bool) -> None:
        """See `Hurtable.fill`. Unavailable while it is not open."""
        database = self._connection()
        most = 1 if full else _NO_LIMIT  # less than there are means: no more than there are
        await self._run(lambda: database.execute(f"PRAGMA max_page_count={most}").fetchall())

    def lag(self, seconds: float) -> None:
        """See `Hurtable.lag`."""
        self._lag = seconds

    def _run(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        if not self._lag:
            return super()._run(work)
        seconds = self._lag

        def late() -> T:
            time.sleep(seconds)  # noqa: TID251  (the thread of the store, not the loop's)
            return work()

        return super()._run(late)
