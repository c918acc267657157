"""What Jobs and their pods are marked with, and what a Job's spec says.

Source: k8s.io/api/batch/v1 (names), pkg/controller/job (what an absent field means).
"""

from typing import Any, Final

from cluster.api import objects
from cluster.api.objects import Object

CONTROLLER_NAME: Final = "kubernetes.io/job-controller"
TRACKING: Final = "batch.kubernetes.io/job-tracking"
"""The finalizer of a pod that is not yet counted."""
COMPLETION_INDEX: Final = "batch.kubernetes.io/job-completion-index"
"""Annotation and label: the index of a pod of an Indexed job."""
INDEX_FAILURES: Final = "batch.kubernetes.io/job-index-failure-count"
"""Annotation: how often the index had failed when the pod was made."""
INDEX_IGNORED_FAILURES: Final = "batch.kubernetes.io/job-index-ignored-failure-count"
INDEX_VARIABLE: Final = "JOB_COMPLETION_INDEX"

UNKNOWN_INDEX: Final = -1
_INT32: Final = 2**31 - 1


def tracked(pod: Object) -> bool:
    """Whether the pod has the tracking finalizer."""
    return TRACKING in (objects.meta(pod).get("finalizers") or ())


def completion_index(pod: Object) -> int:
    """The index in the pod's annotation; UNKNOWN_INDEX where there is none that makes sense."""
    number = _number(objects.annotations(pod).get(COMPLETION_INDEX))
    return UNKNOWN_INDEX if number is None else number


def count(pod: Object, annotation: str) -> int:
    """A number in an annotation that users can write too: 0 where it is none, or no int32."""
    number = _number(objects.annotations(pod).get(annotation))
    return number if number is not None and number <= _INT32 else 0


def _number(text: str | None) -> int | None:
    if not text or len(text) > 10 or not (text.isascii() and text.isdigit()):
        return None
    return int(text)


def indexed(job: Object) -> bool:
    """Whether completionMode is Indexed."""
    return objects.spec(job).get("completionMode") == "Indexed"


def suspended(job: Object) -> bool:
    """Whether spec.suspend is set."""
    return bool(objects.spec(job).get("suspend"))


def per_index(job: Object) -> bool:
    """Whether each index has a back-off limit of its own."""
    return indexed(job) and objects.spec(job).get("backoffLimitPerIndex") is not None


def completions(job: Object) -> int | None:
    """How many successes complete the job; None: one, of whichever pod, ends it."""
    wanted = objects.spec(job).get("completions")
    return None if wanted is None else int(wanted)


def indexes(job: Object) -> int:
    """How many indexes an Indexed job has."""
    return completions(job) or 0


def number(job: Object, field: str, default: int) -> int:
    """A number of the spec."""
    found = objects.spec(job).get(field)
    return default if found is None else int(found)


def failure_policy(job: Object) -> dict[str, Any] | None:
    """spec.podFailurePolicy."""
    return objects.spec(job).get("podFailurePolicy")


def replaces_failed_only(job: Object) -> bool:
    """Whether a pod that is being deleted is replaced, and counted, only once it has ended."""
    policy = objects.spec(job).get("podReplacementPolicy")
    return policy == "Failed" or failure_policy(job) is not None


def pod_failed(pod: Object, job: Object) -> bool:
    """Whether the pod counts as failed.

    One that is being deleted does, because it may never reach the phase Failed, unless the job
    waits for that.
    """
    phase = objects.status(pod).get("phase")
    if phase == "Failed":
        return True
    return not replaces_failed_only(job) and phase != "Succeeded" and objects.deleting(pod)


def foreign(job: Object) -> bool:
    """Whether another controller manages the job (spec.managedBy)."""
    return objects.spec(job).get("managedBy") not in (None, CONTROLLER_NAME)


def finished(job: Object) -> bool:
    """Whether the job is Complete or Failed."""
    for found in objects.status(job).get("conditions") or ():
        if found.get("type") in ("Complete", "Failed") and found.get("status") == "True":
            return True
    return False
