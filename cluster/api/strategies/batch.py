"""Job and CronJob: a job selects its own pods, by labels that it gives its template.

Source: pkg/registry/batch.
"""

from collections.abc import Mapping
from typing import Any, Final

from cluster.api.objects import Object
from cluster.api.strategies.strategy import Strategy

CONTROLLER_UID: Final = "batch.kubernetes.io/controller-uid"
JOB_NAME: Final = "batch.kubernetes.io/job-name"
LEGACY_CONTROLLER_UID: Final = "controller-uid"
LEGACY_JOB_NAME: Final = "job-name"


def new_job(obj: Object) -> None:
    """Labels and selector, unless the creator selects by hand."""
    spec = obj.get("spec") or {}
    if spec.get("manualSelector"):
        return
    name, uid = obj["metadata"].get("name") or "", obj["metadata"]["uid"]
    # The template's metadata may be shared with the body of the request: replaced, not changed.
    template: dict[str, Any] = spec.setdefault("template", {})
    meta = template.get("metadata") or {}
    labels = meta.get("labels") or {}
    own = {
        LEGACY_JOB_NAME: name, JOB_NAME: name, LEGACY_CONTROLLER_UID: uid, CONTROLLER_UID: uid,
    }  # fmt: skip
    template["metadata"] = meta | {"labels": own | labels}
    selector = spec.get("selector") or {}
    wanted = {CONTROLLER_UID: uid} | (selector.get("matchLabels") or {})
    spec["selector"] = selector | {"matchLabels": wanted}


BY_RESOURCE: Final[Mapping[str, Strategy]] = {
    "cronjobs.batch": Strategy(),
    "jobs.batch": Strategy(on_create=new_job, orphans=True),
}
