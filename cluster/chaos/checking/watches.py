"""What watches told, against what was written: revisions rise, nothing is missing, nothing comes
twice, and who has to list again does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from cluster.chaos.checking.history import Seen
from cluster.chaos.checking.ordering import Fact


class Kind(Enum):
    """LISTED begins a watch, and begins it anew; EXPIRED is a 410: what follows is a list."""

    LISTED = "LISTED"
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"
    RESUMED = "RESUMED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that a watch told. `members` is what a list gave; RESUMED is a new connection
    from `revision` on.
    """

    kind: Kind
    revision: int
    key: str = ""
    value: str = ""
    members: Mapping[str, Seen] = field(default_factory=dict)


@dataclass(slots=True)
class Watch:
    """A client's watch of all objects whose keys begin with `prefix`, over all its connections."""

    name: str
    prefix: str
    told: list[Told] = field(default_factory=list)


def facts(watches: Sequence[Watch]) -> dict[int, Fact]:
    """What all the watches together saw, by revision."""
    found: dict[int, Fact] = {}
    for watch in watches:
        for each in watch.told:
            if each.kind in _CHANGES:
                gone = each.kind is Kind.DELETED
                found[each.revision] = Fact(each.key, None if gone else each.value)
    return found


_CHANGES = frozenset({Kind.ADDED, Kind.MODIFIED, Kind.DELETED})


def check(watch: Watch, written: Mapping[int, Fact]) -> list[str]:
    """What is wrong with a watch. `written` is everything that is known to have been written, by
    revision: acknowledged writes and what other watches saw, or the store's own history.
    """
    wanted = sorted(
        (revision, fact) for revision, fact in written.items() if fact.key.startswith(watch.prefix)
    )
    return [f"watch {watch.name}: {text}" for text in _Reading(wanted).read(watch.told)]


class _Reading:
    """Reads a watch from its beginning, beside what should be in it.

    `_at` is the first write that the watch has not passed yet, `_state` what is there by then.
    """

    def __init__(self, wanted: Sequence[tuple[int, Fact]]) -> None:
        self._wanted = wanted
        self._by_revision = dict(wanted)
        self._at = 0
        self._last = 0
        self._state: dict[str, str] = {}
        self._expired = False

    def read(self, told: Sequence[Told]) -> Iterator[str]:
        for each in told:
            if each.kind is Kind.LISTED:
                yield from self._listed(each)
            elif each.kind is Kind.EXPIRED:
                self._expired = True
            elif self._expired:
                yield f"goes on at revision {each.revision} after 410, without a list"
                self._expired = False
            elif each.kind is Kind.RESUMED:
                yield from self._resumed(each)
            else:
                yield from self._event(each)

    def _listed(self, listed: Told) -> Iterator[str]:
        self._expired = False
        if listed.revision < self._last:
            yield f"a list at revision {listed.revision} after events up to {self._last}"
        if not self._last:
            self._begin(listed)
            return
        while self._at < len(self._wanted) and self._wanted[self._at][0] <= listed.revision:
            self._pass()
        self._last = listed.revision
        shown = {key: seen.value for key, seen in listed.members.items()}
        for key in sorted({*shown, *self._state}):
            if shown.get(key) != self._state.get(key):
                yield (
                    f"the list at revision {listed.revision} has {key} = {shown.get(key)!r}, "
                    f"where {self._state.get(key)!r} was written"
                )
        self._state = shown

    def _begin(self, listed: Told) -> None:
        """The first list is believed: what was before is nobody's business."""
        self._last = listed.revision
        self._state = {key: seen.value for key, seen in listed.members.items()}
        while self._at < len(self._wanted) and self._wanted[self._at][0] <= listed.revision:
            self._at += 1

    def _resumed(self, each: Told) -> Iterator[str]:
        if each.revision != self._last:
            yield f"was resumed from revision {each.revision}, having come to {self._last}"

    def _event(self, each: Told) -> Iterator[str]:
        if each.kind is Kind.BOOKMARK:
            if each.revision < self._last:
                yield f"a bookmark at revision {each.revision} after {self._last}"
                return
            yield from self._missed(each.revision + 1)
            self._last = max(self._last, each.revision)
            return
        if each.revision <= self._last:
            how = "comes twice" if each.revision == self._last else f"comes after {self._last}"
            yield f"{each.kind.value} {each.key} at revision {each.revision} {how}"
            return
        yield from self._missed(each.revision)
        yield from self._fits(each)
        if self._at < len(self._wanted) and self._wanted[self._at][0] == each.revision:
            self._at += 1
        self._apply(each.key, None if each.kind is Kind.DELETED else each.value)
        self._last = each.revision

    def _missed(self, before: int) -> Iterator[str]:
        """What was written between the last event and revision `before`, and not told."""
        while self._at < len(self._wanted) and self._wanted[self._at][0] < before:
            revision, fact = self._wanted[self._at]
            yield f"a gap: {fact.key} = {fact.value!r} at revision {revision} was not told"
            self._pass()

    def _fits(self, each: Told) -> Iterator[str]:
        there = each.key in self._state
        if (each.kind is Kind.ADDED) is there:
            what = "is there already" if there else "is not there"
            yield f"{each.kind.value} {each.key} at revision {each.revision}, which {what}"
        fact = self._by_revision.get(each.revision)
        gone = each.kind is Kind.DELETED
        if fact is not None and fact != Fact(each.key, None if gone else each.value):
            yield (
                f"{each.kind.value} {each.key} = {each.value!r} at revision {each.revision}, "
                f"where {fact.key} = {fact.value!r} was written"
            )

    def _pass(self) -> None:
        fact = self._wanted[self._at][1]
        self._apply(fact.key, fact.value)
        self._at += 1

    def _apply(self, key: str, value: str | None) -> None:
        if value is None:
            self._state.pop(key, None)
        else:
            self._state[key] = value
