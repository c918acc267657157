"""Claims, volumes, classes and drivers, as the API has them and as pods on their way assume them.

An assumption holds until the API tells of a newer state, or until it is taken back.
"""

from typing import Final

from cluster.api import objects
from cluster.api.objects import Object
from cluster.api.persistentvolumes import facts
from cluster.api.persistentvolumes.matching import Volumes
from cluster.scheduler.volumes.waiting import Waiters

CLAIMS: Final = "persistentvolumeclaims"
VOLUMES: Final = "persistentvolumes"
CLASSES: Final = "storageclasses.storage.k8s.io"
CSI_NODES: Final = "csinodes.storage.k8s.io"
CSI_DRIVERS: Final = "csidrivers.storage.k8s.io"
CAPACITIES: Final = "csistoragecapacities.storage.k8s.io"
RESOURCES: Final = (CLAIMS, VOLUMES, CLASSES, CSI_NODES, CSI_DRIVERS, CAPACITIES)


class VolumeStore:
    """`generation` grows with each change, and with each assumption."""

    def __init__(self) -> None:
        self.generation = 0
        self.volumes = Volumes()
        """With assumptions."""
        self.capacities: dict[str, dict[str, Object]] = {}
        """CSIStorageCapacities by storage class, then by key."""
        self.waiters = Waiters()
        self._api: dict[str, dict[str, Object]] = {resource: {} for resource in RESOURCES}
        self._assumed_claims: dict[str, Object] = {}

    def set(self, resource: str, obj: Object) -> None:
        """An object is new or changed."""
        key = objects.key(obj)
        self._api[resource][key] = obj
        self.generation += 1
        if resource == VOLUMES:
            self.volumes.put(obj)
        elif resource == CLAIMS:
            self._outdate(key, obj)
        elif resource == CAPACITIES:
            self.capacities.setdefault(obj.get("storageClassName") or "", {})[key] = obj

    def remove(self, resource: str, obj: Object) -> None:
        """An object is gone."""
        key = objects.key(obj)
        self._api[resource].pop(key, None)
        self.generation += 1
        if resource == VOLUMES:
            self.volumes.remove(key)
        elif resource == CLAIMS:
            self._assumed_claims.pop(key, None)
        elif resource == CAPACITIES:
            self.capacities.get(obj.get("storageClassName") or "", {}).pop(key, None)

    def claim(self, key: str) -> Object | None:
        """A claim, with what is assumed of it."""
        return self._assumed_claims.get(key) or self._api[CLAIMS].get(key)

    def stored(self, resource: str, key: str) -> Object | None:
        """An object as the API has it."""
        return self._api[resource].get(key)

    def storage_class(self, name: str) -> Object | None:
        """A storage class."""
        return self._api[CLASSES].get(name)

    def csi_node(self, name: str) -> Object | None:
        """What a node says of the drivers on it."""
        return self._api[CSI_NODES].get(name)

    def waits_for_consumer(self, claim: Object) -> bool:
        """Whether the claim is bound, or provisioned, where the scheduler says."""
        found = self.storage_class(facts.class_of(claim))
        return found is not None and found.get("volumeBindingMode") == facts.WAIT

    def assume_volume(self, volume: Object) -> None:
        """From now on the volume has its claim."""
        self.volumes.put(volume)
        self.generation += 1

    def assume_claim(self, claim: Object) -> None:
        """From now on the claim has its node."""
        self._assumed_claims[objects.key(claim)] = claim
        self.generation += 1

    def restore_volume(self, name: str) -> None:
        """Take an assumption back."""
        stored = self._api[VOLUMES].get(name)
        if stored is not None:
            self.volumes.put(stored)
        self.generation += 1

    def restore_claim(self, key: str) -> None:
        """Take an assumption back."""
        self._assumed_claims.pop(key, None)
        self.generation += 1

    def _outdate(self, key: str, stored: Object) -> None:
        assumed = self._assumed_claims.get(key)
        if assumed is None:
            return
        same = objects.uid(assumed) == objects.uid(stored)
        if not same or objects.revision(stored) > objects.revision(assumed):
            del self._assumed_claims[key]
