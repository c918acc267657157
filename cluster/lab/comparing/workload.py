"""A workload's manifests, put under a RuntimeClass. Pure: what goes in is never changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import objects
from cluster.api.objects import Object

NONE: Final = "none"
"""Stands for no RuntimeClass at all: pods run as they do where nobody says anything."""
_TEMPLATES: Final[Mapping[str, tuple[str, ...]]] = {
    "Pod": ("spec",),
    "Deployment": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "ReplicationController": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
"""Where the pods' spec is in each kind that makes pods."""
_SCALED: Final[Mapping[str, str]] = {
    "Deployment": "deployments.apps",
    "ReplicaSet": "replicasets.apps",
    "StatefulSet": "statefulsets.apps",
    "ReplicationController": "replicationcontrollers",
}


@dataclass(frozen=True, slots=True)
class Scaled:
    """A workload whose number of replicas can be changed, and that number."""

    kind: str
    namespace: str
    name: str
    replicas: int
    labels: Mapping[str, str]
    """Of its pods."""

    @property
    def resource(self) -> str:
        """The id of its resource."""
        return _SCALED[self.kind]

    def owns(self, pod: Object) -> bool:
        """Whether a pod is one of its replicas, by its labels."""
        shown = objects.labels(pod)
        return objects.namespace(pod) == self.namespace and all(
            shown.get(key) == value for key, value in self.labels.items()
        )


def makes_pods(obj: Object) -> bool:
    """Whether pods come of an object."""
    return obj.get("kind") in _TEMPLATES


def parted(given: Iterable[Object]) -> tuple[list[Object], list[Object]]:
    """What is there first (namespaces before all else), and what pods come of."""
    listed = list(given)
    others = [one for one in listed if not makes_pods(one)]
    others.sort(key=lambda one: one.get("kind") != "Namespace")
    return others, [one for one in listed if makes_pods(one)]


def under(obj: Object, runtime_class: str) -> Object:
    """The workload with its pods under a class; one that they name is replaced, and so is an
    overhead, which is the class's to say.
    """
    path = _TEMPLATES[obj["kind"]]
    return _changed(obj, path, runtime_class)


def _changed(obj: Mapping[str, Any], path: Sequence[str], name: str) -> Object:
    if path:
        inner = obj.get(path[0])
        return {**obj, path[0]: _changed(inner or {}, path[1:], name)}
    spec = {key: value for key, value in obj.items() if key not in ("runtimeClassName", "overhead")}
    return spec if name == NONE else {**spec, "runtimeClassName": name}


def largest(workloads: Iterable[Object]) -> Scaled | None:
    """The workload with the most replicas, the first of several; None where none has any."""
    found: Scaled | None = None
    for obj in workloads:
        kind, spec = obj.get("kind", ""), objects.spec(obj)
        wanted = spec.get("replicas", 1)
        if kind in _SCALED and (found is None or wanted > found.replicas):
            labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
            space = objects.namespace(obj) or "default"
            found = Scaled(kind, space, objects.name(obj), wanted, labels)
    return found
