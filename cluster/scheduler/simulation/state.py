"""The state of a simulation, and what pods get before a scheduler sees them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from cluster.api import limitranges, objects
from cluster.api.objects import Object
from cluster.scheduler import pods
from cluster.scheduler.feed import Feed
from cluster.scheduler.framework.profiles import Profiles
from cluster.scheduler.nodes import workloads
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.plugins import nodeaffinity, tainttoleration
from cluster.scheduler.preemption.budgets import Budgets
from cluster.scheduler.queue.scheduling_queue import SchedulingQueue, Timing
from cluster.scheduler.volumes import store

PODS: Final = "pods"
NODES: Final = "nodes"
CLASSES: Final = "priorityclasses.scheduling.k8s.io"
LIMITS: Final = "limitranges"
BUDGETS: Final = "poddisruptionbudgets.policy"
_WORKLOADS: Final = (workloads.SERVICES, *workloads.CONTROLLERS.values())
RESOURCES: Final = (
    "namespaces", CLASSES, LIMITS, BUDGETS, *_WORKLOADS, *store.RESOURCES, NODES, PODS,
)  # fmt: skip
"""What a simulation looks at, in the order in which it is best told of it."""

_SYSTEM: Final = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_PREEMPT: Final = "PreemptLowerPriority"


class Refused(ValueError):
    """A pod that the API would not take; the message says why."""


@dataclass
class State:
    """What is there. `profiles` is whose events the feed tells; nobody waits for them."""

    cache: Cache
    budgets: Budgets
    profiles: Profiles
    _classes: dict[str, Object] = field(default_factory=dict)
    _limits: dict[str, list[Object]] = field(default_factory=dict)
    _owned: dict[tuple[str, str], dict[str, Object]] = field(default_factory=dict)
    _numbers: Any = field(default_factory=count)

    def __post_init__(self) -> None:
        self._feed = Feed((), self.cache, SchedulingQueue(self.profiles, Timing()))

    def take(self, resource: str, obj: Object) -> None:
        """An object of one of RESOURCES is there. What is of another resource changes nothing."""
        if resource == PODS:
            self._take_pod(obj)
        elif resource == NODES:
            self.cache.set_node(_node(obj))
        elif resource == "namespaces":
            self._feed.namespace(None, _namespace(obj))
        elif resource in _WORKLOADS:
            self._feed.workload(resource, None, obj)
        elif resource in store.RESOURCES:
            self._feed.storage(resource, None, obj, 0.0)
        elif resource == BUDGETS:
            self.budgets.set(obj)
        elif resource == CLASSES:
            self._classes[objects.name(obj)] = obj
        elif resource == LIMITS:
            self._limits.setdefault(objects.namespace(obj), []).append(obj)

    def gone(self, pod: Object) -> None:
        """A pod is evicted."""
        self._feed.pod(pod, None, 0.0)

    def node_of(self, key: str) -> str:
        """Where a pod is, or ""."""
        return self.cache.node_of(key)

    def owned(self, space: str, kind: str, name: str) -> Sequence[Object]:
        """The pods of a controller; "" for those of all of the kind."""
        found = []
        for pod in self._owned.get((space, kind), {}).values():
            owner = objects.controller_of(pod) or {}
            if not name or owner.get("name") == name:
                found.append(pod)
        return found

    def eligible(self, pod: Object) -> Sequence[str]:
        """The nodes whose labels the pod wants and whose taints it tolerates, by name."""
        table, info = self.cache.table, pods.info(pod)
        rows = table.rows()
        good = nodeaffinity.required_mask(info, table, rows)
        good &= ~tainttoleration.refused(info, table, rows)
        return sorted(table.name(row) for row in rows[good].tolist())

    def admitted(self, pod: Object) -> Object:
        """The pod as the API would keep it: its priority, limits and uid. Refused."""
        spec = dict(objects.spec(pod))
        spec["containers"] = [dict(one) for one in spec.get("containers") or ()]
        metadata = dict(objects.meta(pod))
        metadata["uid"] = objects.uid(pod) or f"simulated-{next(self._numbers)}"
        made = pod | {"metadata": metadata, "spec": spec, "status": {"phase": "Pending"}}
        for limits in self._limits.get(objects.namespace(pod), ()):
            limitranges.give(limits, made)
        spec["priority"], policy = self._priority(spec.get("priorityClassName") or "")
        spec.setdefault("preemptionPolicy", policy)
        spec.setdefault("schedulerName", pods.DEFAULT_SCHEDULER_NAME)
        return made

    def _priority(self, name: str) -> tuple[int, str]:
        if name in _SYSTEM:
            return _SYSTEM[name], _PREEMPT
        if not name:
            marked = [one for one in self._classes.values() if one.get("globalDefault")]
            found = min(marked, key=lambda one: (one.get("value") or 0, objects.name(one)),
                        default=None)  # fmt: skip
        else:
            found = self._classes.get(name)
            if found is None:
                raise Refused(f"no PriorityClass with name {name} was found")
        if found is None:
            return 0, _PREEMPT
        return found.get("value") or 0, found.get("preemptionPolicy") or _PREEMPT

    def _take_pod(self, pod: Object) -> None:
        if pods.terminal(pod):
            return
        owner = objects.controller_of(pod)
        if owner is not None and not objects.deleting(pod):
            here = self._owned.setdefault((objects.namespace(pod), owner.get("kind", "")), {})
            here[objects.key(pod)] = pod
        info = pods.info(pod)
        if info.node_name:
            self._feed.pod(None, pod, 0.0)
        elif info.nominated_node_name:
            self.cache.nominations.put(info, info.nominated_node_name)


def _node(node: Object) -> Object:
    """A node of a file may say what it has by capacity alone."""
    status = objects.status(node)
    if status.get("allocatable") or not status.get("capacity"):
        return node
    return node | {"status": status | {"allocatable": status["capacity"]}}


def _namespace(obj: Object) -> Object:
    labels = {"kubernetes.io/metadata.name": objects.name(obj)} | objects.labels(obj)
    return obj | {"metadata": objects.meta(obj) | {"labels": labels}}
