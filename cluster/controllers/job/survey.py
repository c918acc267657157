"""How a job stands: its pods sorted and counted, and whether it has come to its end.

Source: syncJob of pkg/controller/job/job_controller.go (1.31 and later).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from cluster.api import conditions, objects, timestamps
from cluster.api.objects import Object
from cluster.controllers import podstate
from cluster.controllers.job import (
    failurepolicy,
    fields,
    finishing,
    intervals,
    marks,
    perindex,
    successpolicy,
)


@dataclass(slots=True)
class Survey:
    """What is known of a job at a moment. Pods are the cache's: read-only."""

    job: Object
    now: float
    """Wall time, in seconds."""
    pods: Sequence[Object]
    """Its pods that are not yet counted and settled."""
    removing: Collection[str]
    """Uids of pods whose finalizer is being removed: counted by an earlier step."""
    active: list[Object] = field(default_factory=list)
    ready: int = 0
    terminating: list[Object] = field(default_factory=list)
    succeeded: int = 0
    failed: int = 0
    done: intervals.Intervals = intervals.EMPTY
    """Succeeded indexes of the status."""
    succeeded_indexes: intervals.Intervals = intervals.EMPTY
    """The same, with those of pods that succeeded since."""
    failed_indexes: intervals.Intervals | None = None
    """None where there is no limit per index."""
    replaced: dict[int, Object] = field(default_factory=dict)
    """The failed pods that wait for the pod of their index that follows them."""
    backoff: finishing.Record = field(default_factory=finishing.Record)
    conditions: list[marks.Condition] = field(default_factory=list)
    """status.conditions, as they are to be. The conditions themselves are shared."""
    started: str = ""
    """status.startTime, as it is to be; "" for none."""
    end: marks.Condition | None = None
    """The condition with which the job ends or begins to end."""

    def take(self, pod: Object) -> int:
        """The pod's index among those of the job; UNKNOWN_INDEX for none."""
        index = fields.completion_index(pod)
        return index if index < fields.indexes(self.job) else fields.UNKNOWN_INDEX


@dataclass(frozen=True, slots=True)
class Asked:
    """Uids of pods for which something was asked that the cache does not show yet."""

    leaving: Collection[str] = ()
    """Those whose deletion was asked for."""
    removing: Collection[str] = ()
    """Those whose finalizer was to be removed: counted by an earlier step."""


def survey(
    job: Object, pods: Sequence[Object], asked: Asked, record: finishing.Record, now: float
) -> Survey:
    """How `job` stands with these pods. `record` is the back-off before what they tell."""
    found = Survey(job, now, pods, asked.removing)
    for pod in pods:
        if podstate.is_finished(pod):
            continue
        if objects.deleting(pod) or objects.uid(pod) in asked.leaving:
            found.terminating.append(pod)
        else:
            found.active.append(pod)
    found.ready = sum(podstate.is_ready(pod) for pod in found.active)
    _count(found, record)
    found.conditions = [*(objects.status(job).get("conditions") or ())]
    started = objects.status(job).get("startTime") or ""
    if not started and not fields.suspended(job):
        started = timestamps.encode(now)
    found.started = started
    found.end = _under_way(found) or _failure(found)
    if fields.indexed(job):
        _indexes(found)
    return found


def deadline_in(found: Survey) -> float | None:
    """Seconds until activeDeadlineSeconds are over, 0 or less once they are; None: none runs.

    The time of a job that is suspended, or about to begin anew, stands still.
    """
    limit = objects.spec(found.job).get("activeDeadlineSeconds")
    if limit is None or not found.started or fields.suspended(found.job):
        return None
    if any(c.get("type") == marks.SUSPENDED and c["status"] == "True" for c in found.conditions):
        return None
    return float(limit) - (found.now - timestamps.decode(found.started))


def _count(found: Survey, record: finishing.Record) -> None:
    """Succeeded and failed pods: those of the status, those under way to it, and the new ones."""
    status = objects.status(found.job)
    uncounted = status.get("uncountedTerminatedPods") or {}
    known_good, known_bad = (uncounted.get(name) or () for name in ("succeeded", "failed"))
    good = _new(found, known_good, lambda pod: objects.status(pod).get("phase") == "Succeeded")
    bad = _new(found, known_bad, lambda pod: fields.pod_failed(pod, found.job))
    policy = fields.failure_policy(found.job)
    counted = sum(failurepolicy.judge(policy, pod).counted for pod in bad) if policy else len(bad)
    found.succeeded = (status.get("succeeded") or 0) + len(good) + len(known_good)
    found.failed = (status.get("failed") or 0) + counted + len(known_bad)
    found.backoff = finishing.followed(record, good, bad)


def _new(found: Survey, known: Collection[str], wanted: Callable[[Object], bool]) -> list[Object]:
    """Pods that are wanted and in no count yet; of an Indexed job only those with an index."""
    known = {*known}
    needs_index = fields.indexed(found.job)
    return [
        pod
        for pod in found.pods
        if fields.tracked(pod)
        and (uid := objects.uid(pod)) not in known
        and uid not in found.removing
        and not (needs_index and found.take(pod) == fields.UNKNOWN_INDEX)
        and wanted(pod)
    ]


def _under_way(found: Survey) -> marks.Condition | None:
    """The end that an earlier step decided upon."""
    met = conditions.find(found.job, marks.SUCCESS_CRITERIA_MET)
    if met is not None and met.get("status") == "True":
        return met
    target = conditions.find(found.job, marks.FAILURE_TARGET)
    if target is not None and target.get("status") == "True":
        return failed_by(target, found.now)
    return None


def failed_by(target: marks.Condition, now: float) -> marks.Condition:
    """The condition Failed that follows from a FailureTarget."""
    reason, message = target.get("reason") or "", target.get("message") or ""
    return marks.new(marks.FAILED, reason, message, now)


def _failure(found: Survey) -> marks.Condition | None:
    """Why the job fails now."""
    policy = fields.failure_policy(found.job)
    for pod in found.pods if policy else ():
        if fields.pod_failed(pod, found.job):
            verdict = failurepolicy.judge(policy, pod)
            if verdict.action == failurepolicy.FAIL_JOB:
                return _failing(found, "PodFailurePolicy", verdict.message)
    limit = fields.number(found.job, "backoffLimit", 6)
    if found.failed > limit or _restarted_too_often(found, limit):
        message = "Job has reached the specified backoff limit"
        return _failing(found, "BackoffLimitExceeded", message)
    left = deadline_in(found)
    if left is not None and left <= 0:
        message = "Job was active longer than specified deadline"
        return _failing(found, "DeadlineExceeded", message)
    return None


def _failing(found: Survey, reason: str, message: str) -> marks.Condition:
    return marks.new(marks.FAILURE_TARGET, reason, message, found.now)


def _restarted_too_often(found: Survey, limit: int) -> bool:
    """With restartPolicy OnFailure the restarts of containers count."""
    template = objects.spec(found.job).get("template") or {}
    if objects.spec(template).get("restartPolicy") != "OnFailure":
        return False
    restarts = sum(
        container.get("restartCount") or 0
        for pod in found.pods
        if (status := objects.status(pod)).get("phase") in ("Running", "Pending")
        for name in ("initContainerStatuses", "containerStatuses")
        for container in status.get(name) or ()
    )
    return restarts > 0 if limit == 0 else restarts >= limit


def _indexes(found: Survey) -> None:
    """What became of the indexes, and whether that ends the job."""
    job, limit = found.job, fields.indexes(found.job)
    found.done = intervals.parse(objects.status(job).get("completedIndexes") or "", limit)
    new = [
        index
        for pod in found.pods
        if objects.status(pod).get("phase") == "Succeeded"
        and fields.tracked(pod)
        and (index := found.take(pod)) != fields.UNKNOWN_INDEX
    ]
    found.succeeded_indexes = intervals.union(found.done, intervals.singles(new))
    found.succeeded = intervals.total(found.succeeded_indexes)
    if fields.per_index(job):
        _failed_indexes(found, limit)
    if found.end is None:
        policy = objects.spec(job).get("successPolicy")
        message = successpolicy.met(policy, limit, found.succeeded_indexes)
        if message is not None:
            found.end = marks.new(marks.SUCCESS_CRITERIA_MET, "SuccessPolicy", message, found.now)


def _failed_indexes(found: Survey, limit: int) -> None:
    failed = found.failed_indexes = perindex.failed_indexes(found.job, found.pods)
    if found.end is None:
        number = intervals.total(failed)
        most = objects.spec(found.job).get("maxFailedIndexes")
        if most is not None and number > most:
            message = "Job has exceeded the specified maximal number of failed indexes"
            found.end = _failing(found, "MaxFailedIndexesExceeded", message)
        elif number and number + found.succeeded >= limit:
            found.end = _failing(found, "FailedIndexes", "Job has failed indexes")
    bad = _new(found, (), lambda pod: fields.pod_failed(pod, found.job))
    active = {fields.completion_index(pod) for pod in found.active}
    settled = (found.succeeded_indexes, failed)
    found.replaced = perindex.awaiting_replacement(found.job, bad, settled, active)
