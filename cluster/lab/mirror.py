"""What the store holds, as the lab's own eyes see it: fed by the store, not by the API server.

So scenarios and invariants see the state even while the API server is down, and see every single
revision, which a watch may join.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from cluster.api import objects
from cluster.apiserver import codec
from cluster.client import decoding
from cluster.storage import interface as storage

_decode = msgspec.json.Decoder().decode


class Change(NamedTuple):
    """One object at one revision. `old` and `new` are None where there was or is none.

    They are as components see them, without managedFields, and say no resourceVersion: what all
    changes of a resource are decoded for has to be cheap.
    """

    revision: int
    resource: str
    key: str
    old: objects.Object | None
    new: objects.Object | None


Observer = Callable[[Change], None]


class _Kept:
    """A record, decoded when it is first asked for."""

    __slots__ = ("_object", "_shown", "record")

    def __init__(self, record: storage.Record) -> None:
        self.record = record
        self._object: objects.Object | None = None
        self._shown: objects.Object | None = None

    @property
    def shown(self) -> objects.Object:
        """The object as a `Change` shows it."""
        if self._shown is None:
            self._shown = decoding.lean(self.record.value)
        return self._shown

    @property
    def object(self) -> objects.Object:
        if self._object is None:
            obj: dict[str, Any] = _decode(self.record.value)
            obj["metadata"]["resourceVersion"] = str(self.record.revision)
            self._object = obj
        return self._object


class Mirror:
    """The newest state of every object. Objects are shared and read-only."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, _Kept]] = {}
        self._observers: dict[str, list[Observer]] = {}
        self.revision = 0

    def observe(self, resource: str, observer: Observer) -> None:
        """Show `observer` each later change of a resource, as it becomes durable."""
        self._observers.setdefault(resource, []).append(observer)

    def take(self, events: Sequence[storage.Event]) -> None:
        """Take events of the store (storage.interface.Sink)."""
        for event in events:
            self._one(event)

    def get(self, resource: str, name: str, namespace: str = "") -> objects.Object | None:
        """One object, or None."""
        found = self._kept.get(resource, {}).get(codec.key(resource, namespace, name))
        return found.object if found is not None else None

    def list(
        self, resource: str, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> list[objects.Object]:
        """The objects of a resource in the order of their keys, those with all these labels."""
        kept = self._kept.get(resource, {})
        prefix = codec.prefix(resource, namespace)
        found = [kept[key].object for key in sorted(kept) if key.startswith(prefix)]
        wanted = (labels or {}).items()
        return [obj for obj in found if wanted <= objects.labels(obj).items()] if wanted else found

    @property
    def resources(self) -> Sequence[str]:
        """The resources of which there is or was an object, in the order of their first."""
        return [*self._kept]

    def _one(self, event: storage.Event) -> None:
        self.revision = event.revision
        resource, namespace, name = codec.split(event.key)
        kept = self._kept.setdefault(resource, {})
        before = kept.pop(event.key, None)
        after = None
        if event.record is not None:
            after = kept[event.key] = _Kept(event.record)
        observers = self._observers.get(resource)
        if observers:
            key = f"{namespace}/{name}" if namespace else name
            old = before.shown if before else None
            change = Change(event.revision, resource, key, old, after.shown if after else None)
            for observer in observers:
                observer(change)
