"""Back-off limits of each index: how often an index failed travels from pod to pod.

A pod says in annotations how often its index had failed before it. The failed pod therefore keeps
its finalizer until the pod that replaces it is there. Source: KEP-3850.
"""

from collections.abc import Iterable, Mapping, Sequence

from cluster.api import objects
from cluster.api.objects import Object
from cluster.controllers.job import failurepolicy, fields, finishing, intervals


def failed_indexes(job: Object, pods: Iterable[Object]) -> intervals.Intervals:
    """The indexes that have failed for good, those of the status and the new ones."""
    limit = fields.indexes(job)
    known = intervals.parse(objects.status(job).get("failedIndexes") or "", limit)
    new = [
        index
        for pod in pods
        if 0 <= (index := fields.completion_index(pod)) < limit
        and fields.tracked(pod)
        and _index_failed(job, pod)
    ]
    return intervals.union(known, intervals.singles(new))


def _index_failed(job: Object, pod: Object) -> bool:
    if not fields.pod_failed(pod, job):
        return False
    verdict = failurepolicy.judge(fields.failure_policy(job), pod)
    if verdict.action == failurepolicy.FAIL_INDEX:
        return True
    limit = fields.number(job, "backoffLimitPerIndex", 0)
    return verdict.counted and fields.count(pod, fields.INDEX_FAILURES) >= limit


def awaiting_replacement(
    job: Object, failed: Iterable[Object], settled: Sequence[intervals.Intervals], active: set[int]
) -> dict[int, Object]:
    """The last failed pod of each index that is neither in `settled` nor running again."""
    last: dict[int, Object] = {}
    for pod in failed:
        index = fields.completion_index(pod)
        if index in active or any(intervals.has(done, index) for done in settled):
            continue
        known = last.get(index)
        if known is None or _later(pod, known):
            last[index] = pod
    return last


def _later(pod: Object, known: Object) -> bool:
    return absolute_failures(known) <= absolute_failures(pod) and finishing.finished_at(
        known
    ) <= finishing.finished_at(pod)


def absolute_failures(pod: Object) -> int:
    """Failures of the pod's index before it, those that a policy ignores too."""
    return fields.count(pod, fields.INDEX_FAILURES) + fields.count(
        pod, fields.INDEX_IGNORED_FAILURES
    )


def annotations(job: Object, replaced: Object | None) -> dict[str, str]:
    """What the pod that replaces `replaced` (None: it is the first) says about failures."""
    if replaced is None:
        return {fields.INDEX_FAILURES: "0"}
    failures = fields.count(replaced, fields.INDEX_FAILURES)
    ignored = fields.count(replaced, fields.INDEX_IGNORED_FAILURES)
    if failurepolicy.judge(fields.failure_policy(job), replaced).counted:
        failures += 1
    else:
        ignored += 1
    found = {fields.INDEX_FAILURES: str(failures)}
    if ignored:
        found[fields.INDEX_IGNORED_FAILURES] = str(ignored)
    return found


def due(
    wanted: Sequence[int], replaced: Mapping[int, Object], now: float
) -> tuple[list[int], float]:
    """Which of the indexes may run again at `now`, and if none, after how many seconds one may."""
    ready: list[int] = []
    shortest: float | None = None
    for index in wanted:
        left = _left(replaced.get(index), now)
        if left <= 0:
            ready.append(index)
        else:
            shortest = left if shortest is None else min(shortest, left)
    return ready, 0.0 if ready else shortest or 0.0


def _left(pod: Object | None, now: float) -> float:
    if pod is None:
        return 0.0
    return finishing.remaining(absolute_failures(pod) + 1, finishing.finished_at(pod), now)
