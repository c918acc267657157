"""NodeResourcesBalancedAllocation: prefers nodes whose cpu and memory would be used evenly."""

from typing import Any

import numpy as np

from cluster.api.podrequests import CPU, MEMORY
from cluster.scheduler.framework.points import MAX_NODE_SCORE, CycleState, Reads, Scores
from cluster.scheduler.framework.status import SKIP, SUCCESS, Status
from cluster.scheduler.nodes.columns import Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.pods import PodInfo


class NodeResourcesBalancedAllocation:
    """Scores by the standard deviation of the used fractions of cpu and memory."""

    name = "NodeResourcesBalancedAllocation"
    reads = Reads.USAGE

    def sign(self, pod: PodInfo) -> Any:
        """The requests."""
        return pod.requests

    def pre_score(self, state: CycleState, pod: PodInfo, _nodes: NodeTable) -> Status:
        """Skip for a pod that asks for neither: it would gather such pods on one node."""
        amounts = dict(pod.requests.amounts)
        asked = [amounts.get(CPU, 0), amounts.get(MEMORY, 0)]
        if not any(asked):
            return SKIP
        state[self.name] = np.array(asked, np.int64)[:, None]
        return SUCCESS

    def score(self, state: CycleState, _pod: PodInfo, nodes: NodeTable, rows: Rows) -> Scores:
        """(1 - deviation) of the maximum. The deviation of two fractions is half their distance."""
        allocatable = nodes.allocatable[:2, rows]
        used = nodes.requested[:2, rows] + state[self.name]
        fractions = np.minimum(used / np.maximum(allocatable, 1), 1.0)
        deviation = np.abs(fractions[0] - fractions[1]) / 2
        deviation[(allocatable == 0).any(axis=0)] = 0.0
        scores: Scores = ((1 - deviation) * MAX_NODE_SCORE).astype(np.int64)
        return scores
