"""Defaults of the group `apps` and of ReplicationController and PodTemplate.

Sources: pkg/apis/apps/v1/defaults.go, pkg/apis/core/v1/defaults.go.
"""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api.defaults import claims, pods
from cluster.api.objects import Object

REVISION_HISTORY_LIMIT: Final = 10
PROGRESS_DEADLINE_SECONDS: Final = 600
MAX_CHANGE: Final = "25%"  # of maxSurge and maxUnavailable


def deployment(obj: Object) -> None:
    """One replica, rolled a quarter at a time, ten revisions kept."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", MAX_CHANGE)
        rolling.setdefault("maxSurge", MAX_CHANGE)
    spec.setdefault("revisionHistoryLimit", REVISION_HISTORY_LIMIT)
    spec.setdefault("progressDeadlineSeconds", PROGRESS_DEADLINE_SECONDS)
    pods.template(spec)


def replica_set(obj: Object) -> None:
    """One replica."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    pods.template(spec)


def daemon_set(obj: Object) -> None:
    """One node at a time, none twice, ten revisions kept."""
    spec = obj.setdefault("spec", {})
    strategy = spec.setdefault("updateStrategy", {})
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", REVISION_HISTORY_LIMIT)
    pods.template(spec)


MAX_UNAVAILABLE_SINCE: Final = 35
"""The minor version since which the feature gate MaxUnavailableStatefulSet is on."""


def stateful_set(obj: Object, minor: int) -> None:
    """One replica, in order, all updated; its claims stay when it goes. Kubernetes 1.`minor`."""
    spec = obj.setdefault("spec", {})
    spec["podManagementPolicy"] = spec.get("podManagementPolicy") or "OrderedReady"
    strategy = spec.setdefault("updateStrategy", {})
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("partition", 0)
        if minor >= MAX_UNAVAILABLE_SINCE:
            rolling.setdefault("maxUnavailable", 1)
    kept = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    for when in ("whenDeleted", "whenScaled"):
        kept[when] = kept.get(when) or "Retain"
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", REVISION_HISTORY_LIMIT)
    pods.template(spec)
    templates = spec.get("volumeClaimTemplates") or []
    for index, claim in enumerate(templates):
        templates[index] = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"} | claim
        claims.claim(templates[index])


def replication_controller(obj: Object) -> None:
    """One replica; labels and selector are the template's where they are not said."""
    spec = obj.setdefault("spec", {})
    template = spec.get("template")
    labels = ((template or {}).get("metadata") or {}).get("labels")
    if labels:
        spec["selector"] = spec.get("selector") or dict(labels)
        obj["metadata"]["labels"] = obj["metadata"].get("labels") or dict(labels)
    spec.setdefault("replicas", 1)
    if template is not None:
        pods.template(spec)


def pod_template(obj: Object) -> None:
    """What any template gets."""
    pods.template(obj)


BY_RESOURCE: Final[Mapping[str, Callable[[Object], None]]] = {
    "daemonsets.apps": daemon_set,
    "deployments.apps": deployment,
    "podtemplates": pod_template,
    "replicasets.apps": replica_set,
    "replicationcontrollers": replication_controller,
}

BY_VERSION: Final[Mapping[str, Callable[[Object, int], None]]] = {
    "statefulsets.apps": stateful_set,
}
