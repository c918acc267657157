"""The service table of a node, and what changes in it: pure."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cluster.api import objects
from cluster.pb.cluster.v1 import dataplane_pb2 as pb
from cluster.proxy import entries

Table = dict[str, pb.ServicePort]
"""Entries by key."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What to put into a table, and the keys to take out."""

    put: tuple[pb.ServicePort, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.put or self.removed)


def compute(
    services: Iterable[Mapping[str, Any]],
    slices: Iterable[Mapping[str, Any]],
    node: str,
    zone: str = "",
) -> Table:
    """The whole table of a node."""
    keeper = Keeper(node)
    keeper.set_zone(zone)
    for service in services:
        keeper.set_service(dict(service))
    for one in slices:
        keeper.set_slice(dict(one))
    keeper.take()
    return keeper.table


class Keeper:
    """Keeps the table of a node while Services and slices come, change and go.

    Only the Services that changes touched are computed again, when `take` asks for the changes.
    """

    def __init__(self, node: str, others: Iterable[str] = ()) -> None:
        self._here = entries.Here(node, others=frozenset(others))
        self._services: dict[str, objects.Object] = {}
        self._slices: dict[str, dict[str, objects.Object]] = {}
        self._service_of: dict[str, str] = {}
        self._changed: dict[str, None] = {}
        self._keys: dict[str, tuple[str, ...]] = {}
        self._hinted: dict[str, None] = {}
        self.table: Table = {}

    def set_zone(self, zone: str) -> None:
        """The zone of the node was told, or changed."""
        if zone != self._here.zone:
            self._here = dataclasses.replace(self._here, zone=zone)
            self._changed.update((self._service_of[key], None) for key in self._hinted)

    @property
    def needs_zone(self) -> bool:
        """Whether there are slices that mean something else in another zone."""
        return bool(self._hinted)

    def set_service(self, service: objects.Object) -> None:
        """A Service appeared or changed."""
        key = objects.key(service)
        self._services[key] = service
        self._changed[key] = None

    def remove_service(self, key: str) -> None:
        """A Service is gone."""
        if self._services.pop(key, None) is not None:
            self._changed[key] = None

    def set_slice(self, one: objects.Object) -> None:
        """A slice appeared or changed. One that names no Service is passed over."""
        key = objects.key(one)
        name = objects.labels(one).get(entries.SERVICE_NAME)
        service = f"{objects.namespace(one)}/{name}" if name else ""
        if self._service_of.get(key, service) != service:
            self.remove_slice(key)
        if service:
            self._service_of[key] = service
            self._slices.setdefault(service, {})[key] = one
            self._changed[service] = None
            if entries.is_hinted(one):
                self._hinted[key] = None
            else:
                self._hinted.pop(key, None)

    def remove_slice(self, key: str) -> None:
        """A slice is gone."""
        service = self._service_of.pop(key, "")
        if not service:
            return
        self._hinted.pop(key, None)
        slices = self._slices[service]
        del slices[key]
        if not slices:
            del self._slices[service]
        self._changed[service] = None

    @property
    def changed(self) -> bool:
        """Whether there is anything to `take`."""
        return bool(self._changed)

    def take(self) -> Delta:
        """Bring the table up to date; the difference to what it was."""
        put: list[pb.ServicePort] = []
        removed: list[str] = []
        changed, self._changed = self._changed, {}
        for key in changed:
            self._recompute(key, put, removed)
        return Delta(tuple(put), tuple(removed))

    def _recompute(self, key: str, put: list[pb.ServicePort], removed: list[str]) -> None:
        service = self._services.get(key)
        slices = self._slices.get(key, {})
        new: Table = {}
        if service is not None:
            own = [slices[name] for name in sorted(slices)]
            new = {entry.key: entry for entry in entries.entries(service, own, self._here)}
        for gone in self._keys.pop(key, ()):
            if gone not in new:
                del self.table[gone]
                removed.append(gone)
        for name, entry in new.items():
            if self.table.get(name) != entry:
                self.table[name] = entry
                put.append(entry)
        if new:
            self._keys[key] = tuple(new)
