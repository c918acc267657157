"""What a watcher or a list wants to see of a resource."""

from dataclasses import dataclass

from cluster.api import selectors
from cluster.apiserver import codec
from cluster.apiserver.watchcache import events
from cluster.apiserver.watchcache.entry import Entry
from cluster.apiserver.watchcache.events import Event

_INDEXED = ("metadata.name", "spec.nodeName")


@dataclass(frozen=True, slots=True)
class Selection:
    """Objects of a namespace ("": all) that match both selectors."""

    namespace: str = ""
    labels: selectors.Selector = selectors.EVERYTHING
    fields: selectors.Selector = selectors.EVERYTHING

    @property
    def everything(self) -> bool:
        """Whether every object of the resource is selected."""
        return not self.namespace and self.labels.empty and self.fields.empty

    @property
    def selective(self) -> bool:
        """Whether a selector leaves out objects of the namespace."""
        return not (self.labels.empty and self.fields.empty)

    def matches(self, entry: Entry) -> bool:
        """Whether an object is selected."""
        if self.namespace and entry.namespace != self.namespace:
            return False
        if not self.labels.empty and not self.labels.matches(entry.labels):
            return False
        return self.fields.empty or self.fields.matches(entry.fields)

    def pinned(self) -> tuple[str, str]:
        """The field label and value that every selected object has; ("", "") if none is known.

        Watchers are found by it, so that an event asks only those that it can concern.
        """
        for label in _INDEXED:
            value = self.fields.exact(label)
            if value is not None:
                return label, value
        return ("metadata.namespace", self.namespace) if self.namespace else ("", "")

    def view(self, event: Event) -> Event | None:
        """The event as seen through the selection: objects enter and leave it. None: unseen."""
        entry, previous = event.entry, event.previous
        now = entry is not None and self.matches(entry)
        before = previous is not None and self.matches(previous)
        if now and entry is not None:
            if before or event.type == events.ADDED:
                return event
            return Event(events.ADDED, entry.json, event.revision, entry, previous)
        if before and previous is not None:
            if event.type == events.DELETED:
                return event
            last = codec.at_revision(previous.json, event.revision)
            return Event(events.DELETED, last, event.revision, None, previous)
        return None
