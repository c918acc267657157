"""How jobs find their pods without a search."""

from collections.abc import Mapping
from typing import Final

from cluster.api.objects import Object
from cluster.client import indexer
from cluster.controllers import podstate
from cluster.controllers.job import fields

JOB_PODS: Final = "job-pods"
"""Index of pods: `of_pod`."""


def unsettled(pod: Object) -> bool:
    """Whether its job still has something to do with the pod: it runs, or is not counted."""
    return not podstate.is_finished(pod) or fields.tracked(pod)


def of_pod(pod: Object) -> list[str]:
    """Index of pods: the uid of the job that controls an unsettled pod."""
    for owner in (pod.get("metadata") or {}).get("ownerReferences") or ():
        if owner.get("controller"):
            return [owner["uid"]] if owner.get("kind") == "Job" and unsettled(pod) else []
    return []


INDEX: Final[Mapping[str, indexer.IndexFunction]] = {JOB_PODS: of_pod}
