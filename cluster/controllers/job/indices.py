"""How jobs find their pods, and pods their jobs, without a search."""

from cluster.api import objects
from cluster.api.objects import Object
from cluster.api.strategies import batch
from cluster.controllers import podstate
from cluster.controllers.job import fields

_UIDS = (batch.CONTROLLER_UID, batch.LEGACY_CONTROLLER_UID)


def unsettled(pod: Object) -> bool:
    """Whether its job still has something to do with the pod: it runs, or is not counted."""
    return not podstate.is_finished(pod) or fields.tracked(pod)


def of_pod(pod: Object) -> list[str]:
    """Index of pods: the uid of the job that controls an unsettled pod."""
    for owner in (pod.get("metadata") or {}).get("ownerReferences") or ():
        if owner.get("controller"):
            return [owner["uid"]] if owner.get("kind") == "Job" and unsettled(pod) else []
    return []


def of_job(job: Object) -> list[str]:
    """Index of jobs: among whose pods the job's are; a uid, or a namespace if it is chosen by hand.

    A selector that the API server made asks for a label with the job's uid.
    """
    selector = objects.spec(job).get("selector") or {}
    labels = selector.get("matchLabels") or {}
    for name in _UIDS:
        if name in labels:
            return [labels[name]]
    return [f"{objects.namespace(job)}/"]


def jobs_of(pod: Object) -> list[str]:
    """The values of `of_job` under which a job that selects the pod can be."""
    labels = objects.labels(pod)
    uids = [labels[name] for name in _UIDS if name in labels]
    return [*dict.fromkeys(uids), f"{objects.namespace(pod)}/"]
