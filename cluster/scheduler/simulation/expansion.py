"""Workloads to the pods that their controllers would make, beside those that are there.

Names of pods that a controller would choose at random are `NAME-0`, `NAME-1`….
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import objects
from cluster.api.objects import Object

MOST_PODS: Final = 100_000
_TOLERATED: Final = (
    ("not-ready", "NoExecute"),
    ("unreachable", "NoExecute"),
    ("disk-pressure", "NoSchedule"),
    ("memory-pressure", "NoSchedule"),
    ("pid-pressure", "NoSchedule"),
    ("unschedulable", "NoSchedule"),
)


class TooMany(ValueError):
    """A workload wants more pods than are tried; the message says so."""


@dataclass(frozen=True, slots=True)
class Present:
    """What is there already. `owned` has the pods of a controller, by namespace, kind and name;
    `eligible` the nodes that a pod may run on by its affinity and tolerations alone.
    """

    owned: Callable[[str, str, str], Sequence[Object]]
    eligible: Callable[[Object], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Expanded:
    """Pods to place; objects that come with them, by resource; how many pods are there already."""

    pods: list[Object]
    others: list[tuple[str, Object]]
    there: int = 0


def expand(obj: Object, present: Present) -> Expanded | None:
    """The pods of a workload; None for what is none. TooMany."""
    expander = _EXPANDERS.get(obj.get("kind", ""))
    return expander(obj, present) if expander is not None else None


def _pod(obj: Object, _present: Present) -> Expanded:
    return Expanded([obj], [])


def _deployment(obj: Object, present: Present) -> Expanded:
    name, space = objects.name(obj), objects.namespace(obj)
    spec = objects.spec(obj)
    there = [
        pod
        for pod in present.owned(space, "ReplicaSet", "")
        if (owner := objects.controller_of(pod)) is not None
        and owner.get("name", "").rpartition("-")[0] == name
    ]
    made = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": f"{name}-simulated", "namespace": space, "uid": f"simulated-{name}"},
        "spec": {"selector": spec.get("selector"), "template": spec.get("template")},
    }
    pods = _copies(obj, made, _wanted(obj), len(there))
    return Expanded(pods, [("replicasets.apps", made)], len(there))


def _replicas(resource: str) -> Callable[[Object, Present], Expanded]:
    def expand_replicas(obj: Object, present: Present) -> Expanded:
        there = present.owned(objects.namespace(obj), obj["kind"], objects.name(obj))
        pods = _copies(obj, obj, _wanted(obj), len(there))
        return Expanded(pods, [(resource, obj)], len(there))

    return expand_replicas


def _stateful_set(obj: Object, present: Present) -> Expanded:
    spec, space = objects.spec(obj), objects.namespace(obj)
    there = {objects.name(pod) for pod in present.owned(space, "StatefulSet", objects.name(obj))}
    first = (spec.get("ordinals") or {}).get("start") or 0
    pods, claims = [], []
    for ordinal in range(first, first + _bounded(obj, _wanted(obj))):
        name = f"{objects.name(obj)}-{ordinal}"
        if name in there:
            continue
        pod = _of_template(obj, spec.get("template") or {}, name)
        volumes = []
        for template in spec.get("volumeClaimTemplates") or ():
            claim = f"{objects.name(template)}-{name}"
            claims.append(("persistentvolumeclaims", _claim(template, claim, space)))
            source = {"persistentVolumeClaim": {"claimName": claim}}
            volumes.append({"name": objects.name(template), **source})
        own = {one["name"] for one in volumes}
        kept = [one for one in pod["spec"].get("volumes") or () if one.get("name") not in own]
        pod["spec"] = pod["spec"] | {"volumes": [*kept, *volumes]}
        pods.append(pod)
    return Expanded(pods, [("statefulsets.apps", obj), *claims], len(there))


def _claim(template: Object, name: str, space: str) -> Object:
    metadata = {**objects.meta(template), "name": name, "namespace": space, "uid": f"uid-{name}"}
    kind = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    return {**template, **kind, "metadata": metadata}


def _job(obj: Object, present: Present) -> Expanded:
    spec = objects.spec(obj)
    wanted = spec.get("parallelism")
    wanted = 1 if wanted is None else wanted
    if spec.get("completions") is not None:
        wanted = min(wanted, spec["completions"])
    if spec.get("suspend"):
        wanted = 0
    there = present.owned(objects.namespace(obj), "Job", objects.name(obj))
    return Expanded(_copies(obj, obj, wanted, len(there)), [], len(there))


def _cron_job(obj: Object, _present: Present) -> Expanded:
    """The pods of its next run."""
    template = objects.spec(obj).get("jobTemplate") or {}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": objects.name(obj), "namespace": objects.namespace(obj)},
        "spec": template.get("spec") or {},
    }
    return _job(job, Present(lambda *_: (), _present.eligible))


def _daemon_set(obj: Object, present: Present) -> Expanded:
    template = objects.spec(obj).get("template") or {}
    there = {
        objects.spec(pod).get("nodeName")
        for pod in present.owned(objects.namespace(obj), "DaemonSet", objects.name(obj))
    }
    model = _of_template(obj, template, objects.name(obj))
    model["spec"] = model["spec"] | {"tolerations": _tolerations(model["spec"])}
    pods = []
    for node in present.eligible(model):
        if node not in there:
            metadata = {**model["metadata"], "name": f"{objects.name(obj)}-{node}"}
            spec = model["spec"] | {"affinity": _only(model["spec"].get("affinity"), node)}
            pods.append(model | {"metadata": metadata, "spec": spec})
    return Expanded(pods, [], len(there))


def _tolerations(spec: Object) -> list[Object]:
    wanted = [
        *_TOLERATED,
        *([("network-unavailable", "NoSchedule")] * bool(spec.get("hostNetwork"))),
    ]
    added = [
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect}
        for key, effect in wanted
    ]
    return [*(spec.get("tolerations") or ()), *added]


def _only(affinity: Object | None, node: str) -> Object:
    """The affinity, and no other node than this one."""
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    of_nodes = ((affinity or {}).get("nodeAffinity") or {}) | {
        "requiredDuringSchedulingIgnoredDuringExecution": required
    }
    return (affinity or {}) | {"nodeAffinity": of_nodes}


def _wanted(obj: Object) -> int:
    replicas = objects.spec(obj).get("replicas")
    return 1 if replicas is None else int(replicas)


def _bounded(obj: Object, count: int) -> int:
    if count > MOST_PODS:
        what = f"{obj.get('kind')} {objects.key(obj)}"
        raise TooMany(f"{what} wants {count} pods; at most {MOST_PODS} are tried")
    return count


def _copies(obj: Object, owner: Object, wanted: int, there: int) -> list[Object]:
    template = objects.spec(obj).get("template") or {}
    names = (f"{objects.name(obj)}-{at}" for at in range(there, _bounded(obj, wanted)))
    return [_of_template(owner, template, name) for name in names]


def _of_template(owner: Object, template: Mapping[str, Any], name: str) -> Object:
    meta = template.get("metadata") or {}
    reference = {
        "apiVersion": owner.get("apiVersion"),
        "kind": owner.get("kind"),
        "name": objects.name(owner),
        "uid": objects.uid(owner),
        "controller": True,
    }
    metadata = {
        "name": name,
        "namespace": objects.namespace(owner),
        "labels": meta.get("labels") or {},
        "annotations": meta.get("annotations") or {},
        "ownerReferences": [reference],
    }
    spec = template.get("spec") or {}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": dict(spec)}


def kinds() -> Iterator[str]:
    """The kinds that pods come of."""
    yield from _EXPANDERS


_EXPANDERS: Final[Mapping[str, Callable[[Object, Present], Expanded]]] = {
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _replicas("replicasets.apps"),
    "ReplicationController": _replicas("replicationcontrollers"),
    "StatefulSet": _stateful_set,
    "Job": _job,
    "CronJob": _cron_job,
    "DaemonSet": _daemon_set,
}
