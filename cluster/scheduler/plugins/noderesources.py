"""NodeResourcesFit: does the pod fit, and how full or empty would the node be."""

from typing import Any

from cluster.api import objects, podrequests
from cluster.scheduler import requests
from cluster.scheduler.framework import events
from cluster.scheduler.framework.events import Event, Occurrence
from cluster.scheduler.framework.points import Codes, CycleState, Reads, Scores
from cluster.scheduler.framework.status import SKIP, SUCCESS, Code, Status
from cluster.scheduler.nodes.columns import Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.plugins import resourceneed, resourcescores
from cluster.scheduler.plugins.args import REQUESTED_TO_CAPACITY_RATIO, NodeResourcesFitArgs
from cluster.scheduler.plugins.resourceneed import NEVER_BIT, Need
from cluster.scheduler.plugins.resourcescores import Counted
from cluster.scheduler.pods import PodInfo


class NodeResourcesFit:
    """Filters by free resources; scores by what would be used, as the scoring strategy says."""

    name = "NodeResourcesFit"
    reads = Reads.USAGE

    def __init__(self, args: NodeResourcesFitArgs | None = None) -> None:
        self._args = args or NodeResourcesFitArgs()
        self._formula = resourcescores.formula(self._args.scoring_strategy)
        self._ratio = self._args.scoring_strategy.type == REQUESTED_TO_CAPACITY_RATIO
        self._scored = f"{self.name}/scored"
        self.hints: dict[Event, events.Hint] = {
            Event.NODE_ADD: _hint_node,
            Event.NODE_ALLOCATABLE: _hint_node,
            Event.ASSIGNED_POD_DELETE: events.always,
            Event.ASSIGNED_POD_UPDATE: _hint_assigned,
            Event.POD_UPDATE: _hint_pod,
        }

    def sign(self, pod: PodInfo) -> Any:
        """The requests."""
        return pod.requests

    def pre_filter(
        self, state: CycleState, pod: PodInfo, nodes: NodeTable
    ) -> tuple[Status, frozenset[str] | None]:
        """Find the columns of what is requested."""
        args = self._args
        state[self.name] = resourceneed.of(
            pod, nodes, args.ignored_resources, args.ignored_resource_groups
        )
        return SUCCESS, None

    def need(self, state: CycleState) -> Need:
        """What the pod of this state needs."""
        need: Need = state[self.name]
        return need

    def filter(self, state: CycleState, _pod: PodInfo, nodes: NodeTable, rows: Rows) -> Codes:
        """The bits of the needs that are not met."""
        return self.need(state).lacking(nodes, rows)

    def verdict(self, state: CycleState, _pod: PodInfo, _nodes: NodeTable, code: int) -> Status:
        """One reason for each need that is not met."""
        kind = Code.UNRESOLVABLE if code & NEVER_BIT else Code.UNSCHEDULABLE
        return Status(kind, self.need(state).texts(code))

    def pre_score(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> Status:
        """Find the columns of what is scored. Skip where none of it counts for this pod."""
        resources = self._args.scoring_strategy.resources
        what = resourcescores.counted(pod, nodes, resources, defaults=True)
        if what is None:
            return SKIP
        state[self._scored] = what
        return SUCCESS

    def score(self, state: CycleState, _pod: PodInfo, nodes: NodeTable, rows: Rows) -> Scores:
        """The weighted mean of the scored resources."""
        what: Counted = state[self._scored]
        return resourcescores.weighted(nodes, rows, what, self._formula, only_positive=self._ratio)


def _hint_node(pod: PodInfo, occurrence: Occurrence) -> bool:
    """The node, were it empty, would hold the pod, and is new or has more of what it needs."""
    now = _allocatable(occurrence.new)
    needed = (*pod.requests.amounts, (requests.PODS, 1))
    if any(amount > now.get(name, 0) for name, amount in needed):
        return False
    if occurrence.old is None:
        return True
    before = _allocatable(occurrence.old)
    return any(now.get(name, 0) > before.get(name, 0) for name, _ in needed)


def _allocatable(node: Any) -> podrequests.Amounts:
    return podrequests.amounts(objects.status(node).get("allocatable"))


def _hint_assigned(pod: PodInfo, occurrence: Occurrence) -> bool:
    """A placed pod asks for less of something that this pod needs."""
    before = dict(requests.of(occurrence.old).amounts)
    after = dict(requests.of(occurrence.new).amounts)
    return any(before.get(name, 0) > after.get(name, 0) for name, _ in pod.requests.amounts)


def _hint_pod(pod: PodInfo, occurrence: Occurrence) -> bool:
    """It asks for less of something than before."""
    now = dict(pod.requests.amounts)
    return any(now.get(name, 0) < amount for name, amount in requests.of(occurrence.old).amounts)
