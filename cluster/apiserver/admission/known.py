"""Objects of which there are few, held decoded: classes, namespaces' annotations, limit ranges."""

from collections.abc import Iterator

from cluster.api import objects
from cluster.api.objects import Object
from cluster.apiserver.watchcache import events
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.entry import Entry
from cluster.apiserver.watchcache.events import Event


class Known:
    """The objects of one resource by namespace and name; each is decoded when first asked for.

    What it gives is shared and read-only.
    """

    def __init__(self, resource: str) -> None:
        self._resource = resource
        self._entries: dict[str, dict[str, Entry | Object]] = {}

    def open(self, cache: WatchCache) -> None:
        """Follow the resource."""
        cache.of(self._resource).observe(self._follow)

    def get(self, name: str, namespace: str = "") -> Object | None:
        """One object."""
        within = self._entries.get(namespace)
        found = within.get(name) if within is not None else None
        if found is None or within is None:
            return None
        if isinstance(found, Entry):
            found = within[name] = found.document()
        return found

    def within(self, namespace: str = "") -> Iterator[Object]:
        """The objects of a namespace, by name."""
        for name in sorted(self._entries.get(namespace) or ()):
            found = self.get(name, namespace)
            if found is not None:
                yield found

    def any_in(self, namespace: str) -> bool:
        """Whether a namespace has some: asked for every pod, so it costs a look-up."""
        return namespace in self._entries

    def _follow(self, event: Event) -> None:
        if event.type == events.DELETED and event.previous is not None:
            gone = event.previous
            within = self._entries.get(gone.namespace, {})
            within.pop(gone.name, None)
            if not within:
                self._entries.pop(gone.namespace, None)
        elif event.entry is not None:
            self._entries.setdefault(event.entry.namespace, {})[event.entry.name] = event.entry


def marked_default(classes: Known, *annotations: str) -> Object | None:
    """The class that an annotation makes the default: of several the newest, then the first by
    name, as Kubernetes chooses.
    """
    marked = [
        found
        for found in classes.within()
        if any(objects.annotations(found).get(key) == "true" for key in annotations)
    ]
    newest = max((str(objects.meta(f).get("creationTimestamp") or "") for f in marked), default="")
    for found in marked:
        if (objects.meta(found).get("creationTimestamp") or "") == newest:
            return found
    return None
