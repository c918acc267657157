"""Claims, volumes, classes and drivers, as the API has them and as pods on their way assume them.

An assumption holds until the API tells of a newer state, or until it is taken back.
"""

from collections.abc import Mapping
from typing import Any, Final

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
        self.limits: dict[str, dict[str, int]] = {}
        """How many volumes of a CSI driver a node can have, by driver and node."""
        self.hosts: dict[str, tuple[str, tuple[str, ...]]] = {}
        """By volume, the one label whose values say where it can be used, if that is all."""
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
            self.hosts.pop(key, None)
            host = _host(obj)
            if host is not None:
                self.hosts[key] = host
        elif resource == CLAIMS:
            self._outdate(key, obj)
        elif resource == CSI_NODES:
            self._limit(key, obj)
        elif resource == CAPACITIES:
            self.capacities.setdefault(obj.get("storageClassName") or "", {})[key] = obj

    def remove(self, resource: str, obj: Object) -> None:
        """An object is gone."""
        key = objects.key(obj)
        self._api[resource].pop(key, None)
        self.generation += 1
        if resource == VOLUMES:
            self.volumes.remove(key)
            self.hosts.pop(key, None)
        elif resource == CLAIMS:
            self._assumed_claims.pop(key, None)
        elif resource == CSI_NODES:
            self._limit(key, {})
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

    def _limit(self, node: str, csi_node: Object) -> None:
        for driver in [driver for driver, nodes in self.limits.items() if node in nodes]:
            del self.limits[driver][node]
            if not self.limits[driver]:
                del self.limits[driver]
        for driver, count in limits_of(csi_node).items():
            self.limits.setdefault(driver, {})[node] = count

    def _outdate(self, key: str, stored: Object) -> None:
        assumed = self._assumed_claims.get(key)
        if assumed is None:
            return
        same = objects.uid(assumed) == objects.uid(stored)
        if not same or objects.revision(stored) > objects.revision(assumed):
            del self._assumed_claims[key]


def limits_of(csi_node: Object) -> dict[str, int]:
    """How many volumes of each driver a CSINode says that its node can have."""
    found = {}
    for driver in objects.spec(csi_node).get("drivers") or ():
        count = (driver.get("allocatable") or {}).get("count")
        if count is not None:
            found[driver.get("name") or ""] = count
    return found


def _host(volume: Object) -> tuple[str, tuple[str, ...]] | None:
    """The label and its values, where a volume's node affinity is no more than that."""
    required = (objects.spec(volume).get("nodeAffinity") or {}).get("required") or {}
    terms: list[Mapping[str, Any]] = required.get("nodeSelectorTerms") or []
    only = terms[0] if len(terms) == 1 else {}
    expressions: list[Mapping[str, Any]] = only.get("matchExpressions") or []
    if only.get("matchFields") or len(expressions) != 1 or expressions[0].get("operator") != "In":
        return None
    values = dict.fromkeys(expressions[0].get("values") or ())
    return expressions[0].get("key") or "", tuple(values)
