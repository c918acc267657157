"""What a job's status becomes, step by step, so that no end of a pod is counted twice or lost.

First the pods that ended are named in the status (`begin`), then their finalizers are removed, and
only then they are counted (`settled`) and the job may be finished (`finish`). Whoever is killed in
between leaves a status from which the next one knows what is counted already.

Source: KEP-2307; trackJobStatusAndRemoveFinalizers of pkg/controller/job.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import objects, timestamps
from cluster.api.objects import Object
from cluster.controllers import podstate
from cluster.controllers.job import failurepolicy, fields, intervals, marks
from cluster.controllers.job.survey import Survey, failed_by

MAX_UNCOUNTED: Final = 500
"""Pods that the status names at most, to stay below 20 KB."""


@dataclass(slots=True)
class Counts:
    """How many pods there are after what this step did."""

    active: int
    ready: int
    terminating: int

    def leave(self, going: Sequence[Object]) -> None:
        """These active pods are being ended."""
        self.active -= len(going)
        self.ready -= sum(podstate.is_ready(pod) for pod in going)
        self.terminating += len(going)


@dataclass(slots=True)
class Account:
    """The status as it is to be. `changed` says whether it must be written."""

    status: dict[str, Any]
    changed: bool
    release: list[Object]
    """Pods whose finalizer is to be removed once the status is written."""
    held: set[str]
    """Uids of pods that have their finalizer."""
    end: marks.Condition | None = None
    """The condition with which the job is finished, as soon as every pod is counted."""
    full: bool = False
    """There were more pods than one step counts."""


def begin(found: Survey, counts: Counts, end: marks.Condition | None) -> Account:
    """The status that names the pods to count, after what was done about the active ones."""
    account = Account(_status(found, counts), _moved(found, counts), [], _held(found))
    account.changed |= settled(account)
    new_indexes = _collect(found, account, end)
    if fields.indexed(found.job):
        _write_indexes(found, account, new_indexes)
    account.end = _announce(found, account, end)
    return account


def settled(account: Account) -> bool:
    """Count the named pods that have no finalizer any more. True where there were any."""
    named = account.status["uncountedTerminatedPods"]
    changed = False
    for kind in ("succeeded", "failed"):
        listed = named.get(kind) or []
        left = [uid for uid in listed if uid in account.held]
        if len(left) == len(listed):
            continue
        changed = True
        account.status[kind] = (account.status.get(kind) or 0) + len(listed) - len(left)
        named.pop(kind)
        if left:
            named[kind] = left
    return changed


def finish(account: Account, now: float) -> bool:
    """Put the last condition into the status, if every pod is counted and gone. True if so."""
    named = account.status["uncountedTerminatedPods"]
    if account.end is None or account.full or any(named.values()):
        return False
    if account.status["terminating"]:
        return False
    account.end = marks.new(account.end["type"], account.end["reason"], account.end["message"], now)
    marks.ensure(account.status["conditions"], account.end)
    if account.end["type"] == marks.COMPLETE:
        account.status["completionTime"] = timestamps.encode(now)
    return True


def written(status: dict[str, Any]) -> dict[str, Any]:
    """The status as Kubernetes writes it: without what is zero or empty, but for pointers."""
    return {
        name: value
        for name, value in status.items()
        if value not in (0, "", []) or name in ("ready", "terminating", "failedIndexes")
    }


def _status(found: Survey, counts: Counts) -> dict[str, Any]:
    """A copy of the old status with the new numbers."""
    status = dict(objects.status(found.job))
    status["conditions"] = [*found.conditions]
    named = status.get("uncountedTerminatedPods") or {}
    status["uncountedTerminatedPods"] = {kind: [*uids] for kind, uids in named.items() if uids}
    status["startTime"] = found.started
    status["active"] = counts.active
    status["ready"] = counts.ready
    status["terminating"] = counts.terminating
    return status


def _moved(found: Survey, counts: Counts) -> bool:
    old = objects.status(found.job)
    return (
        (old.get("active") or 0, old.get("ready"), old.get("terminating"))
        != (counts.active, counts.ready, counts.terminating)
        or (old.get("startTime") or "") != found.started
        or (old.get("conditions") or []) != found.conditions
    )


def _held(found: Survey) -> set[str]:
    return {
        uid
        for pod in found.pods
        if fields.tracked(pod) and (uid := objects.uid(pod)) not in found.removing
    }


def _collect(found: Survey, account: Account, end: marks.Condition | None) -> list[int]:
    """Name the pods that ended, or hold them as to be released; the indexes that are new."""
    named = account.status["uncountedTerminatedPods"]
    good, bad = {*named.get("succeeded", ())}, {*named.get("failed", ())}
    indexed, policy = fields.indexed(found.job), fields.failure_policy(found.job)
    # A job that fails counts what was still running as failed; one that has succeeded does not.
    sweeping = end is not None and end["type"] != marks.SUCCESS_CRITERIA_MET
    new: list[int] = []
    pods = sorted(found.pods, key=fields.completion_index) if indexed else found.pods
    for pod in pods:
        uid = objects.uid(pod)
        failed = fields.pod_failed(pod, found.job)
        if uid not in account.held or not _releasable(found, pod, failed, end is not None):
            continue
        account.release.append(pod)
        index = found.take(pod)
        placed = not indexed or index != fields.UNKNOWN_INDEX
        if objects.status(pod).get("phase") == "Succeeded" and uid not in bad:
            if indexed and placed and not intervals.has(found.done, index):
                new.append(index)
                account.changed = True
            elif not indexed and uid not in good:
                named.setdefault("succeeded", []).append(uid)
                account.changed = True
        elif _counts_as_failure(policy, pod, failed or sweeping) and uid not in bad and placed:
            named.setdefault("failed", []).append(uid)
            account.changed = True
        if len(new) + sum(map(len, named.values())) >= MAX_UNCOUNTED:
            account.full = True
            break
    return new


def _counts_as_failure(policy: dict[str, Any] | None, pod: Object, failed: bool) -> bool:
    return failed and failurepolicy.judge(policy, pod).counted


def _releasable(found: Survey, pod: Object, failed: bool, ending: bool) -> bool:
    """Whether the pod may lose its finalizer.

    A failed pod whose index waits for the next one keeps it: that one reads its annotations.
    """
    phase = objects.status(pod).get("phase")
    if ending or phase == "Succeeded" or objects.deleting(found.job):
        return True
    if not failed:
        return False
    waiting = found.replaced.get(fields.completion_index(pod))
    return waiting is None or objects.uid(waiting) != objects.uid(pod)


def _write_indexes(found: Survey, account: Account, new: list[int]) -> None:
    done = intervals.union(found.succeeded_indexes, intervals.singles(new))
    text = intervals.text(done)
    account.changed |= text != (account.status.get("completedIndexes") or "")
    account.status["succeeded"] = intervals.total(done)
    account.status["completedIndexes"] = text
    if found.failed_indexes is not None:
        failed = intervals.text(found.failed_indexes)
        account.changed |= failed != account.status.get("failedIndexes")
        account.status["failedIndexes"] = failed


def _announce(
    found: Survey, account: Account, end: marks.Condition | None
) -> marks.Condition | None:
    """Say in the status that the job is about to end; the condition with which it will."""
    if end is None:
        return None
    conditions = account.status["conditions"]
    if end["type"] == marks.FAILURE_TARGET:
        conditions.append(end)
        account.changed = True
        return failed_by(end, found.now)
    if end["type"] != marks.SUCCESS_CRITERIA_MET:
        return end
    if not any(each.get("type") == marks.SUCCESS_CRITERIA_MET for each in conditions):
        conditions.append(end)
        account.changed = True
    reason, message = end.get("reason") or "", end.get("message") or ""
    return marks.new(marks.COMPLETE, reason, message, found.now)
