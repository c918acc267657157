"""NodeResourcesFit: does the pod fit, and how empty would the node still be (LeastAllocated)."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from cluster.api import objects, podrequests
from cluster.scheduler import requests
from cluster.scheduler.framework import events
from cluster.scheduler.framework.events import Event, Occurrence
from cluster.scheduler.framework.points import MAX_NODE_SCORE, Codes, CycleState, Reads, Scores
from cluster.scheduler.framework.status import (
    SUCCESS,
    Code,
    Status,
)
from cluster.scheduler.nodes.columns import Ints, Rows
from cluster.scheduler.nodes.table import PODS_COLUMN, NodeTable
from cluster.scheduler.pods import PodInfo

_TOO_MANY_PODS: Final = "Too many pods"
_NEVER_BIT: Final = 1 << 62
"""The node could not hold the pod even if it were empty."""


@dataclass(frozen=True, slots=True)
class _Need:
    """The pod's requests by column; the first is the pod itself. Bit i of a code is need i."""

    reasons: tuple[str, ...]
    columns: Ints
    amounts: Ints
    bits: Ints


class NodeResourcesFit:
    """Filters by free resources; scores by what would be left of cpu and memory."""

    name = "NodeResourcesFit"
    reads = Reads.USAGE

    def __init__(self) -> None:
        self.hints: dict[Event, events.Hint] = {
            Event.NODE_ADD: _hint_node,
            Event.NODE_ALLOCATABLE: _hint_node,
            Event.ASSIGNED_POD_DELETE: events.always,
            Event.POD_UPDATE: _hint_pod,
        }

    def sign(self, pod: PodInfo) -> Any:
        """The requests."""
        return pod.requests

    def pre_filter(
        self, state: CycleState, pod: PodInfo, nodes: NodeTable
    ) -> tuple[Status, frozenset[str] | None]:
        """Find the columns of what is requested."""
        asked = pod.requests.amounts
        columns = [PODS_COLUMN, *(nodes.column(name) for name, _ in asked)]
        state[self.name] = _Need(
            reasons=(_TOO_MANY_PODS, *(f"Insufficient {name}" for name, _ in asked)),
            columns=np.array(columns, np.int64)[:, None],
            amounts=np.array([1, *(amount for _, amount in asked)], np.int64)[:, None],
            bits=1 << np.arange(len(columns), dtype=np.int64),
        )
        return SUCCESS, None

    def filter(self, state: CycleState, _pod: PodInfo, nodes: NodeTable, rows: Rows) -> Codes:
        """The bits of the needs that are not met."""
        need: _Need = state[self.name]
        allocatable = nodes.allocatable[need.columns, rows]
        short = need.amounts > allocatable - nodes.requested[need.columns, rows]
        codes: Codes = need.bits @ short
        if codes.any():
            never = (need.amounts[1:] > allocatable[1:]).any(axis=0)
            codes[never] |= _NEVER_BIT
        return codes

    def verdict(self, state: CycleState, _pod: PodInfo, _nodes: NodeTable, code: int) -> Status:
        """One reason for each need that is not met."""
        need: _Need = state[self.name]
        reasons = tuple(text for at, text in enumerate(need.reasons) if code >> at & 1)
        return Status(Code.UNRESOLVABLE if code & _NEVER_BIT else Code.UNSCHEDULABLE, reasons)

    def score(self, _state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> Scores:
        """LeastAllocated with weight 1 for cpu and 1 for memory."""
        asked = np.array(pod.requests.scoring, np.int64)[:, None]
        allocatable = nodes.allocatable[:2, rows]
        left = allocatable - nodes.scoring[:, rows] - asked
        counted = allocatable > 0
        each = np.where(
            counted & (left >= 0), left * MAX_NODE_SCORE // np.maximum(allocatable, 1), 0
        )
        scores: Scores = each.sum(axis=0) // np.maximum(counted.sum(axis=0), 1)
        return scores


def _hint_node(pod: PodInfo, occurrence: Occurrence) -> bool:
    """The node, were it empty, would hold the pod."""
    allocatable = objects.status(occurrence.new).get("allocatable") or {}
    if podrequests.amount(requests.PODS, allocatable.get(requests.PODS, "0")) < 1:
        return False
    return all(
        amount <= podrequests.amount(name, allocatable.get(name, "0"))
        for name, amount in pod.requests.amounts
    )


def _hint_pod(pod: PodInfo, occurrence: Occurrence) -> bool:
    """It asks for less of something than before."""
    now = dict(pod.requests.amounts)
    return any(now.get(name, 0) < amount for name, amount in requests.of(occurrence.old).amounts)
