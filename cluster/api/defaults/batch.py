"""Defaults of Job and CronJob (pkg/apis/batch/v1/defaults.go)."""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api.defaults import pods
from cluster.api.objects import Object

BACKOFF_LIMIT: Final = 6
SUCCESSFUL_JOBS: Final = 3
FAILED_JOBS: Final = 1
_WITHOUT_LIMIT: Final = 2**31 - 1
POD_REPLACEMENT_SINCE: Final = 29  # the minor version that fills in podReplacementPolicy


def job(obj: Object, minor: int) -> None:
    """One pod, tried seven times; labels are the template's where it has none itself."""
    spec = obj.setdefault("spec", {})
    job_spec(spec, minor)
    labels = (spec["template"].get("metadata") or {}).get("labels")
    if labels and not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(labels)


def job_spec(spec: Object, minor: int) -> None:
    """What a job and the template of one have in common."""
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    per_index = spec.get("backoffLimitPerIndex") is not None
    spec.setdefault("backoffLimit", _WITHOUT_LIMIT if per_index else BACKOFF_LIMIT)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    policy = spec.get("podFailurePolicy")
    for rule in (policy or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern["status"] = pattern.get("status") or "True"
    if minor >= POD_REPLACEMENT_SINCE:
        spec.setdefault("podReplacementPolicy", "Failed" if policy else "TerminatingOrFailed")
    pods.template(spec)


def cron_job(obj: Object, minor: int) -> None:
    """Runs may overlap; three good ones and a bad one are kept."""
    spec = obj.setdefault("spec", {})
    spec["concurrencyPolicy"] = spec.get("concurrencyPolicy") or "Allow"
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", SUCCESSFUL_JOBS)
    spec.setdefault("failedJobsHistoryLimit", FAILED_JOBS)
    template = spec.setdefault("jobTemplate", {})
    job_spec(template.setdefault("spec", {}), minor)


BY_VERSION: Final[Mapping[str, Callable[[Object, int], None]]] = {
    "cronjobs.batch": cron_job,
    "jobs.batch": job,
}
