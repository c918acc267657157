"""Informers: a local, indexed copy of a resource, and handlers that hear of its every change.

`Informers` shares one informer among all who ask for the same thing, so that a process lists,
watches and decodes each object once.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from cluster.aio import tasks
from cluster.api import objects
from cluster.client import indexer, reflector
from cluster.client.client import Client, Event


class Change(NamedTuple):
    """What happened to an object: added (`old` None), changed, or deleted (`new` None).

    `revision` is where it happened. With `final_unknown` a relist found the object gone: `old` is
    the last state seen, which may not be its last (client-go: DeletedFinalStateUnknown).
    """

    old: objects.Object | None
    new: objects.Object | None
    revision: int
    final_unknown: bool = False

    @property
    def object(self) -> objects.Object:
        """The new object, or the old one where it was deleted."""
        obj = self.new if self.new is not None else self.old
        if obj is None:
            raise ValueError("a change without an object")
        return obj

    @property
    def key(self) -> str:
        """The key of the object."""
        return objects.key(self.object)


Handler = Callable[[Change], None]


class Informer:
    """Follows a resource. Add indices and handlers at any time; `run` serves until cancelled.

    Handlers are plain functions and must not block: they add to a work queue. A handler that
    raises ends the informer, and with it the component: it is a fault, as in Kubernetes.
    """

    def __init__(
        self,
        client: Client,
        resource: str,
        *,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        indexers: Mapping[str, indexer.IndexFunction] | None = None,
        generator: random.Random | None = None,
    ) -> None:
        self.resource = resource
        self.store = indexer.Indexer(indexers)
        self._handlers: list[Handler] = []
        self._synced = asyncio.Event()
        seed = f"{resource}/{namespace}/{labels}/{fields}"
        self._reflector = reflector.Reflector(
            client,
            resource,
            self,
            generator or random.Random(seed),  # noqa: S311  (jitter)
            namespace=namespace,
            labels=labels,
            fields=fields,
        )

    @property
    def revision(self) -> int:
        """The store holds everything up to this revision."""
        return self._reflector.revision

    @property
    def has_synced(self) -> bool:
        """Whether the first list has arrived, and every handler has heard of it."""
        return self._synced.is_set()

    def on_change(self, handler: Handler) -> None:
        """Call `handler` for each change; at once, as additions, for what is there already."""
        self._handlers.append(handler)
        for obj in self.store.list():
            handler(Change(None, obj, objects.revision(obj)))

    async def synced(self) -> None:
        """Wait until the first list has arrived. The caller sets the deadline."""
        await self._synced.wait()

    async def run(self) -> None:
        """Follow the resource until cancelled."""
        await self._reflector.run()

    def replace(self, items: Sequence[objects.Object], revision: int) -> None:
        """Take a list (reflector.Sink): tell handlers what differs from what was known."""
        listed = {objects.key(item): item for item in items}
        gone = [key for key in self.store if key not in listed]
        for key in gone:
            old = self.store.pop(key)
            self._tell(Change(old, None, revision, final_unknown=True))
        for key, item in listed.items():
            known = self.store.get(key)
            if known is None or objects.revision(known) != objects.revision(item):
                self._put(item, objects.revision(item))
        self._synced.set()

    def apply(self, events: Sequence[Event]) -> None:
        """Take events (reflector.Sink)."""
        for event in events:
            if event.type == "DELETED":
                old = self.store.pop(objects.key(event.object))
                self._tell(Change(event.object or old, None, event.revision))
            else:
                self._put(event.object, event.revision)

    def _put(self, item: objects.Object, revision: int) -> None:
        """Store an object; one that was deleted and made again is told of as both.

        Its managedFields are let go: they are half of an object and no component reads them, and
        the API server keeps them where an update leaves them out.
        """
        metadata = objects.meta(item)
        if "managedFields" in metadata:
            del metadata["managedFields"]
        old = self.store.put(item)
        if old is not None and objects.uid(old) != objects.uid(item):
            self._tell(Change(old, None, revision, final_unknown=True))
            old = None
        self._tell(Change(old, item, revision))

    def _tell(self, change: Change) -> None:
        for handler in self._handlers:
            handler(change)


class Informers:
    """Shares informers: the same resource with the same selection is one informer.

    `generator` seeds the jitter of retries; give each process its own, so that those who lost the
    API together do not come back together.
    """

    def __init__(self, client: Client, generator: random.Random | None = None) -> None:
        self._client = client
        self._random = generator
        self._informers: dict[tuple[str, str, str, str], Informer] = {}
        self._started: dict[tuple[str, str, str, str], asyncio.Task[None]] = {}
        self._group: tasks.Group | None = None

    def get(
        self,
        resource: str,
        *,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        indexers: Mapping[str, indexer.IndexFunction] | None = None,
    ) -> Informer:
        """The informer for this selection, with these indices added to it.

        ValueError where an index of that name exists with another function. One asked for after
        `start` is started at once.
        """
        known = (resource, namespace, labels, fields)
        found = self._informers.get(known)
        if found is None:
            seed = random.Random(self._random.random()) if self._random else None  # noqa: S311
            found = self._informers[known] = Informer(
                self._client,
                resource,
                namespace=namespace,
                labels=labels,
                fields=fields,
                generator=seed,
            )
        for name, function in (indexers or {}).items():
            found.store.add_index(name, function)
        if self._group is not None:
            self._start_new(self._group)
        return found

    def discard(self, resource: str) -> None:
        """Follow a resource no longer: it is not served any more, and nothing is left of it."""
        for known in [known for known in self._informers if known[0] == resource]:
            found = self._informers.pop(known)
            found.replace([], found.revision)
            task = self._started.pop(known, None)
            if task is not None:
                task.cancel()

    def start(self, group: tasks.Group) -> None:
        """Run every informer as a task of `group`."""
        self._group = group
        self._start_new(group)

    async def synced(self) -> None:
        """Wait until every informer has its first list. The caller sets the deadline."""
        for found in list(self._informers.values()):
            await found.synced()

    def _start_new(self, group: tasks.Group) -> None:
        for known, found in self._informers.items():
            if known not in self._started:
                self._started[known] = group.spawn(found.run(), f"informer/{known[0]}")
