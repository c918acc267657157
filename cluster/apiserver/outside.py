"""Questions that planning cannot answer by itself: to webhooks, which answer over the network.

Planning is synchronous and reads nothing but the watch cache. Where it needs an answer from
elsewhere it raises `Ask`; the writer awaits the answer, puts it into the call, and plans again.
Every planning of one operation that asks sees the same time and draws the same random numbers, so
that it comes to the same questions in the same order, as long as the state it reads is the same.
"""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Final

ROUNDS = 64
"""How many questions one operation may ask before it is given up."""


class Ask(Exception):
    """Planning stops here until `question()` is answered.

    `key` tells equal questions from different ones: it must depend on everything that the answer
    depends on. The question is awaited once; what it returns is the answer, and what it raises
    (errors.StatusError) fails the operation, so a question that may fail softly answers with the
    failure. It has a deadline of its own.
    """

    def __init__(self, key: object, question: Callable[[], Awaitable[Any]]) -> None:
        super().__init__(f"an answer is needed: {key!r}")
        self.key = key
        self.question = question


class Deferred(Enum):
    """In a batch that may not be kept waiting: the answer to an operation that asks outside. It was
    not carried out.
    """

    DEFERRED = 1


DEFERRED: Final = Deferred.DEFERRED


class Answers:
    """What has been answered for one operation."""

    __slots__ = ("_known", "_notes")

    def __init__(self) -> None:
        self._known: dict[object, Any] = {}
        self._notes: dict[str, Any] = {}

    def of(self, key: object, question: Callable[[], Awaitable[Any]]) -> Any:
        """The answer to a question. Ask where it is not known yet."""
        if key in self._known:
            return self._known[key]
        raise Ask(key, question)

    def put(self, key: object, answer: Any) -> None:
        """The question of `key` is answered."""
        self._known[key] = answer

    def noted(self, about: str, value: Any) -> Any:
        """What was noted first about the operation: kept for all of its plannings."""
        return self._notes.setdefault(about, value)

    def __len__(self) -> int:
        return len(self._known)
