"""Changes of storage objects as cluster events."""

from typing import Final

from cluster.api import objects
from cluster.scheduler.framework.events import Event, Occurrence
from cluster.scheduler.volumes import store
from cluster.scheduler.volumes.store import VolumeStore

_EVENTS: Final[dict[str, tuple[Event | None, Event | None]]] = {
    store.CLAIMS: (Event.CLAIM_ADD, Event.CLAIM_UPDATE),
    store.VOLUMES: (Event.VOLUME_ADD, Event.VOLUME_UPDATE),
    store.CLASSES: (Event.STORAGE_CLASS_ADD, Event.STORAGE_CLASS_UPDATE),
    store.CSI_NODES: (Event.CSI_NODE_ADD, Event.CSI_NODE_UPDATE),
    store.CSI_DRIVERS: (None, Event.CSI_DRIVER_UPDATE),
    store.CAPACITIES: (Event.CSI_CAPACITY_ADD, Event.CSI_CAPACITY_UPDATE),
}


def take(
    known: VolumeStore, resource: str, old: objects.Object | None, new: objects.Object | None
) -> Occurrence | None:
    """Take a change into the store, and wake who waits for it; the event that it is."""
    gone = new is None
    found = old if new is None else new
    if found is None:
        return None
    if gone:
        known.remove(resource, found)
    else:
        known.set(resource, found)
    if resource in (store.CLAIMS, store.VOLUMES):
        known.waiters.wake(objects.key(found))
    added, updated = _EVENTS[resource]
    event = added if old is None else updated
    return None if gone or event is None else Occurrence(event, old, new)
