"""Which active pods of a job go first, when there are too many.

Source: pkg/controller/controller_utils.go (ActivePods) and job/indexed_job_utils.go.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from cluster.api import objects, timestamps
from cluster.api.objects import Object
from cluster.controllers import podstate
from cluster.controllers.job import fields

_PHASES: Final = {"Pending": 0, "Unknown": 1, "Running": 2}


def victims(job: Object, active: Sequence[Object], at_least: int) -> list[Object]:
    """Pods whose index is another's too, or none of the job's, and more until `at_least`."""
    gone: list[Object] = []
    left: Sequence[Object] = active
    if fields.indexed(job):
        gone, left = _superfluous(active, fields.indexes(job))
    if len(gone) < at_least:
        gone += first_to_go(left)[: at_least - len(gone)]
    return gone


def _superfluous(active: Iterable[Object], limit: int) -> tuple[list[Object], list[Object]]:
    """Pods without a place among the indexes, and the one of each index that stays."""
    gone: list[Object] = []
    by_index: dict[int, list[Object]] = {}
    for pod in active:
        index = fields.completion_index(pod)
        if 0 <= index < limit:
            by_index.setdefault(index, []).append(pod)
        else:
            gone.append(pod)
    left: list[Object] = []
    for _, pods in sorted(by_index.items()):
        ordered = first_to_go(pods) if len(pods) > 1 else pods
        gone += ordered[:-1]
        left.append(ordered[-1])
    return gone, left


def first_to_go(pods: Iterable[Object]) -> list[Object]:
    """The pods in the order in which they are ended: those that did least first.

    One that has lost its finalizer cannot be counted any more and comes before all.
    """
    return sorted(pods, key=_standing)


_Standing = tuple[bool, bool, int, bool, float, int, float, str]


def _standing(pod: Object) -> _Standing:
    status = objects.status(pod)
    since = podstate.ready_since(pod)
    restarts = max(
        (s.get("restartCount") or 0 for s in status.get("containerStatuses") or ()), default=0
    )
    created = objects.meta(pod).get("creationTimestamp")
    return (
        fields.tracked(pod),
        bool(objects.spec(pod).get("nodeName")),
        _PHASES.get(status.get("phase") or "Pending", 0),
        since is not None,
        -timestamps.decode(since) if since else 0.0,
        -restarts,
        -timestamps.decode(created) if created else 0.0,
        objects.uid(pod),
    )
