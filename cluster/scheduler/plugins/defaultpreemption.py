"""DefaultPreemption, as far as it goes: says whether removing pods could help, and removes none.

Where Kubernetes would find no victims, the text is Kubernetes' own. Where it would look for
victims, the text says that kubemu does not preempt yet.
"""

from collections.abc import Mapping
from typing import Final

from cluster.scheduler.diagnosis import fit_text
from cluster.scheduler.framework.points import CycleState
from cluster.scheduler.framework.status import Code, Status, unschedulable
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.columns import Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.pods import PodInfo

_NEVER: Final = "not eligible due to preemptionPolicy=Never."
_NOT_HELPFUL: Final = "Preemption is not helpful for scheduling"
_NO_VICTIMS: Final = "No preemption victims found for incoming pod"
_NOT_BUILT: Final = "node(s) have pods of lower priority, which this scheduler does not preempt yet"


class DefaultPreemption:
    """Words the end of the message of a pod that fits nowhere."""

    name = "DefaultPreemption"

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def post_filter(
        self, _state: CycleState, pod: PodInfo, nodes: NodeTable, verdicts: Mapping[Status, Rows]
    ) -> Status:
        """Never successful; `preemption: 0/3 nodes are available: …`."""
        if pod.spec.get("preemptionPolicy") == "Never":
            return unschedulable(f"preemption: {_NEVER}")
        helpless, victims, without = 0, 0, 0
        possible = self._cache.lowest_priority() < pod.priority
        for status, rows in verdicts.items():
            if status.code is not Code.UNSCHEDULABLE:
                helpless += len(rows)
                continue
            found = self._with_victims(nodes, rows, pod.priority) if possible else 0
            victims += found
            without += len(rows) - found
        counted = [(_NOT_HELPFUL, helpless), (_NO_VICTIMS, without), (_NOT_BUILT, victims)]
        text = fit_text(len(nodes), [((reason,), count) for reason, count in counted if count])
        return unschedulable(f"preemption: {text}")

    def _with_victims(self, nodes: NodeTable, rows: Rows, priority: int) -> int:
        """How many of the nodes have pods of a lower priority."""
        return sum(
            any(pod.priority < priority for pod in self._cache.pods_on(nodes.name(row)))
            for row in rows.tolist()
        )
