"""DefaultPreemption: where a pod fits nowhere, finds pods of lower priority to evict for it.

Source: pkg/scheduler/framework/preemption and plugins/defaultpreemption. It decides; who carries
it out is `preemption.executor`.
"""

import random as randomness
from collections.abc import Mapping
from typing import Final

import numpy as np

from cluster.api import conditions, objects
from cluster.scheduler.diagnosis import fit_text
from cluster.scheduler.framework import events
from cluster.scheduler.framework.events import Event
from cluster.scheduler.framework.points import CycleState, PostFilterResult, Refusals
from cluster.scheduler.framework.status import SUCCESS, Code, Status, unresolvable, unschedulable
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.columns import Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.plugins.args import DefaultPreemptionArgs
from cluster.scheduler.pods import PodInfo
from cluster.scheduler.preemption import search
from cluster.scheduler.preemption.budgets import Budgets
from cluster.scheduler.preemption.dryrun import Question

DISRUPTION_TARGET: Final = "DisruptionTarget"
PREEMPTION_BY_SCHEDULER: Final = "PreemptionByScheduler"
_NEVER: Final = "not eligible due to preemptionPolicy=Never."
_TERMINATING: Final = "not eligible due to a terminating pod on the nominated node."
_NOT_HELPFUL: Final = "Preemption is not helpful for scheduling"
_WAITING: Final = "waiting for the preemption for this pod to be finished"
_KEEP: Final = PostFilterResult()
_END: Final = PostFilterResult("")


class DefaultPreemption:
    """Finds victims; and keeps a pod out of the queue while its victims are being evicted."""

    name = "DefaultPreemption"

    def __init__(
        self,
        cache: Cache,
        *,
        budgets: Budgets | None = None,
        random: randomness.Random | None = None,
        args: DefaultPreemptionArgs | None = None,
        preempting: dict[str, None] | None = None,
    ) -> None:
        self._cache = cache
        self._budgets = Budgets() if budgets is None else budgets
        self._random = random
        self._args = args or DefaultPreemptionArgs()
        self.preempting: dict[str, None] = {} if preempting is None else preempting
        """The uids of the pods whose victims are being evicted."""
        self.hints: dict[Event, events.Hint] = {Event.ASSIGNED_POD_DELETE: events.never}

    def pre_enqueue(self, pod: PodInfo) -> Status:
        """Success unless the pod's victims are being evicted."""
        return unresolvable(_WAITING) if pod.uid in self.preempting else SUCCESS

    def post_filter(
        self, state: CycleState, pod: PodInfo, nodes: NodeTable, refusals: Refusals
    ) -> tuple[Status, PostFilterResult]:
        """Success with the node and its victims; or `preemption: 0/3 nodes are available: …`."""
        unfit = self._ineligible(pod, nodes, refusals)
        if unfit:
            return unschedulable(f"preemption: {unfit}"), _KEEP
        rows = _resolvable(refusals)
        outcome = search.Outcome()
        if len(rows):
            question = Question(pod, state, refusals.filters, self._cache)
            wanted = self._args.wanted(len(rows))
            outcome = search.search(question, self._in_turn(rows), wanted, self._budgets)
        if outcome.best is not None:
            return SUCCESS, PostFilterResult(outcome.best.node, outcome.best.victims)
        return unschedulable(f"preemption: {_text(len(nodes), len(rows), outcome)}"), _END

    def _ineligible(self, pod: PodInfo, nodes: NodeTable, refusals: Refusals) -> str:
        if pod.spec.get("preemptionPolicy") == "Never":
            return _NEVER
        promised = refusals.nominated_node_name
        row = nodes.row(promised) if promised else None
        if row is None or _turned_down_for_good(refusals.verdicts, row):
            return ""
        waits = any(
            one.priority < pod.priority and _being_preempted(one)
            for one in self._cache.pods_on(promised)
        )
        return _TERMINATING if waits else ""

    def _in_turn(self, rows: Rows) -> Rows:
        """The rows from a random one on: so that not always the first nodes are emptied."""
        if self._random is None:
            return rows
        return np.roll(rows, -self._random.randrange(len(rows)))


def _resolvable(refusals: Refusals) -> Rows:
    """The rows that were turned down for something that removing pods may help against."""
    moving = {plugin.name for plugin in refusals.filters}
    found = [
        rows
        for status, rows in refusals.verdicts.items()
        if status.code is Code.UNSCHEDULABLE and status.plugin in moving
    ]
    return np.sort(np.concatenate(found)) if found else np.zeros(0, np.intp)


def _turned_down_for_good(verdicts: Mapping[Status, Rows], row: int) -> bool:
    return any(
        status.code is Code.UNRESOLVABLE and bool((rows == row).any())
        for status, rows in verdicts.items()
    )


def _being_preempted(pod: PodInfo) -> bool:
    """Whether the pod ends because a scheduler preempted it."""
    if not objects.deleting(pod.object):
        return False
    found = conditions.find(pod.object, DISRUPTION_TARGET) or {}
    return found.get("status") == "True" and found.get("reason") == PREEMPTION_BY_SCHEDULER


def _text(nodes: int, looked_at: int, outcome: search.Outcome) -> str:
    counted = [(reasons, count) for reasons, count in outcome.reasons.items()]
    if nodes > looked_at:
        counted.append(((_NOT_HELPFUL,), nodes - looked_at))
    return fit_text(nodes, counted)
