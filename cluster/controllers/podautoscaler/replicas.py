"""How many replicas one metric calls for. Pure.

Where pods are not ready or were not measured, the answer is the cautious one: they count as using
nothing before scaling up and as using all that they should before scaling down, and a direction
that this would turn round is not taken.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cluster.api.objects import Object
from cluster.controllers.podautoscaler import grouping
from cluster.controllers.podautoscaler.model import (
    Sample,
    Samples,
    Settings,
    Tolerances,
    Unavailable,
)

MOST = 2**31 - 1
"""Counts of replicas have 32 bits."""
_NOBODY = "did not receive metrics for targeted pods (pods might be unready)"


@dataclass(frozen=True, slots=True)
class Situation:
    """What there is: the replicas that are wanted now, the pods, the time."""

    namespace: str
    wanted: int
    present: int
    pods: Sequence[Object]
    settings: Settings
    tolerances: Tolerances
    now: float


@dataclass(frozen=True, slots=True)
class Found:
    """`replicas` are called for, since the metric is at `value` (in thousandths, of each pod or of
    all, as its target says) or `percent` of what is requested.
    """

    replicas: int
    value: int
    percent: int | None = None


def by_utilization(
    at: Situation, samples: Samples, resource: str, container: str, target: int
) -> Found:
    """Keep what pods use at `target` percent of what they request. Unavailable."""
    groups, counted = _counted(at, samples, resource)
    requested = grouping.requests(at.pods, container, resource)
    if not counted:
        raise Unavailable(_NOBODY)

    def ratio() -> tuple[float, int, int]:
        known = [name for name in counted if name in requested]
        total = sum(requested[name] for name in known)
        if total == 0:
            raise Unavailable("no metrics returned matched known pods")
        used = sum(counted[name].value for name in known)
        percent = used * 100 // total
        return percent / target, percent, used // len(known)

    first, percent, value = ratio()
    count = _settled(at, groups, first)
    if count is None:
        if groups.missing and first < 1.0:
            counted |= {name: Sample(requested[name]) for name in groups.missing}
        elif groups.missing and first > 1.0:
            counted |= {name: Sample(0) for name in groups.missing}
        if first > 1.0:
            counted |= {name: Sample(0) for name in groups.unready}
        count = _cautious(at, first, ratio()[0], len(counted))
    return Found(count, value, percent)


def by_average(at: Situation, samples: Samples, resource: str, target: int) -> Found:
    """Keep what pods use at `target` on average. Unavailable."""
    groups, counted = _counted(at, samples, resource)
    if not counted:
        raise Unavailable(_NOBODY)

    def average() -> int:
        return sum(sample.value for sample in counted.values()) // len(counted)

    value = average()
    first = value / target
    count = _settled(at, groups, first)
    if count is None:
        if groups.missing:
            assumed = target if first < 1.0 else 0
            counted |= {name: Sample(assumed) for name in groups.missing}
        if first > 1.0:
            counted |= {name: Sample(0) for name in groups.unready}
        count = _cautious(at, first, average() / target, len(counted))
    return Found(count, value)


def by_value(at: Situation, value: int, target: int) -> Found:
    """Keep one number, which more pods make smaller, at `target`. Unavailable."""
    ratio = value / target
    if at.wanted == 0:
        return Found(_ceil(ratio), value)
    if at.tolerances.cover(ratio):
        return Found(at.wanted, value)
    return Found(_ceil(ratio * grouping.ready_pods(at.pods)), value)


def by_share(at: Situation, value: int, target: int) -> Found:
    """Keep each pod's share of one number at `target`."""
    count = at.present
    if count == 0 or not at.tolerances.cover(value / (target * count)):
        count = _ceil(value / target)
    return Found(count, math.ceil(value / at.present) if at.present else value)


def _counted(
    at: Situation, samples: Samples, resource: str
) -> tuple[grouping.Groups, dict[str, Sample]]:
    if not at.pods:
        raise Unavailable(grouping.NO_PODS)
    groups = grouping.grouped(at.pods, samples, resource, at.settings, at.now)
    counted = dict(samples)
    for name in (*groups.ignored, *groups.unready):
        counted.pop(name, None)
    return groups, counted


def _settled(at: Situation, groups: grouping.Groups, ratio: float) -> int | None:
    """The answer where every pod that matters was measured."""
    if groups.missing or (groups.unready and ratio > 1.0):
        return None
    return at.wanted if at.tolerances.cover(ratio) else _ceil(ratio * groups.ready)


def _cautious(at: Situation, first: float, second: float, pods: int) -> int:
    """The answer once assumptions have moved the ratio from `first` to `second`."""
    turned = (first < 1.0 < second) or (second < 1.0 < first)
    if turned or at.tolerances.cover(second):
        return at.wanted
    count = _ceil(second * pods)
    if (second < 1.0 and count > at.wanted) or (second > 1.0 and count < at.wanted):
        return at.wanted
    return count


def _ceil(count: float) -> int:
    return min(math.ceil(count), MOST)
