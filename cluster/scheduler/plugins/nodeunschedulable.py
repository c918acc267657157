"""NodeUnschedulable: turns down cordoned nodes (`spec.unschedulable`)."""

from typing import Any, Final

from cluster.api import objects
from cluster.api.tolerations import NO_SCHEDULE
from cluster.scheduler.framework import events
from cluster.scheduler.framework.events import Event, Occurrence
from cluster.scheduler.framework.points import Codes, CycleState, Reads
from cluster.scheduler.framework.status import SKIP, SUCCESS, Status, unresolvable
from cluster.scheduler.nodes.columns import Rows, Taint
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.plugins import tolerations
from cluster.scheduler.pods import PodInfo

_TAINT: Final[Taint] = ("node.kubernetes.io/unschedulable", "", NO_SCHEDULE)


class NodeUnschedulable:
    """Filters by spec.unschedulable, unless the pod tolerates the taint that stands for it."""

    name = "NodeUnschedulable"
    reads = Reads.NODE

    def __init__(self) -> None:
        self.hints: dict[Event, events.Hint] = {
            Event.NODE_ADD: _hint_node,
            Event.NODE_TAINTS: _hint_node,
            Event.POD_UPDATE: _hint_pod,
        }

    def sign(self, pod: PodInfo) -> Any:
        """The tolerations."""
        return _tolerates(pod)

    def pre_filter(
        self, _state: CycleState, pod: PodInfo, _nodes: NodeTable
    ) -> tuple[Status, frozenset[str] | None]:
        """Skip for a pod that tolerates cordoned nodes."""
        return (SKIP if _tolerates(pod) else SUCCESS), None

    def filter(self, _state: CycleState, _pod: PodInfo, nodes: NodeTable, rows: Rows) -> Codes:
        """1 for a cordoned node."""
        codes: Codes = nodes.unschedulable[rows].astype("int64")
        return codes

    def verdict(self, _state: CycleState, _pod: PodInfo, _nodes: NodeTable, _code: int) -> Status:
        """The one reason."""
        return unresolvable("node(s) were unschedulable")


def _tolerates(pod: PodInfo) -> bool:
    return tolerations.tolerated(pod.spec.get("tolerations") or (), _TAINT)


def _hint_node(_pod: PodInfo, occurrence: Occurrence) -> bool:
    """The node is not cordoned now, and is new or was."""
    if objects.spec(occurrence.new).get("unschedulable"):
        return False
    return occurrence.old is None or bool(objects.spec(occurrence.old).get("unschedulable"))


def _hint_pod(pod: PodInfo, _occurrence: Occurrence) -> bool:
    return _tolerates(pod)
