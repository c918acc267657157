"""Pods that wait for a node which was promised to them, as a rule until their victims are gone.

Filters count a nominated pod on its node for all pods of the same or a lower priority: else what
was cleared for one would be taken by another (Kubernetes: PodNominator).
"""

from collections.abc import Iterator, Sequence

from cluster.scheduler.nodes.columns import Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.pods import PodInfo

_FEW: int = 64


class Nominations:
    """Nominated pods by node. A change counts in the node table as a change of the row's usage."""

    def __init__(self, table: NodeTable) -> None:
        self._table = table
        self._node_of: dict[str, str] = {}
        self._on_node: dict[str, dict[str, PodInfo]] = {}

    def __len__(self) -> int:
        return len(self._node_of)

    def put(self, pod: PodInfo, node: str) -> None:
        """Promise a node to a pod, in place of any that it was promised before."""
        before = self._on_node.get(node, {}).get(pod.key)
        if before is not None and before.requests == pod.requests and before.uid == pod.uid:
            self._on_node[node][pod.key] = pod
            return
        self.drop(pod.key)
        self._node_of[pod.key] = node
        self._on_node.setdefault(node, {})[pod.key] = pod
        self._table.touch(node)

    def drop(self, key: str) -> str:
        """End a pod's nomination; returns its node, "" where it had none."""
        node = self._node_of.pop(key, "")
        if node:
            here = self._on_node[node]
            del here[key]
            if not here:
                del self._on_node[node]
            self._table.touch(node)
        return node

    def node_of(self, key: str) -> str:
        """The node that a pod was promised, or ""."""
        return self._node_of.get(key, "")

    def at_least(self, node: str, priority: int) -> list[PodInfo]:
        """The pods nominated to a node that a pod of this priority must leave room for."""
        here = self._on_node.get(node)
        return [pod for pod in here.values() if pod.priority >= priority] if here else []

    def heeded(self, nodes: Sequence[str], priority: int) -> Iterator[tuple[int, PodInfo]]:
        """`at_least` of many nodes: each pod with the place of its node among them."""
        on_node = self._on_node
        for place, node in enumerate(nodes):
            here = on_node.get(node)
            if here:
                for pod in here.values():
                    if pod.priority >= priority:
                        yield place, pod

    def below(self, node: str, priority: int) -> list[PodInfo]:
        """The pods nominated to a node that have a lower priority."""
        return [p for p in self._on_node.get(node, {}).values() if p.priority < priority]

    def crowded(self, rows: Rows, priority: int) -> list[int]:
        """Those of the rows where a pod of this priority must leave room for others."""
        if not self._on_node:
            return []
        table = self._table
        if len(rows) <= _FEW:
            names = [(row, table.name(row)) for row in rows.tolist()]
            return [row for row, name in names if self.at_least(name, priority)]
        asked = set(rows.tolist())
        found = [table.row(name) for name in self._on_node if self.at_least(name, priority)]
        return sorted(row for row in found if row is not None and row in asked)
