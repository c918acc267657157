"""One attempt to schedule a pod: pure. The node table and time in, a decision out."""

import random
from dataclasses import dataclass
from typing import Final

from cluster.scheduler import explain
from cluster.scheduler.diagnosis import Diagnosis
from cluster.scheduler.evaluation import Evaluation
from cluster.scheduler.framework.points import CycleState
from cluster.scheduler.framework.profile import Profile
from cluster.scheduler.framework.status import Status
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.pods import PodInfo

_TEMPLATES: Final = 32
"""How many kinds of pod have their verdicts kept."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The pod goes to this node, where it is assumed from now on."""

    node: str
    state: CycleState


@dataclass(frozen=True, slots=True)
class Unfit:
    """The pod fits nowhere now. Only events that these plugins care for can change it."""

    message: str
    rejected_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """A plugin could not do its work; try again after a while."""

    message: str


Decision = Placed | Unfit | Failed


class Core:
    """Decides for one pod at a time, and assumes each on its node.

    Of several best nodes the injected generator chooses one, each with the same chance (what
    kube-scheduler does by reservoir sampling).
    """

    def __init__(
        self, profile: Profile, cache: Cache, generator: random.Random, history: explain.History
    ) -> None:
        self.cache = cache
        self.profile = profile
        self._random = generator
        self._history = history
        self._kept: dict[bytes, Evaluation] = {}

    def schedule(self, pod: PodInfo, now: float) -> Decision:
        """Find a node for the pod and assume it there. `now`: seconds since the epoch."""
        evaluation = self._evaluate(pod)
        best = evaluation.best()
        if not len(best):
            return self._unfit(evaluation, pod, now)
        row = int(best[0] if len(best) == 1 else best[self._random.randrange(len(best))])
        node = self.cache.table.name(row)
        self._record(evaluation, pod, now, node, "")
        return self._reserve(evaluation.state, pod, node)

    def release(self, state: CycleState, pod: PodInfo, node: str) -> None:
        """Binding failed: give back what was reserved, and forget the pod on the node."""
        for plugin in reversed(self.profile.reserves):
            plugin.unreserve(state, pod, node)
        self.cache.forget(pod)

    def _evaluate(self, pod: PodInfo) -> Evaluation:
        signature = self.profile.signature(pod)
        found = self._kept.pop(signature, None) if signature is not None else None
        evaluation = found or Evaluation(self.profile, pod, self.cache.table)
        if signature is not None:
            self._kept[signature] = evaluation
            if len(self._kept) > _TEMPLATES:
                del self._kept[next(iter(self._kept))]
        evaluation.refresh()
        return evaluation

    def _reserve(self, state: CycleState, pod: PodInfo, node: str) -> Decision:
        self.cache.assume(pod, node)
        if self.profile.reserves:
            # The state is shared by all pods of a kind: what is reserved is this pod's own.
            state = dict(state)
        for plugin in self.profile.reserves:
            status = plugin.reserve(state, pod, node)
            if status.ok:
                continue
            self.release(state, pod, node)
            return _refusal(status, plugin.name)
        return Placed(node, state)

    def _unfit(self, evaluation: Evaluation, pod: PodInfo, now: float) -> Decision:
        diagnosis = Diagnosis(len(self.cache.table), pre_filter=evaluation.rejection)
        if evaluation.rejection is None:
            diagnosis.verdicts = evaluation.verdicts()
        else:
            diagnosis.verdicts = {evaluation.rejection: self.cache.table.rows()}
        for plugin in self.profile.post_filters if diagnosis.nodes else ():
            status = plugin.post_filter(evaluation.state, pod, self.cache.table, diagnosis.verdicts)
            diagnosis.post_filter = diagnosis.post_filter or status.message
        message = diagnosis.message()
        self._record(evaluation, pod, now, "", message)
        return Unfit(message, diagnosis.rejected_by)

    def _record(
        self, evaluation: Evaluation, pod: PodInfo, now: float, node: str, message: str
    ) -> None:
        self._history.record(
            evaluation, self.profile.weights, self.cache.table.names(),
            key=pod.key, uid=pod.uid, time=now, node=node, message=message,
        )  # fmt: skip


def _refusal(status: Status, plugin: str) -> Decision:
    if status.rejected:
        return Unfit(status.message, (plugin,))
    return Failed(status.message)
