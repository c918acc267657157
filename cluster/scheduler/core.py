"""One attempt to schedule a pod: pure. The node table and time in, a decision out."""

import random
from dataclasses import dataclass
from typing import Final

from cluster.scheduler import explain
from cluster.scheduler.diagnosis import Diagnosis
from cluster.scheduler.evaluation import Evaluation
from cluster.scheduler.framework.points import CycleState, PostFilterResult, Refusals
from cluster.scheduler.framework.profile import Profile
from cluster.scheduler.framework.status import Status
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.pods import PodInfo

_NOTHING: Final = PostFilterResult()
_TEMPLATES: Final = 32
"""How many kinds of pod have their verdicts kept."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The pod goes to this node, where it is assumed from now on."""

    node: str
    state: CycleState


@dataclass(frozen=True, slots=True)
class Unfit:
    """The pod fits nowhere now. Only events that these plugins care for can change it.

    `result` says whether it is promised a node, and which pods are to be evicted for that.
    """

    message: str
    rejected_by: tuple[str, ...]
    result: PostFilterResult = _NOTHING


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
        self._kept: dict[tuple[bytes, int], Evaluation] = {}

    def schedule(self, pod: PodInfo, now: float) -> Decision:
        """Find a node for the pod and assume it there. `now`: seconds since the epoch.

        A pod does not stand in its own way: its nomination does not count while it is judged, and
        the node that it was promised is taken, if it passes, without looking at others.
        """
        promised = self.cache.nominations.drop(pod.key)
        try:
            decision = self._decide(pod, promised, now)
        except Exception:
            self._nominate(pod, promised)
            raise
        if isinstance(decision, Unfit):
            name = decision.result.nominated_node_name
            self._nominate(pod, promised if name is None else name)
        elif isinstance(decision, Failed):
            self._nominate(pod, promised)
        return decision

    def release(self, state: CycleState, pod: PodInfo, node: str) -> None:
        """Binding failed: give back what was reserved, and forget the pod on the node."""
        for plugin in reversed(self.profile.reserves):
            plugin.unreserve(state, pod, node)
        if self.cache.forget(pod):
            self._nominate(pod, pod.nominated_node_name)

    def _decide(self, pod: PodInfo, promised: str, now: float) -> Decision:
        evaluation = self._evaluate(pod)
        row = evaluation.passes(promised) if promised else None
        if row is None:
            best = evaluation.best()
            if not len(best):
                return self._unfit(evaluation, pod, promised, now)
            row = int(best[0] if len(best) == 1 else best[self._random.randrange(len(best))])
        node = self.cache.table.name(row)
        self._record(evaluation, pod, now, node, "")
        return self._reserve(evaluation.state, pod, node)

    def _nominate(self, pod: PodInfo, node: str) -> None:
        if node:
            self.cache.nominations.put(pod, node)

    def _evaluate(self, pod: PodInfo) -> Evaluation:
        # Pods that are alike but for their priority have other nominations to leave room for.
        signed = self.profile.signature(pod)
        signature = None if signed is None else (signed, pod.priority)
        found = self._kept.pop(signature, None) if signature is not None else None
        evaluation = found or Evaluation(self.profile, pod, self.cache)
        if signature is not None:
            self._kept[signature] = evaluation
            if len(self._kept) > _TEMPLATES:
                del self._kept[next(iter(self._kept))]
        evaluation.refresh(pod)
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

    def _unfit(self, evaluation: Evaluation, pod: PodInfo, promised: str, now: float) -> Decision:
        table = self.cache.table
        diagnosis = Diagnosis(len(table), pre_filter=evaluation.rejection)
        if evaluation.rejection is None:
            diagnosis.verdicts = evaluation.verdicts()
        else:
            diagnosis.verdicts = {evaluation.rejection: table.rows()}
        result = _NOTHING
        if diagnosis.nodes:
            result = self._post_filter(evaluation, pod, promised, diagnosis)
        message = diagnosis.message()
        self._record(evaluation, pod, now, "", message)
        return Unfit(message, diagnosis.rejected_by, result)

    def _post_filter(
        self, evaluation: Evaluation, pod: PodInfo, promised: str, diagnosis: Diagnosis
    ) -> PostFilterResult:
        """The first success counts; else the first that has something to say of the nomination."""
        filters = () if evaluation.rejection is not None else evaluation.moving_filters()
        refusals = Refusals(diagnosis.verdicts, filters, promised)
        found = _NOTHING
        for plugin in self.profile.post_filters:
            status, result = plugin.post_filter(evaluation.state, pod, self.cache.table, refusals)
            diagnosis.post_filter = diagnosis.post_filter or status.message
            if status.ok:
                diagnosis.post_filter = status.message
                return result
            found = result if found == _NOTHING else found
        return found

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
