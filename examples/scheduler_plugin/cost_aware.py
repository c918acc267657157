"""A scheduler plugin: nodes have a price, pods may say what they are worth, and cheap nodes win.

A node's price is its label `example.com/hourly-cost`. A pod with the annotation
`example.com/max-hourly-cost` goes to no node that costs more, nor to one without a price.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from cluster.api import objects
from cluster.scheduler.framework import points
from cluster.scheduler.framework.events import Event, Occurrence
from cluster.scheduler.framework.points import Codes, CycleState, Reads, Scores
from cluster.scheduler.framework.status import Status, unresolvable
from cluster.scheduler.nodes.columns import Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.plugins.handle import Handle
from cluster.scheduler.pods import PodInfo

MAXIMUM = "example.com/max-hourly-cost"
TOO_DEAR, UNPRICED = 1, 2


class CostAware:
    """Filters by what a pod is worth, and prefers cheap nodes."""

    name = "CostAware"
    reads = Reads.NODE

    def __init__(self, args: Mapping[str, Any] | None, _handle: Handle) -> None:
        self._label = (args or {}).get("label", "example.com/hourly-cost")
        self.hints = {Event.NODE_ADD: self._affordable, Event.NODE_LABELS: self._affordable}

    def sign(self, pod: PodInfo) -> Any:
        """All of a pod that this plugin looks at: pods that are alike in it are judged once."""
        return objects.annotations(pod.object).get(MAXIMUM)

    def filter(self, _state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> Codes:
        """0 for nodes that the pod may run on."""
        most = self._maximum(pod)
        if most is None:
            return np.zeros(len(rows), np.int64)
        return np.array([self._judge(most, nodes.node(row)) for row in rows.tolist()], np.int64)

    def verdict(self, _state: CycleState, _pod: PodInfo, _nodes: NodeTable, code: int) -> Status:
        """What a code means; the scheduler adds up nodes with the same reason."""
        if code == TOO_DEAR:
            return unresolvable("node(s) cost more than the pod is worth")
        return unresolvable("node(s) had no price")

    def score(self, _state: CycleState, _pod: PodInfo, nodes: NodeTable, rows: Rows) -> Scores:
        """The price in hundredths; a node without one is taken for free."""
        prices = [self._price(nodes.node(row)) or 0.0 for row in rows.tolist()]
        return np.array([round(100 * price) for price in prices], np.int64)

    def normalize(self, scores: Scores) -> Scores:
        """The cheapest gets 100."""
        return points.normalized(scores, reverse=True)

    def _judge(self, most: float, node: objects.Object) -> int:
        price = self._price(node)
        if price is None:
            return UNPRICED
        return TOO_DEAR if price > most else 0

    def _price(self, node: objects.Object) -> float | None:
        text = objects.labels(node).get(self._label)
        return float(text) if text else None

    def _maximum(self, pod: PodInfo) -> float | None:
        text = objects.annotations(pod.object).get(MAXIMUM)
        return float(text) if text else None

    def _affordable(self, pod: PodInfo, occurrence: Occurrence) -> bool:
        """Whether a node that appeared or changed may help a pod that was turned down."""
        most = self._maximum(pod)
        return most is None or self._judge(most, occurrence.new) == 0
