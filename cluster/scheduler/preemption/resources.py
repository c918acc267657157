"""The dry run where resources alone are in the way: many nodes at once, in numpy.

Victims lie in arrays of shape (places, nodes), the first to be reprieved first; a place that a
node does not need is empty.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.columns import Ints, Mask, Rows
from cluster.scheduler.nodes.residents import Residents
from cluster.scheduler.plugins.resourceneed import Need
from cluster.scheduler.pods import PodInfo
from cluster.scheduler.preemption.budgets import Budgets
from cluster.scheduler.preemption.choice import NEVER_NEGATIVE, Candidate, Harm
from cluster.scheduler.requests import PODS

_LOWEST = np.iinfo(np.int64).min


@dataclass(slots=True)
class _Places:
    """What could be evicted: `pod` is the index in the node's residents."""

    taken: Mask
    pod: Ints
    priority: Ints
    start: NDArray[np.float64]
    requests: Ints
    """(places, needs, nodes)."""
    violating: Mask


@dataclass(frozen=True, slots=True)
class DryRun:
    """What came of it, by node: `lonely` has no victims, `short` still is too small without them.

    `codes` says what a short node lacks, in the bits of the need.
    """

    rows: Rows
    residents: Sequence[Residents]
    lonely: Mask
    short: Mask
    codes: Ints
    places: _Places
    evicted: Mask

    @property
    def works(self) -> Mask:
        """On which nodes the pod would fit."""
        return np.asarray(~self.lonely & ~self.short)

    def harm(self, at: Rows) -> Harm:
        """The harm that it does on nodes where it works."""
        evicted = self.evicted[:, at]
        priority = np.where(evicted, self.places.priority[:, at], _LOWEST)
        highest = priority.max(axis=0)
        first = evicted & (priority == highest)
        return Harm(
            (evicted & self.places.violating[:, at]).sum(axis=0),
            highest,
            np.where(evicted, priority + NEVER_NEGATIVE, 0).sum(axis=0),
            evicted.sum(axis=0),
            np.where(first, self.places.start[:, at], np.inf).min(axis=0),
        )

    def candidate(self, at: int, node: str) -> Candidate:
        """The node and its victims."""
        evicted = self.evicted[:, at]
        chosen = sorted(self.places.pod[evicted, at].tolist())
        victims = tuple(self.residents[at].pods[index] for index in chosen)
        return Candidate(node, victims, int((evicted & self.places.violating[:, at]).sum()))


def dry_run(pod: PodInfo, need: Need, rows: Rows, cache: Cache, budgets: Budgets) -> DryRun:
    """Evict all pods of a lower priority from each node; then let stay whoever can.

    Those whose eviction would violate a budget are let stay before the others, and within both
    the more important before the less.
    """
    names = cache.table.names()
    found = cache.residents_of([names[row] for row in rows.tolist()])
    places = _places(pod.priority, need, found, budgets)
    free = _free(pod, need, rows, cache) + places.requests.sum(axis=0)
    lacking = need.amounts > free
    left = free - need.amounts
    evicted = np.zeros_like(places.taken)
    short = lacking.any(axis=0)
    for place in range(len(places.taken)):
        asked = places.requests[place]
        stays = (asked <= left).all(axis=0)
        left -= np.where(stays, asked, 0)
        evicted[place] = places.taken[place] & ~stays
    return DryRun(
        rows, found, ~(evicted | (places.taken & short)).any(axis=0), short, need.bits @ lacking,
        places, evicted,
    )  # fmt: skip


def _free(pod: PodInfo, need: Need, rows: Rows, cache: Cache) -> Ints:
    """What each node has left for the pod, (needs, nodes), once its nominated pods are there."""
    table = cache.table
    free: Ints = table.allocatable[need.columns, rows] - table.requested[need.columns, rows]
    if len(cache.nominations):
        names = table.names()
        nodes = [names[row] for row in rows.tolist()]
        needs, places, amounts = [], [], []
        for place, one in cache.nominations.heeded(nodes, pod.priority):
            for name, amount in ((PODS, 1), *one.requests.amounts):
                if name in need.places:
                    needs.append(need.places[name])
                    places.append(place)
                    amounts.append(amount)
        np.subtract.at(free, (needs, places), amounts)
    return free


def _places(priority: int, need: Need, found: Sequence[Residents], budgets: Budgets) -> _Places:
    counts = np.array([len(one.pods) for one in found], np.int64)
    node = np.repeat(np.arange(len(found)), counts)
    index = _within(counts)
    priorities = np.concatenate([one.priorities for one in found])
    lower = priorities < priority
    node, index, priorities = node[lower], index[lower], priorities[lower]
    starts = np.concatenate([one.starts for one in found])[lower]
    requests = np.concatenate([one.requests for one in found])[lower][:, need.columns[:, 0]]
    counts = np.bincount(node, minlength=len(found))
    place = _within(counts)
    violating = np.zeros(len(node), np.bool_)
    if budgets:
        violating = _violating(found, node, index, budgets)
        order = np.lexsort((index, ~violating, node))
        node, index, priorities = node[order], index[order], priorities[order]
        starts, requests, violating = starts[order], requests[order], violating[order]
    shape = (int(counts.max(initial=0)), len(found))
    places = _Places(
        np.zeros(shape, np.bool_), np.zeros(shape, np.int64), np.full(shape, _LOWEST),
        np.full(shape, np.inf), np.zeros((shape[0], len(need.columns), shape[1]), np.int64),
        np.zeros(shape, np.bool_),
    )  # fmt: skip
    places.taken[place, node] = True
    places.pod[place, node] = index
    places.priority[place, node] = priorities
    places.start[place, node] = starts
    places.requests[place, :, node] = requests
    places.violating[place, node] = violating
    return places


def _violating(found: Sequence[Residents], node: Ints, index: Ints, budgets: Budgets) -> Mask:
    """Which of the victims, node by node, a budget would have to be violated for."""
    flags: list[bool] = []
    bounds = np.searchsorted(node, np.arange(len(found) + 1))
    for at, one in enumerate(found):
        mine = index[bounds[at] : bounds[at + 1]].tolist()
        flags.extend(budgets.violated(one.pods[each] for each in mine))
    return np.array(flags, np.bool_)


def _within(counts: Ints) -> Ints:
    """0, 1, 2… for each group of so many."""
    total = int(counts.sum())
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    return np.arange(total) - starts
