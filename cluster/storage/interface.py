"""The storage seam: what the registry asks of a store.

Every successful change gets the next revision, counted over the whole store. A change is
acknowledged when it is durable, and subscribers have heard of it before its writer does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Record(NamedTuple):
    """A key's value at a revision. `created` is the revision at which the key came to be."""

    key: str
    value: bytes
    revision: int
    created: int


class Change(NamedTuple):
    """One compare-and-set. Changes in one call are independent of each other.

    `value` None deletes. `expected` is the record revision that must be current: 0 for "the key
    does not exist", None for "whatever it is" (not used for creates or updates of objects).
    `guard` is another key and the record revision that it must have (0: it must not exist) in the
    same instant: so whoever has lost a lease writes nothing more. `guards` are further ones.
    """

    key: str
    value: bytes | None
    expected: int | None
    guard: tuple[str, int] | None = None
    guards: tuple[tuple[str, int], ...] = ()

    @property
    def conditions(self) -> tuple[tuple[str, int], ...]:
        """All guards."""
        return self.guards if self.guard is None else (self.guard, *self.guards)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A change that was not made because `expected` did not hold; `current` is what is there.

    `guard`: it was a guard of the change that did not hold (whether or not `expected` did), and
    `current` is what is at the guard's key. Trying again is of no use then.
    """

    current: Record | None
    guard: bool = False


class Deleted(NamedTuple):
    """A deletion that was made, at `revision`; `previous` is the record it removed."""

    revision: int
    previous: Record


class Event(NamedTuple):
    """What happened to a key at `revision`.

    `record` None: deleted. `previous` None: created.
    """

    revision: int
    key: str
    record: Record | None
    previous: Record | None


@dataclass(frozen=True, slots=True)
class Range:
    """Records under a prefix in key order, as of `revision`.

    `more` counts the keys beyond the limit; where the past is read it is an estimate, and it is
    0 only where nothing is left.
    """

    records: Sequence[Record]
    revision: int
    more: int = 0


class Kept(NamedTuple):
    """What of the past can be read: revisions from `oldest` to `newest`.

    `since`, in Unix seconds, is the earliest time that `Storage.revision_at` knows of; None where
    it knows of none.
    """

    oldest: int
    newest: int
    since: float | None


Sink = Callable[[Sequence[Event]], None]


class Compacted(Exception):
    """The revision asked for is older than the history that is kept (`oldest` and later)."""

    def __init__(self, asked: int, oldest: int) -> None:
        super().__init__(f"revision {asked} was compacted; the oldest kept is {oldest}")
        self.asked = asked
        self.oldest = oldest


class FutureRevision(Exception):
    """The revision asked for has not happened yet."""

    def __init__(self, asked: int, current: int) -> None:
        super().__init__(f"revision {asked} is in the future; the current one is {current}")
        self.asked = asked
        self.current = current


class TooEarly(Exception):
    """Nobody remembers which revision was there at the time asked for; `kept` is what is."""

    def __init__(self, kept: Kept) -> None:
        super().__init__("the time asked for is before the history that is kept")
        self.kept = kept


class Unavailable(Exception):
    """The store cannot take the request now: closed, disk full, or no quorum.

    `told` is what a client may read of it, after "the store is not available: "; the sentence is
    for who runs the server, and may name its files.
    """

    def __init__(self, sentence: str = "", told: str = "") -> None:
        super().__init__(sentence)
        self.told = told or sentence


def closed() -> Unavailable:
    """What becomes of requests to a store that is not open."""
    return Unavailable("the store is closed", "it is closed")


Outcome = Record | Deleted | Mismatch | Unavailable
"""What became of a change."""


class Storage(Protocol):
    """A multi-version key-value store. All methods belong to one event loop."""

    @property
    def shared(self) -> bool:
        """Whether others may write to it, too: then `revision` may lag behind `newest`."""
        ...

    async def open(self) -> None:
        """Load what is durable and be ready. Unavailable, with a sentence, where that fails."""
        ...

    async def close(self) -> None:
        """Finish pending commits and let go of files and connections."""
        ...

    @property
    def revision(self) -> int:
        """The newest durable revision that subscribers have heard of; 0 for an empty store."""
        ...

    async def newest(self) -> int:
        """A revision at least as new as every write that was acknowledged anywhere, by any server
        on the same store, before the call (`revision` may lag behind it where there are several).
        Unavailable.
        """
        ...

    async def write(self, changes: Sequence[Change]) -> list[Outcome]:
        """Make each change or tell why not, in order; return when all made are durable.

        A call that is cancelled ends when it is settled whether they are. Unavailable where none
        was made; among the results it says of one change that it is not known to have been made
        (where the store is on another machine).
        """
        ...

    async def get(self, key: str, revision: int = 0) -> Record | None:
        """The record of `key` now, or as of `revision`. Compacted, FutureRevision."""
        ...

    async def range(
        self, prefix: str, *, revision: int = 0, after: str = "", limit: int = 0
    ) -> Range:
        """Records whose key starts with `prefix` and sorts after `after`, now or as of `revision`;
        at most `limit` of them (0: all). Compacted, FutureRevision.
        """
        ...

    def subscribe(self, after: int, sink: Sink) -> Callable[[], None]:
        """Hand `sink` every event with a revision greater than `after`: first the history, at
        once, then each commit as it becomes durable and before its writer is answered, in
        revision order. The sink must not block. Returns the call that ends it. Compacted.
        """
        ...

    async def check(self) -> None:
        """Return when the store is seen to take work. Unavailable where it does not."""
        ...

    async def compact(self, revision: int) -> None:
        """Forget values that were no longer current at `revision`, and events up to it.

        FutureRevision; Unavailable where the disk does not forget them yet.
        """
        ...

    async def turn(self, revision: int) -> bool:
        """Whether it is this server's turn to compact to `revision`: of several servers on one
        store only one does it, in each interval. Unavailable.
        """
        ...

    async def defragment(self) -> tuple[int, int]:
        """Give back to the disk what compaction has freed: bytes before and after. Unavailable."""
        ...

    async def kept(self) -> Kept:
        """What of the past can be read. Unavailable."""
        ...

    async def revision_at(self, when: float) -> int:
        """The newest revision that was there at `when` (Unix seconds; `times.STEP` is how much
        older it may be). TooEarly.
        """
        ...

    async def lasting(self) -> None:
        """Wait for as long as subscribers are told of everything. Unavailable at the end of that
        (the store was away for longer than history is kept): what they hold is to be read anew.
        """
        ...
