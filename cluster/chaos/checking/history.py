"""A history: what clients asked of single objects, what they were told, and in which order.

Order is by ticks, one for each beginning and each end, because many things may happen at one time
of a clock (in a lab most do). Times are for readers.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

NEVER: Final = math.inf
"""The end of an operation that has had no answer: it may take effect at any later time."""


class Verb(Enum):
    """What is asked. UPDATE has a precondition, PATCH none; GET and LIST read."""

    CREATE = "create"
    UPDATE = "update"
    PATCH = "patch"
    DELETE = "delete"
    GET = "get"
    LIST = "list"


class Outcome(Enum):
    """What the client knows: it was done, it was not done, or neither."""

    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"


READS: Final = frozenset({Verb.GET, Verb.LIST})
REFUSALS: Final = frozenset(
    {
        "AlreadyExists", "BadRequest", "Conflict", "Expired", "Forbidden", "Gone", "Invalid",
        "MethodNotAllowed", "NotAcceptable", "NotFound", "RequestEntityTooLarge",
        "TooManyRequests", "Unauthorized", "UnsupportedMediaType",
    }
)  # fmt: skip
"""Reasons of a Status that say that nothing was done. After all others the client cannot know."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An object as somebody was shown it."""

    value: str
    revision: int


@dataclass(frozen=True, slots=True)
class Call:
    """One operation on the object `key` (LIST: on all objects whose key begins with `key`).

    `value` is what is written. `expected` is the resourceVersion that is a precondition (0: none).
    `revision` is what the answer told: the object's, or the list's; 0 where it told none. `seen` is
    what a GET gave, `members` what a LIST gave, by key. `reason` is why it failed.
    """

    number: int
    client: str
    verb: Verb
    key: str
    begin: int
    value: str = ""
    expected: int = 0
    end: float = NEVER
    outcome: Outcome = Outcome.UNKNOWN
    reason: str = ""
    revision: int = 0
    seen: Seen | None = None
    members: Mapping[str, Seen] | None = None
    invoked: float = 0.0
    ended: float = NEVER

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return self.verb not in READS

    @property
    def acknowledged(self) -> bool:
        """Whether it is a write that was told to be done."""
        return self.writes and self.outcome is Outcome.OK


@dataclass(slots=True)
class History:
    """Records calls. A call that is never ended has an unknown outcome."""

    calls: list[Call] = field(default_factory=list)
    _tick: int = 0

    def invoke(
        self, client: str, verb: Verb, key: str, now: float, *, value: str = "", expected: int = 0
    ) -> int:
        """A client asks; the number of the call, for its end."""
        number = len(self.calls)
        self.calls.append(
            Call(number, client, verb, key, self._next(), value, expected, invoked=now)
        )
        return number

    def ok(
        self,
        number: int,
        now: float,
        *,
        revision: int = 0,
        seen: Seen | None = None,
        members: Mapping[str, Seen] | None = None,
    ) -> None:
        """It was done."""
        self.calls[number] = replace(
            self.calls[number], end=self._next(), ended=now, outcome=Outcome.OK,
            revision=revision, seen=seen, members=members,
        )  # fmt: skip

    def fail(self, number: int, now: float, reason: str) -> None:
        """It was refused for `reason`, or, where that is no refusal, nobody knows."""
        call = self.calls[number]
        if reason in REFUSALS:
            self.calls[number] = replace(
                call, end=self._next(), ended=now, outcome=Outcome.FAIL, reason=reason
            )
        else:
            self.calls[number] = replace(call, ended=now, reason=reason)

    def _next(self) -> int:
        self._tick += 1
        return self._tick


def by_key(calls: Iterable[Call]) -> dict[str, list[Call]]:
    """The calls on each object, in the order of their beginnings. A list counts as a GET of every
    object that it could have shown; what was never written is absent and stays so.
    """
    found: dict[str, list[Call]] = {}
    lists: list[Call] = []
    for call in calls:
        if call.verb is Verb.LIST:
            lists.append(call)
        else:
            found.setdefault(call.key, []).append(call)
    for one in lists:
        if one.outcome is not Outcome.OK or one.members is None:
            continue
        for key in dict.fromkeys([*found, *one.members]):
            if key.startswith(one.key):
                found.setdefault(key, []).append(_glance(one, key))
    for own in found.values():
        own.sort(key=lambda call: call.begin)
    return found


def _glance(listed: Call, key: str) -> Call:
    """A list as a GET of one object."""
    seen = (listed.members or {}).get(key)
    if seen is not None:
        return replace(listed, key=key, seen=seen, revision=seen.revision, members=None)
    return replace(
        listed, key=key, outcome=Outcome.FAIL, reason="NotFound", revision=0, members=None
    )


def resolved(calls: Sequence[Call], seen: Iterable[Seen] = ()) -> list[Call]:
    """The calls, with revisions for those writes without an answer whose value somebody saw later:
    they did take effect. For values that are written once; `seen` is what else was seen.
    """
    shown = {call.seen.value: call.seen.revision for call in reversed(calls) if call.seen}
    for each in seen:
        shown.setdefault(each.value, each.revision)
    return [
        replace(call, revision=shown[call.value])
        if call.outcome is Outcome.UNKNOWN and call.writes and call.value in shown
        else call
        for call in calls
    ]
