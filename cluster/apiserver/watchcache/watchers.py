"""The selections of one resource that somebody watches, and which of them an event can concern."""

from collections.abc import Iterable, Sequence

from cluster.apiserver.watchcache.events import Event
from cluster.apiserver.watchcache.feed import Feed
from cluster.apiserver.watchcache.selection import Selection


class Watched:
    """One watched selection: its feed, and the watchers that share it."""

    __slots__ = ("feed", "fresh", "pin", "selection", "watchers")

    def __init__(self, selection: Selection, capacity: int) -> None:
        self.selection = selection
        self.pin = selection.pinned()
        self.feed = Feed(capacity)
        self.watchers = 0
        self.fresh: list[Event] = []


class Watchers:
    """Watched selections, found by what pins them (`spec.nodeName=a`), so that an event is not
    shown to a thousand nodes' watchers to find the one that it is for.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._all: dict[Selection, Watched] = {}
        self._pinned: dict[str, dict[str, dict[Watched, None]]] = {}

    def __len__(self) -> int:
        return sum(watched.watchers for watched in self._all.values())

    def join(self, selection: Selection) -> Watched:
        """The watched selection, with one watcher more."""
        watched = self._all.get(selection)
        if watched is None:
            watched = self._all[selection] = Watched(selection, self._capacity)
            label, value = watched.pin
            self._pinned.setdefault(label, {}).setdefault(value, {})[watched] = None
        watched.watchers += 1
        return watched

    def leave(self, watched: Watched) -> None:
        """One watcher less; the last one takes the selection away."""
        watched.watchers -= 1
        if watched.watchers or self._all.get(watched.selection) is not watched:
            return
        del self._all[watched.selection]
        label, value = watched.pin
        same = self._pinned[label]
        del same[value][watched]
        if not same[value]:
            del same[value]
        if not same:
            del self._pinned[label]

    def finish(self) -> None:
        """End every watch: the resource is gone."""
        finished = list(self._all.values())
        self._all, self._pinned = {}, {}
        for watched in finished:
            watched.feed.finish()

    def publish(self, fresh: Sequence[Event]) -> None:
        """Show events to the selections that they can concern, and wake their watchers."""
        touched: dict[Watched, None] = {}
        for event in fresh:
            for watched in self._concerned(event):
                seen = watched.selection.view(event)
                if seen is not None:
                    watched.fresh.append(seen)
                    touched[watched] = None
        for watched in touched:
            events, watched.fresh = watched.fresh, []
            watched.feed.append(events)

    def forget(self, revision: int) -> None:
        """Let go of events up to a revision."""
        for watched in self._all.values():
            watched.feed.forget(revision)

    def mark(self, revision: int) -> None:
        """Offer every watcher a bookmark."""
        for watched in self._all.values():
            watched.feed.mark(revision)

    def _concerned(self, event: Event) -> Iterable[Watched]:
        concerned: dict[Watched, None] = {}
        for label, by_value in self._pinned.items():
            if not label:
                concerned |= by_value[""]
                continue
            for entry in (event.entry, event.previous):
                if entry is not None:
                    concerned |= by_value.get(entry.field(label), {})
        return concerned
