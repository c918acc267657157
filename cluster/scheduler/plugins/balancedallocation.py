"""NodeResourcesBalancedAllocation: prefers nodes whose resources the pod makes more evenly used."""

from typing import Any

import numpy as np

from cluster.scheduler.framework.points import MAX_NODE_SCORE, CycleState, Reads, Scores
from cluster.scheduler.framework.status import SKIP, SUCCESS, Status
from cluster.scheduler.nodes.columns import Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.plugins import resourcescores
from cluster.scheduler.plugins.args import NodeResourcesBalancedAllocationArgs
from cluster.scheduler.plugins.resourcescores import Counted
from cluster.scheduler.pods import PodInfo

_HALF = MAX_NODE_SCORE // 2


class NodeResourcesBalancedAllocation:
    """Scores by the standard deviation of the used fractions of resources.

    Since Kubernetes 1.36 by how the pod would change it (75: not at all); before, `compares` false,
    by how it would be with the pod.
    """

    name = "NodeResourcesBalancedAllocation"
    reads = Reads.USAGE

    def __init__(
        self,
        args: NodeResourcesBalancedAllocationArgs | None = None,
        *,
        compares: bool = True,
    ) -> None:
        self._resources = (args or NodeResourcesBalancedAllocationArgs()).resources
        self._compares = compares

    def sign(self, pod: PodInfo) -> Any:
        """The requests."""
        return pod.requests

    def pre_score(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> Status:
        """Skip for a pod that asks for none of it: it would gather such pods on one node."""
        what = resourcescores.counted(pod, nodes, self._resources, defaults=False)
        if what is None or not what.asked.any():
            return SKIP
        state[self.name] = what
        return SUCCESS

    def score(self, state: CycleState, _pod: PodInfo, nodes: NodeTable, rows: Rows) -> Scores:
        """50 to 100: worse or better balanced than before."""
        what: Counted = state[self.name]
        allocatable = nodes.allocatable[what.columns, rows]
        present = allocatable > 0
        divisor = np.maximum(allocatable, 1)
        before = resourcescores.used(nodes, rows, what)
        after = np.minimum((before + what.asked) / divisor, 1.0)
        with_pod = resourcescores.balance(after, present)
        if not self._compares:
            return with_pod
        without = resourcescores.balance(np.minimum(before / divisor, 1.0), present)
        return np.asarray(_HALF + (_HALF + with_pod - without) // 2)
