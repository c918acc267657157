"""Which pods of a job to make or to end now (manageJob of pkg/controller/job)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cluster.api.objects import Object
from cluster.api.operations import Operation
from cluster.controllers.job import fields, intervals, perindex, pods, removal
from cluster.controllers.job.survey import Survey

BURST = 500
"""Pods that one step makes or ends at most (MaxPodCreateDeletePerSync)."""


@dataclass(frozen=True, slots=True)
class Orders:
    """Either pods to end, or pods to make, or a time (seconds) to wait before making any."""

    end: Sequence[Object] = ()
    make: Sequence[Operation] = field(default=())
    wait: float = 0.0


def orders(found: Survey) -> Orders:
    """What to do for a job that goes on."""
    if fields.suspended(found.job):
        return Orders(end=removal.victims(found.job, found.active, len(found.active)))
    wanted = _wanted(found)
    surplus = max(0, len(found.active) - wanted)
    doomed = removal.victims(found.job, found.active, surplus)
    if doomed:
        return Orders(end=doomed[:BURST])
    going = len(found.terminating) if fields.replaces_failed_only(found.job) else 0
    missing = min(wanted - going - len(found.active), BURST)
    return _creations(found, missing) if missing > 0 else Orders()


def _wanted(found: Survey) -> int:
    """How many pods should be active."""
    parallelism = fields.number(found.job, "parallelism", 1)
    completions = fields.completions(found.job)
    if completions is None:
        # A work queue: after the first success nobody is started any more.
        return len(found.active) if found.succeeded else parallelism
    return max(0, min(completions - found.succeeded, parallelism))


def _creations(found: Survey, count: int) -> Orders:
    if not fields.per_index(found.job):
        left = found.backoff.left(found.now)
        if left > 0:
            return Orders(wait=left)
    if not fields.indexed(found.job):
        return Orders(make=pods.creations(found.job, count))
    chosen = pending(found, count)
    if fields.per_index(found.job):
        chosen, left = perindex.due(chosen, found.replaced, found.now)
        if left > 0:
            return Orders(wait=left)
    return Orders(make=pods.indexed_creations(found.job, chosen, found.replaced))


def pending(found: Survey, count: int) -> list[int]:
    """The lowest indexes that have neither ended nor a pod that holds their place."""
    holding = list(found.active)
    if fields.replaces_failed_only(found.job):
        holding += found.terminating
    held = [index for pod in holding if (index := fields.completion_index(pod)) >= 0]
    taken = intervals.union(found.succeeded_indexes, intervals.singles(held))
    if found.failed_indexes is not None:
        taken = intervals.union(taken, found.failed_indexes)
    return intervals.missing(taken, fields.indexes(found.job), count)
