"""Pods on nodes: those that the API says are bound, and those assumed until it does.

A pod is assumed on its node as soon as it is decided, so that the next decision counts it; the
watch confirms it, or a failed binding makes the cache forget it. Pods of nodes that are not known
(yet) are kept aside and counted when the node appears.

Who counts pods in a way of its own (by port, by label and zone) listens: see `Listener`.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from cluster.api import objects
from cluster.scheduler.nodes import residents
from cluster.scheduler.nodes.namespaces import Namespaces
from cluster.scheduler.nodes.nominations import Nominations
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.nodes.workloads import Workloads
from cluster.scheduler.pods import PodInfo
from cluster.scheduler.volumes.store import VolumeStore


@dataclass(slots=True)
class _Placed:
    pod: PodInfo
    node: str
    assumed: bool


class Listener(Protocol):
    """Follows the cache, to keep sums of its own. Must not fail, and not change the cache.

    A pod counts while its node is in the table: a node that appears is told of before its pods, and
    one that goes after them. So `cache.table.row(node)` is always known in `placed` and `removed`,
    and after as many `placed` as `removed` a row is empty when another node takes it.
    """

    def placed(self, pod: PodInfo, node: str) -> None:
        """A pod, bound or assumed, counts on a node now."""
        ...

    def removed(self, pod: PodInfo, node: str) -> None:
        """It does not any more. `pod` is equal to the one that was placed.

        A pod whose labels or requests change, or whose deletion begins, is removed as it was and
        placed as it is. A bound pod's other fields do not change in any way that matters here.
        """
        ...

    def node_set(self, old: objects.Object | None, node: objects.Object, row: int) -> None:
        """A node appeared (`old` is None) or changed; the table has its new state."""
        ...

    def node_removed(self, node: objects.Object, row: int) -> None:
        """A node is gone; the table still has it, for the last time."""
        ...


@dataclass(slots=True)
class Cache:
    """The node table together with the pods that fill it."""

    table: NodeTable = field(default_factory=NodeTable)
    namespaces: Namespaces = field(default_factory=Namespaces)
    workloads: Workloads = field(default_factory=Workloads)
    volumes: VolumeStore = field(default_factory=VolumeStore)
    _pods: dict[str, _Placed] = field(default_factory=dict)
    _on_node: dict[str, dict[str, PodInfo]] = field(default_factory=dict)
    _priorities: dict[int, int] = field(default_factory=dict)
    _listeners: list[Listener] = field(default_factory=list)
    nominations: Nominations = field(init=False)
    """Pods that wait for a node which was promised to them: not in the table's usage."""
    _residents: dict[str, residents.Residents] = field(default_factory=dict)
    _width: int = 0
    """Of how many resources the residents' columns know."""

    def __post_init__(self) -> None:
        self.nominations = Nominations(self.table)

    def listen(self, listener: Listener) -> None:
        """Tell a listener of all that is there, and from now on of each change.

        Whoever takes a pod out and puts it back (to see what would fit without it) is told of as
        well: sums kept by listeners always are those of the cache as it is now.
        """
        for row in self.table.rows().tolist():
            node = self.table.node(row)
            listener.node_set(None, node, row)
            for pod in self._on_node.get(objects.name(node), {}).values():
                listener.placed(pod, objects.name(node))
        self._listeners.append(listener)

    def set_node(self, node: objects.Object) -> None:
        """A node appeared or changed."""
        name = objects.name(node)
        before = self.table.row(name)
        old = None if before is None else self.table.node(before)
        row = self.table.set(node)
        for listener in self._listeners:
            listener.node_set(old, node, row)
        if old is None:
            for pod in self._on_node.get(name, {}).values():
                self._use(_Placed(pod, name, assumed=False), 1)

    def remove_node(self, name: str) -> None:
        """A node is gone. Its pods are remembered until the API tells of their end."""
        row = self.table.row(name)
        if row is None:
            return
        node = self.table.node(row)
        for listener in self._listeners:
            for pod in self._on_node.get(name, {}).values():
                listener.removed(pod, name)
            listener.node_removed(node, row)
        self.table.remove(name)
        self._residents.pop(name, None)

    def set_pod(self, pod: PodInfo) -> None:
        """The API says that a pod is bound: confirms an assumed one, corrects a wrong one."""
        self._place(pod, pod.node_name, assumed=False)

    def assume(self, pod: PodInfo, node: str) -> None:
        """Count a pod on a node before the API knows."""
        self._place(pod, node, assumed=True)

    def restore(self, pod: PodInfo, node: str, *, assumed: bool) -> None:
        """Put a pod back that was taken out for a trial."""
        self._place(pod, node, assumed=assumed)

    def forget(self, pod: PodInfo) -> bool:
        """Take back an assumed pod, if it is still only assumed. Whether it was."""
        placed = self._pods.get(pod.key)
        if placed is None or not placed.assumed or placed.pod.uid != pod.uid:
            return False
        self.remove_pod(pod.key)
        return True

    def remove_pod(self, key: str) -> PodInfo | None:
        """A pod is gone or has ended; returns it if it was on a node, bound or assumed."""
        placed = self._pods.pop(key, None)
        if placed is None:
            return None
        on_node = self._on_node[placed.node]
        del on_node[key]
        self._residents.pop(placed.node, None)
        if not on_node:
            del self._on_node[placed.node]
        self._use(placed, -1)
        self._count(placed.pod.priority, -1)
        return placed.pod

    def assumed(self, key: str, uid: str) -> bool:
        """Whether this pod is assumed on a node and not confirmed."""
        placed = self._pods.get(key)
        return placed is not None and placed.assumed and placed.pod.uid == uid

    def confirmed(self, key: str, uid: str) -> bool:
        """Whether the API has said that this pod is on a node."""
        placed = self._pods.get(key)
        return placed is not None and not placed.assumed and placed.pod.uid == uid

    def node_of(self, key: str) -> str:
        """The node that a pod is bound to or assumed on, or ""."""
        placed = self._pods.get(key)
        return placed.node if placed else ""

    def pods_on(self, node: str) -> list[PodInfo]:
        """The pods of a node, bound and assumed, oldest knowledge first."""
        return list(self._on_node.get(node, {}).values())

    def residents_of(self, nodes: Iterable[str]) -> list[residents.Residents]:
        """The pods of each node by importance, in columns."""
        kept = self._residents
        if self._width != len(self.table.resources):
            kept.clear()
            self._width = len(self.table.resources)
        return [kept.get(node) or self._resident(node) for node in nodes]

    def _resident(self, node: str) -> residents.Residents:
        found = residents.of(self._on_node.get(node, {}).values(), self.table)
        self._residents[node] = found
        return found

    def lowest_priority(self) -> float:
        """The lowest priority of any pod on a node; infinity where there is none."""
        return min(self._priorities, default=math.inf)

    def _place(self, pod: PodInfo, node: str, *, assumed: bool) -> None:
        self._residents.pop(node, None)
        before = self._pods.get(pod.key)
        if (
            before is not None
            and before.node == node
            and before.pod.uid == pod.uid
            and _counts_alike(before.pod, pod)
        ):
            before.pod, before.assumed = pod, assumed
            self._on_node[node][pod.key] = pod
            return
        self.remove_pod(pod.key)
        placed = self._pods[pod.key] = _Placed(pod, node, assumed)
        self._on_node.setdefault(node, {})[pod.key] = pod
        self._use(placed, 1)
        self._count(pod.priority, 1)

    def _count(self, priority: int, pods: int) -> None:
        count = self._priorities.get(priority, 0) + pods
        if count:
            self._priorities[priority] = count
        else:
            del self._priorities[priority]

    def _use(self, placed: _Placed, pods: int) -> None:
        row = self.table.row(placed.node)
        if row is None:
            return
        self.table.use(row, placed.pod.requests, pods)
        for listener in self._listeners:
            if pods > 0:
                listener.placed(placed.pod, placed.node)
            else:
                listener.removed(placed.pod, placed.node)


def _counts_alike(one: PodInfo, other: PodInfo) -> bool:
    """Whether whoever counted the one need not hear of the other."""
    return (
        one.requests == other.requests
        and objects.labels(one.object) == objects.labels(other.object)
        and objects.deleting(one.object) == objects.deleting(other.object)
    )
