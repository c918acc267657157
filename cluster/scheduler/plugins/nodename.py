"""NodeName: a pod that names its node fits no other."""

from typing import Any

import numpy as np

from cluster.api import objects
from cluster.scheduler.framework import events
from cluster.scheduler.framework.events import Event, Occurrence
from cluster.scheduler.framework.points import Codes, CycleState, Reads
from cluster.scheduler.framework.status import SKIP, SUCCESS, Status, unresolvable
from cluster.scheduler.nodes.columns import Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.pods import PodInfo


class NodeName:
    """Filters by spec.nodeName."""

    name = "NodeName"
    reads = Reads.NODE

    def __init__(self) -> None:
        self.hints: dict[Event, events.Hint] = {Event.NODE_ADD: _hint}

    def sign(self, pod: PodInfo) -> Any:
        """The name of the node."""
        return pod.node_name

    def pre_filter(
        self, _state: CycleState, pod: PodInfo, _nodes: NodeTable
    ) -> tuple[Status, frozenset[str] | None]:
        """Skip for a pod that names no node."""
        return (SUCCESS if pod.node_name else SKIP), None

    def filter(self, _state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> Codes:
        """1 for every other node."""
        row = nodes.row(pod.node_name)
        return np.asarray(rows != (-1 if row is None else row), np.int64)

    def verdict(self, _state: CycleState, _pod: PodInfo, _nodes: NodeTable, _code: int) -> Status:
        """The one reason."""
        return unresolvable("node(s) didn't match the requested node name")


def _hint(pod: PodInfo, occurrence: Occurrence) -> bool:
    return objects.name(occurrence.new) == pod.node_name
