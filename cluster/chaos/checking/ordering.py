"""Revisions over all objects: the order in which they were given is the order in which things were
done, as far as clients could tell, and what was acknowledged at one is there.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cluster.chaos.checking import story
from cluster.chaos.checking.history import NEVER, Call, Outcome, Verb


class Fact(NamedTuple):
    """What the store holds at a revision: the object's key and value, None where it went."""

    key: str
    value: str | None


def real_time(calls: Iterable[Call]) -> list[str]:
    """What was done after another thing had been answered has no earlier revision.

    A write's revision is later than all that anybody had been told before it began; what a list
    says is no earlier; two writes never have one revision.
    """
    known = [call for call in calls if call.outcome is Outcome.OK and _told(call)]
    wrong = list(_doubles(known))
    ends = sorted(known, key=lambda call: call.end)
    newest: Call | None = None
    at = 0
    for call in sorted(known, key=lambda one: one.begin):
        while at < len(ends) and ends[at].end < call.begin:
            if newest is None or _told(ends[at]) > _told(newest):
                newest = ends[at]
            at += 1
        if newest is None or call.verb is Verb.GET:
            continue
        least = _told(newest) + call.writes
        if call.revision < least and not _unchanged(call, newest):
            wrong.append(_pair("revisions go back in time", newest, call))
    return wrong


def _told(call: Call) -> int:
    """The newest revision that the answer of a call shows to have been given."""
    return call.revision or (call.seen.revision if call.seen else 0)


def _unchanged(call: Call, before: Call) -> bool:
    return call.key == before.key and call.value == before.value != ""


def _doubles(known: Iterable[Call]) -> Iterable[str]:
    first: dict[int, Call] = {}
    for call in known:
        if call.acknowledged and call.revision:
            other = first.setdefault(call.revision, call)
            if other is not call and not _unchanged(call, other):
                yield _pair("two writes have one revision", other, call)


def lost(calls: Iterable[Call], facts: Mapping[int, Fact]) -> list[str]:
    """Acknowledged writes that the store does not have at the revision that they were told.

    `facts` is the store's whole history since before the first call.
    """
    wrong = []
    for call in calls:
        if not call.acknowledged or not call.revision:
            continue
        wanted = Fact(call.key, None if call.verb is Verb.DELETE else call.value)
        found = facts.get(call.revision)
        if found != wanted:
            there = "nothing" if found is None else f"{found.key} = {found.value!r}"
            wrong.append(
                f"an acknowledged write is lost: at revision {call.revision} the store has "
                f"{there}\n  {story.line(call)}"
            )
    return wrong


def settled(calls: Iterable[Call], facts: Mapping[int, Fact]) -> list[Call]:
    """The calls without those writes of which the store shows that they never took effect: they
    had no answer, and what they would have written is nowhere. For values that are written once.
    """
    written = {fact.value for fact in facts.values()}
    return [
        call
        for call in calls
        if call.end != NEVER or call.verb is Verb.DELETE or not call.writes or call.value in written
    ]


def _pair(title: str, first: Call, second: Call) -> str:
    return f"{title}\n  {story.line(first)}\n  {story.line(second)}"
