"""What a pod needs of a node, by column of the node table."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from cluster.scheduler.nodes.columns import Ints, Rows
from cluster.scheduler.nodes.table import PODS_COLUMN, NodeTable
from cluster.scheduler.pods import PodInfo
from cluster.scheduler.requests import PODS

TOO_MANY_PODS = "Too many pods"
NEVER_BIT = 1 << 62
"""In a code: the node could not hold the pod even if it were empty."""
_MOST_NEEDS = 62


@dataclass(frozen=True, slots=True)
class Need:
    """The pod's requests by column; the first is the pod itself. Bit i of a code is need i.

    `columns` and `amounts` are of shape (needs, 1).
    """

    reasons: tuple[str, ...]
    places: dict[str, int]
    """The index of each need by its resource's name."""
    columns: Ints
    amounts: Ints
    bits: Ints

    def lacking(self, nodes: NodeTable, rows: Rows) -> Ints:
        """The bits of what each row is short of, 0 where nothing is."""
        allocatable = nodes.allocatable[self.columns, rows]
        short = self.amounts > allocatable - nodes.requested[self.columns, rows]
        codes: Ints = self.bits @ short
        if codes.any():
            never = (self.amounts[1:] > allocatable[1:]).any(axis=0)
            codes[never] |= NEVER_BIT
        return codes

    def texts(self, code: int) -> tuple[str, ...]:
        """One reason for each need that is not met."""
        return tuple(text for at, text in enumerate(self.reasons) if code >> at & 1)


def of(pod: PodInfo, nodes: NodeTable, ignored: Collection[str], groups: Collection[str]) -> Need:
    """The need of a pod, but for extended resources that are passed over, by name or by group."""
    asked = [
        (name, amount)
        for name, amount in pod.requests.amounts
        if name not in ignored and not ("/" in name and name.partition("/")[0] in groups)
    ][: _MOST_NEEDS - 1]
    columns = [PODS_COLUMN, *(nodes.column(name) for name, _ in asked)]
    return Need(
        reasons=(TOO_MANY_PODS, *(f"Insufficient {name}" for name, _ in asked)),
        places={name: at for at, name in enumerate((PODS, *(name for name, _ in asked)))},
        columns=np.array(columns, np.int64)[:, None],
        amounts=np.array([1, *(amount for _, amount in asked)], np.int64)[:, None],
        bits=1 << np.arange(len(columns), dtype=np.int64),
    )
