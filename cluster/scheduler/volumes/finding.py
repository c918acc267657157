"""Volumes for the claims of a pod: where there are some, and which, on the node that is chosen."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cluster.api import objects, quantity, selectors
from cluster.api.objects import Object
from cluster.api.persistentvolumes import facts
from cluster.scheduler.framework.points import Codes
from cluster.scheduler.nodes.columns import Mask, Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.volumes.places import Places
from cluster.scheduler.volumes.podclaims import PodClaims
from cluster.scheduler.volumes.store import CSI_DRIVERS, VolumeStore

NODE_CONFLICT, BIND_CONFLICT, NO_SPACE, NO_VOLUME = 1, 2, 4, 8
REASONS: Final = {
    NODE_CONFLICT: "node(s) had volume node affinity conflict",
    BIND_CONFLICT: "node(s) didn't find available persistent volumes to bind",
    NO_SPACE: "node(s) did not have enough free storage",
    NO_VOLUME: "pvc(s) bound to non-existent pv(s)",
}
"""By bit of a code, in the order in which they are told."""
_NONE: Final = -1


@dataclass(slots=True)
class Found:
    """What a pod's claims get on one node: volumes that are there, and some to be made."""

    bindings: list[tuple[Object, Object]] = field(default_factory=list)
    """Volume and claim."""
    provisions: list[Object] = field(default_factory=list)
    """Claims."""


def judge(claims: PodClaims, store: VolumeStore, nodes: NodeTable, rows: Rows) -> Codes:
    """What is wrong with each of the rows: bits of REASONS, 0 where all claims are served."""
    search = _Search(store, nodes, rows)
    search.check_bound(claims.bound)
    search.find(claims.delayed)
    return search.codes


def choose(claims: PodClaims, store: VolumeStore, nodes: NodeTable, row: int) -> Found | None:
    """What the claims get on one row; None where that changed since it was judged."""
    search = _Search(store, nodes, np.array([row], np.intp))
    search.find(claims.delayed)
    if search.codes[0]:
        return None
    found = Found()
    for claim, candidates, chosen in search.matches:
        at = int(chosen[0])
        if at == _NONE:
            found.provisions.append(claim)
        else:
            found.bindings.append((candidates[at], claim))
    found.provisions += search.selected
    return found


class _Search:
    """One pod's claims over some rows."""

    def __init__(self, store: VolumeStore, nodes: NodeTable, rows: Rows) -> None:
        self._store = store
        self._nodes = nodes
        self._rows = rows
        self._places = Places(nodes, rows, store.hosts)
        self._used: dict[str, set[int]] = {}
        self.codes: Codes = np.zeros(len(rows), np.int64)
        self.matches: list[tuple[Object, list[Object], NDArray[np.int64]]] = []
        self.selected: list[Object] = []
        """Claims that were to be provisioned on a node before."""

    def check_bound(self, claims: list[Object]) -> None:
        """Volumes that claims have already must be usable on the node."""
        for claim in claims:
            volume = self._store.volumes.get(objects.spec(claim).get("volumeName") or "")
            if volume is None:
                self.codes |= NO_VOLUME
            else:
                self.codes[~self._places.mask_of(volume)] |= NODE_CONFLICT

    def find(self, claims: list[Object]) -> None:
        """Volumes for claims that have none, the smallest claims first."""
        for claim in sorted(claims, key=facts.requested):
            chosen = objects.annotations(claim).get(facts.SELECTED_NODE)
            if chosen is None:
                self._match(claim)
                continue
            row = self._nodes.row(chosen)
            self.codes[self._rows != (_NONE if row is None else row)] |= BIND_CONFLICT
            self.selected.append(claim)
            self._provide(claim, np.ones(len(self._rows), np.bool_))

    def _match(self, claim: Object) -> None:
        chosen: NDArray[np.int64] = np.full(len(self._rows), _NONE, np.int64)
        candidates: list[Object] = []
        reserved = self._store.volumes.reserved(claim)
        source = self._store.volumes.free(claim) if reserved is None else iter((reserved,))
        left = len(self._rows)
        while left and (volume := next(source, None)) is not None:
            left -= self._take(volume, len(candidates), chosen)
            candidates.append(volume)
        self.matches.append((claim, candidates, chosen))
        self._provide(claim, chosen == _NONE)

    def _take(self, volume: Object, index: int, chosen: NDArray[np.int64]) -> int:
        """Choose the volume wherever it can be used and nothing smaller was; says how often."""
        where = self._places.of(volume)
        positions = where if isinstance(where, list) else np.flatnonzero(where).tolist()
        used = self._used.get(objects.name(volume), ())
        taken = [at for at in positions if chosen[at] == _NONE and at not in used]
        if taken:
            chosen[taken] = index
            self._used.setdefault(objects.name(volume), set()).update(taken)
        return len(taken)

    def _provide(self, claim: Object, wanted: Mask) -> None:
        """Where no volume was found one has to be made."""
        if not wanted.any():
            return
        kind = self._store.storage_class(facts.class_of(claim)) or {}
        provisioner = kind.get("provisioner") or ""
        if provisioner in ("", facts.NO_PROVISIONER):
            self.codes[wanted] |= BIND_CONFLICT
            return
        able = self._places.within(kind.get("allowedTopologies") or ())
        self.codes[wanted & ~able] |= BIND_CONFLICT
        room = self._room(claim, provisioner)
        if room is not None:
            self.codes[wanted & able & ~room] |= NO_SPACE

    def _room(self, claim: Object, driver: str) -> Mask | None:
        """Where a driver that says how much it has left has enough; None where it does not say."""
        known = self._store.stored(CSI_DRIVERS, driver)
        if known is None or not objects.spec(known).get("storageCapacity"):
            return None
        wanted = facts.requested(claim)
        found: Mask = np.zeros(len(self._rows), np.bool_)
        for one in self._store.capacities.get(facts.class_of(claim), {}).values():
            limit = volume_limit(one)
            if limit is not None and limit >= wanted:
                found |= self._reached(one)
        return found

    def _reached(self, capacity: Object) -> Mask:
        topology = capacity.get("nodeTopology")
        if topology is None:
            return np.zeros(len(self._rows), np.bool_)
        selector = selectors.of(topology)
        labels = (objects.labels(self._nodes.node(row)) for row in self._rows.tolist())
        return np.fromiter((selector.matches(each) for each in labels), np.bool_, len(self._rows))


def volume_limit(capacity: Object) -> quantity.Amount | None:
    """The largest volume that can be made of a CSIStorageCapacity."""
    amount = capacity.get("maximumVolumeSize") or capacity.get("capacity")
    return None if amount is None else quantity.parse(amount)
