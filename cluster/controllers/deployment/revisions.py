"""Revisions of a Deployment, kept as annotations of its ReplicaSets: what `rollout history` reads.

Source: the annotations documented under "Well-Known Labels, Annotations and Taints".
"""

from collections.abc import Iterable, Sequence
from typing import Any

from cluster.api import objects
from cluster.controllers.deployment import budget, hashing

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

HISTORY_LENGTH = 2000
"""Characters of revision history that are kept; the oldest go first."""

_NOT_COPIED = (
    LAST_APPLIED, REVISION, HISTORY, DESIRED, MAXIMUM, "deprecated.deployment.rollback.to",
)  # fmt: skip


def of(obj: objects.Object) -> int:
    """The revision number of a ReplicaSet or Deployment; 0 where there is none that is one."""
    text = objects.annotations(obj).get(REVISION, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def newest(replica_sets: Iterable[objects.Object]) -> int:
    """The highest revision among them, 0 for none."""
    return max((of(replica_set) for replica_set in replica_sets), default=0)


def by_creation(replica_sets: Iterable[objects.Object]) -> list[objects.Object]:
    """Oldest first; names decide between those of one second."""
    return sorted(
        replica_sets,
        key=lambda rs: (objects.meta(rs).get("creationTimestamp") or "", objects.name(rs)),
    )


def split(
    deployment: objects.Object, replica_sets: Iterable[objects.Object]
) -> tuple[objects.Object | None, list[objects.Object]]:
    """The ReplicaSet of the current template (the oldest, should there be two), and all others."""
    template = objects.spec(deployment).get("template") or {}
    wanted = hashing.without_hash(template)
    current: objects.Object | None = None
    old: list[objects.Object] = []
    for replica_set in by_creation(replica_sets):
        own = objects.spec(replica_set).get("template") or {}
        if current is None and hashing.without_hash(own) == wanted:
            current = replica_set
        else:
            old.append(replica_set)
    return current, old


def annotated(
    deployment: objects.Object, existing: dict[str, str], revision: int
) -> dict[str, str]:
    """A current ReplicaSet's annotations: the deployment's own, and `revision` if it is higher.

    Where a revision was there before, it goes to the history: the template came back.
    """
    own = objects.annotations(deployment)
    result = existing | {name: own[name] for name in own if name not in _NOT_COPIED}
    text = existing.get(REVISION, "")
    before = int(text) if text.isascii() and text.isdigit() else 0
    if before < revision:
        result[REVISION] = str(revision)
        if text:
            result[HISTORY] = _appended(existing.get(HISTORY, ""), text)
    return result


def _appended(history: str, revision: str) -> str:
    kept = [item for item in history.split(",") if item]
    kept.append(revision)
    while len(kept) > 1 and len(",".join(kept)) > HISTORY_LENGTH:
        del kept[0]
    return ",".join(kept)


def replica_annotations(deployment: objects.Object) -> dict[str, str]:
    """The annotations that remember how large the deployment was when a ReplicaSet was scaled."""
    wanted = budget.replicas(deployment)
    surge = budget.of(deployment).surge
    return {DESIRED: str(wanted), MAXIMUM: str(wanted + surge)}


def number(replica_set: objects.Object, annotation: str) -> int | None:
    """An annotation's whole number, or None."""
    text = objects.annotations(replica_set).get(annotation, "")
    return int(text) if text.isascii() and text.isdigit() else None


def new_replica_set(
    deployment: objects.Object,
    owner: objects.Object,
    *,
    collisions: int | None,
    count: int,
    revision: int,
) -> objects.Object:
    """The ReplicaSet of the deployment's template, to be created with `count` replicas."""
    spec = objects.spec(deployment)
    value = hashing.template_hash(spec["template"], collisions)
    template = hashing.with_hash(spec["template"], value)
    selector = dict(spec.get("selector") or {})
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), hashing.LABEL: value}
    annotations = annotated(deployment, {}, revision) | replica_annotations(deployment)
    new_spec: dict[str, Any] = {"replicas": count, "selector": selector, "template": template}
    if spec.get("minReadySeconds"):
        new_spec["minReadySeconds"] = spec["minReadySeconds"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{objects.name(deployment)}-{value}",
            "namespace": objects.namespace(deployment),
            "labels": dict(template["metadata"]["labels"]),
            "annotations": annotations,
            "ownerReferences": [owner],
        },
        "spec": new_spec,
    }


def surplus(deployment: objects.Object, old: Sequence[objects.Object]) -> list[objects.Object]:
    """Old ReplicaSets beyond revisionHistoryLimit that are empty and settled, oldest first."""
    limit = budget.revision_history_limit(deployment)
    if limit is None:
        return []
    kept = [replica_set for replica_set in old if not objects.deleting(replica_set)]
    ordered = sorted(by_creation(kept), key=of)
    return [rs for rs in ordered[: max(0, len(kept) - limit)] if _settled(rs)]


def _settled(replica_set: objects.Object) -> bool:
    generation = objects.meta(replica_set).get("generation") or 0
    return (
        budget.replicas(replica_set) == 0
        and budget.observed(replica_set) == 0
        and generation <= budget.observed(replica_set, "observedGeneration")
    )
