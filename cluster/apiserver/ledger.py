"""The ledger: who wrote what, when, and which event made them. Bounded; the newest writes stay.

From it the whole chain behind a state is told: each cause is the revision of another write.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

CAPACITY = 65536


class Fact(NamedTuple):
    """One write. `time` in seconds since the epoch; `key` is `namespace/name` or `name`.

    `verb` is create, update, patch or delete, with `/subresource` where one was written. `cause`
    is the revision of the event that the actor acted upon, 0 where none was told.
    """

    revision: int
    time: float
    actor: str
    verb: str
    resource: str
    key: str
    cause: int


class Ledger:
    """The newest facts, in order of revision as far as concurrent batches allow."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._facts: deque[Fact] = deque(maxlen=capacity)
        self._hooks: list[Callable[[Fact], None]] = []

    def __len__(self) -> int:
        return len(self._facts)

    def __iter__(self) -> Iterator[Fact]:
        return iter(self._facts)

    def hook(self, hook: Callable[[Fact], None]) -> None:
        """Show every later fact to `hook` as it happens; it must not block."""
        self._hooks.append(hook)

    def add(self, fact: Fact) -> None:
        """Enter a fact."""
        self._facts.append(fact)
        for hook in self._hooks:
            hook(fact)

    def find(self, revision: int) -> Fact | None:
        """The write that made `revision`, if it is still known."""
        for fact in reversed(self._facts):
            if fact.revision == revision:
                return fact
        return None

    def of(self, resource: str, key: str) -> list[Fact]:
        """The writes to one object, oldest first."""
        return [fact for fact in self._facts if fact.resource == resource and fact.key == key]

    def chain(self, revision: int) -> list[Fact]:
        """The write at `revision`, the one that caused it, and so on to the first known."""
        known = {fact.revision: fact for fact in self._facts}
        found: list[Fact] = []
        while revision in known:
            fact = known.pop(revision)
            found.append(fact)
            revision = fact.cause
        return found
