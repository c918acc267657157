"""Scores by how much of some resources would be used. Source: plugins/noderesources."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cluster.api.podrequests import CPU, EPHEMERAL_STORAGE, MEMORY
from cluster.scheduler.framework.points import MAX_NODE_SCORE, Scores
from cluster.scheduler.nodes.columns import Ints, Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.plugins.args import (
    LEAST_ALLOCATED,
    MAX_CUSTOM_PRIORITY_SCORE,
    MOST_ALLOCATED,
    ResourceSpec,
    ScoringStrategy,
    UtilizationShapePoint,
)
from cluster.scheduler.pods import PodInfo

_PLAIN: Final = (CPU, MEMORY, EPHEMERAL_STORAGE)
Formula = Callable[[Ints, Ints], Ints]
"""From what would be used and what there is, (resources, rows), to 0…100."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The resources that count for one pod; all arrays of shape (resources, 1).

    `defaulted`: the row in the table's `scoring` (cpu 0, memory 1), for resources whose requests
    are counted with defaults; -1 for all others.
    """

    columns: Ints
    asked: Ints
    weights: Ints
    defaulted: tuple[int, ...]


def counted(
    pod: PodInfo, nodes: NodeTable, resources: tuple[ResourceSpec, ...], *, defaults: bool
) -> Counted | None:
    """What counts. An extended resource that the pod does not ask for does not. None: nothing.

    `defaults`: cpu and memory with Kubernetes' defaults for containers that ask for none.
    """
    amounts = dict(pod.requests.amounts)
    with_defaults = dict(zip((CPU, MEMORY), pod.requests.scoring, strict=True)) if defaults else {}
    taken = [one for one in resources if one.name in _PLAIN or amounts.get(one.name)]
    if not taken:
        return None
    asked = [with_defaults.get(one.name, amounts.get(one.name, 0)) for one in taken]
    return Counted(
        np.array([nodes.column(one.name) for one in taken], np.int64)[:, None],
        np.array(asked, np.int64)[:, None],
        np.array([one.weight for one in taken], np.int64)[:, None],
        tuple(list(with_defaults).index(o.name) if o.name in with_defaults else -1 for o in taken),
    )


def used(nodes: NodeTable, rows: Rows, what: Counted) -> Ints:
    """What pods on the rows ask for, (resources, rows)."""
    found: Ints = nodes.requested[what.columns, rows]
    for at, place in enumerate(what.defaulted):
        if place >= 0:
            found[at] = nodes.scoring[place, rows]
    return found


def formula(strategy: ScoringStrategy) -> Formula:
    """The formula of a scoring strategy for one resource."""
    if strategy.type == LEAST_ALLOCATED:
        return _least
    if strategy.type == MOST_ALLOCATED:
        return _most
    assert strategy.requested_to_capacity_ratio is not None
    return _broken_line(strategy.requested_to_capacity_ratio.shape)


def weighted(
    nodes: NodeTable, rows: Rows, what: Counted, score: Formula, *, only_positive: bool
) -> Scores:
    """The weighted mean over the resources that a node has at all.

    `only_positive`: resources that score 0 do not count either, and the mean is rounded (as
    RequestedToCapacityRatio has it).
    """
    allocatable = nodes.allocatable[what.columns, rows]
    each = score(used(nodes, rows, what) + what.asked, allocatable)
    counts = allocatable > 0
    if only_positive:
        counts &= each > 0
    weights = np.where(counts, what.weights, 0)
    total = (each * weights).sum(axis=0)
    divisor = np.maximum(weights.sum(axis=0), 1)
    if only_positive:
        return np.asarray(np.floor(total / divisor + 0.5), np.int64)
    return np.asarray(total // divisor)


def _least(requested: Ints, capacity: Ints) -> Ints:
    left = np.maximum(capacity - requested, 0)
    return np.asarray(left * MAX_NODE_SCORE // np.maximum(capacity, 1))


def _most(requested: Ints, capacity: Ints) -> Ints:
    taken = np.minimum(requested, capacity)
    return np.asarray(taken * MAX_NODE_SCORE // np.maximum(capacity, 1))


def _broken_line(shape: tuple[UtilizationShapePoint, ...]) -> Formula:
    at = np.array([point.utilization for point in shape], np.int64)
    scale = MAX_NODE_SCORE // MAX_CUSTOM_PRIORITY_SCORE
    values = np.array([point.score * scale for point in shape], np.int64)

    def score(requested: Ints, capacity: Ints) -> Ints:
        share = np.minimum(requested, capacity) * 100 // np.maximum(capacity, 1)
        utilization = np.where((capacity == 0) | (requested > capacity), 100, share)
        after = np.searchsorted(at, utilization)
        right = np.minimum(after, len(at) - 1)
        left = np.maximum(right - 1, 0)
        rise = (values[right] - values[left]) * (utilization - at[left])
        run = np.maximum(at[right] - at[left], 1)
        between = values[left] + np.trunc(rise / run).astype(np.int64)
        inside = (after > 0) & (after < len(at))
        return np.asarray(np.where(inside, between, values[right]))

    return score


def balance(fractions: NDArray[np.float64], present: NDArray[Any]) -> Ints:
    """(1 - standard deviation) of 100, of used fractions (resources, rows) where `present`."""
    count = present.sum(axis=0)
    if len(fractions) == 2:
        # As Kubernetes does for two: exact where the root of the square is not.
        deviation = np.abs(fractions[0] - fractions[1]) / 2
    else:
        divisor = np.maximum(count, 1)
        mean = np.where(present, fractions, 0.0).sum(axis=0) / divisor
        squares = np.where(present, (fractions - mean) ** 2, 0.0).sum(axis=0) / divisor
        deviation = np.sqrt(squares)
    deviation[count < 2] = 0.0
    return np.asarray(((1 - deviation) * MAX_NODE_SCORE).astype(np.int64))
