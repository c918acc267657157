"""Which volume suits a claim best: the smallest that is large enough.

Volumes that nobody has are kept sorted by size within their class, volume mode and access modes,
so that a claim looks at those alone that may suit it.
"""

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import chain, groupby
from typing import Final

from cluster.api import objects, quantity, selectors
from cluster.api.objects import Object
from cluster.api.persistentvolumes import facts

_Place = tuple[str, str, tuple[str, ...]]
_Sized = tuple[quantity.Amount, str]
_AVAILABLE: Final = "Available"


class Volumes:
    """All volumes, by name, and found by what claims look for."""

    def __init__(self) -> None:
        self._volumes: dict[str, Object] = {}
        self._free: dict[tuple[str, str], dict[tuple[str, ...], list[_Sized]]] = {}
        self._for_claim: dict[str, dict[str, None]] = {}
        self._taken: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._volumes)

    def get(self, name: str) -> Object | None:
        """A volume."""
        return self._volumes.get(name)

    def put(self, volume: Object) -> None:
        """A volume is new or changed; an older state than the known one is passed over."""
        name = objects.name(volume)
        known = self._volumes.get(name)
        if known is not None:
            same = objects.uid(known) == objects.uid(volume)
            if same and objects.revision(volume) < objects.revision(known):
                return
            self.remove(name)
        self._volumes[name] = volume
        claim = facts.claim_of(volume)
        if claim:
            self._for_claim.setdefault(claim, {})[name] = None
        elif _free(volume):
            place = _place(volume)
            modes = self._free.setdefault(place[:2], {})
            insort(modes.setdefault(place[2], []), (facts.capacity(volume), name))

    def remove(self, name: str) -> None:
        """A volume is gone."""
        volume = self._volumes.pop(name, None)
        if volume is None:
            return
        claim = facts.claim_of(volume)
        if claim:
            self._for_claim[claim].pop(name, None)
            if not self._for_claim[claim]:
                del self._for_claim[claim]
        elif _free(volume):
            self._forget_free(volume, name)

    def take(self, name: str, claim_uid: str) -> None:
        """While a claim is being bound to the volume, nobody else gets it."""
        self._taken[name] = claim_uid

    def give_back(self, name: str) -> None:
        """It is decided who has the volume, and the volume says so."""
        self._taken.pop(name, None)

    def of_claim(self, key: str) -> list[str]:
        """The names of the volumes whose claimRef names a claim."""
        return [*self._for_claim.get(key, ())]

    def meant_for(self, claim: Object) -> Iterator[Object]:
        """The volumes that are bound to the claim or reserved for it, whatever they hold."""
        for name in self._for_claim.get(objects.key(claim), ()):
            volume = self._volumes[name]
            if facts.bound_to(volume, claim):
                yield volume

    def reserved(self, claim: Object) -> Object | None:
        """A volume that is meant for the claim and large enough for it."""
        wanted, mode = facts.requested(claim), facts.mode_of(claim)
        for volume in self.meant_for(claim):
            fits = facts.capacity(volume) >= wanted and facts.mode_of(volume) == mode
            if fits and not objects.deleting(volume):
                return volume
        return None

    def free(self, claim: Object) -> Iterator[Object]:
        """The volumes that nobody has and that suit the claim, the smallest first."""
        yield from self._suiting(claim, heapq.merge(*chain.from_iterable(self._levels(claim))))

    def best(self, claim: Object, *, delayed: bool) -> Object | None:
        """What the controller binds a claim to; `delayed`: the scheduler chooses among the free.

        Volumes with the fewest access modes come first, as in Kubernetes, and the smallest of
        those. (Of sets of as many modes, Kubernetes takes any first: the order is a Go map's.)
        """
        asked = facts.access_modes(claim)
        reserved = self.reserved(claim)
        if reserved is not None and {*asked} <= {*facts.access_modes(reserved)}:
            return reserved
        if delayed:
            return None
        for level in self._levels(claim):
            for volume in self._suiting(claim, heapq.merge(*level)):
                return volume
        return None

    def _levels(self, claim: Object) -> Iterator[list[list[_Sized]]]:
        """The free volumes that are large enough: for each number of access modes, fewest first,
        a list for each set of them.
        """
        modes = self._free.get((facts.class_of(claim), facts.mode_of(claim))) or {}
        asked, size = {*facts.access_modes(claim)}, facts.requested(claim)
        able = sorted((each for each in modes if asked <= {*each}), key=lambda m: (len(m), m))
        for _, alike in groupby(able, key=len):
            yield [modes[each][bisect_left(modes[each], (size, "")) :] for each in alike]

    def _suiting(self, claim: Object, sized: Iterator[_Sized]) -> Iterator[Object]:
        wanted = objects.spec(claim).get("selector")
        selector = selectors.EVERYTHING if wanted is None else selectors.of(wanted)
        uid = objects.uid(claim)
        for _, name in sized:
            if self._taken.get(name, uid) != uid:
                continue
            volume = self._volumes[name]
            if selector.empty or selector.matches(objects.labels(volume)):
                yield volume

    def _forget_free(self, volume: Object, name: str) -> None:
        place = _place(volume)
        modes = self._free[place[:2]]
        listed = modes[place[2]]
        del listed[bisect_left(listed, (facts.capacity(volume), name))]
        if not listed:
            del modes[place[2]]
            if not modes:
                del self._free[place[:2]]


def _free(volume: Object) -> bool:
    """Whether anybody may have the volume. One that is not Available yet is not looked at."""
    available = objects.status(volume).get("phase") == _AVAILABLE
    return available and not objects.deleting(volume)


def _place(volume: Object) -> _Place:
    return facts.class_of(volume), facts.mode_of(volume), facts.access_modes(volume)
