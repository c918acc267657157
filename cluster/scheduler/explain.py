"""Remembers the last attempts: for every node, who turned the pod down or how it was scored.

Bounded by the number of attempts and by their size together; the oldest go first.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from cluster.scheduler.evaluation import Evaluation, KeptScores
from cluster.scheduler.framework.status import Status
from cluster.scheduler.nodes.columns import Rows

_COST_OF_ATTEMPT: Final = 1024


@dataclass(frozen=True, slots=True)
class NodeVerdict:
    """What an attempt said of one node: the rejection, or normalized scores by plugin, and what
    they were before (`raw`).

    `total` is the sum of the scores times the plugins' weights; None where the node was turned
    down, whose reasons are in `rejection`.
    """

    node: str
    rejection: Status | None
    scores: dict[str, int]
    total: int | None
    raw: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explanation:
    """One attempt: `node` is where the pod went, "" where it fit nowhere; `message` says why."""

    key: str
    uid: str
    time: float
    node: str
    message: str
    nodes: Sequence[NodeVerdict]
    weights: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Attempt:
    key: str
    uid: str
    time: float
    node: str
    message: str
    names: Sequence[str]
    scores: KeptScores | None
    weights: dict[str, int]
    verdicts: dict[Status, Rows]

    @property
    def cost(self) -> int:
        """Bytes, roughly."""
        rows = sum(found.nbytes for found in self.verdicts.values())
        return _COST_OF_ATTEMPT + rows + (self.scores.cost if self.scores else 0)


class History:
    """The last attempts. Keeps none where `attempts` is 0."""

    def __init__(self, *, attempts: int, size: int) -> None:
        self._attempts: deque[_Attempt] = deque()
        self._most = attempts
        self._size = size
        self._cost = 0

    def record(
        self, evaluation: Evaluation, weights: dict[str, int], names: Sequence[str], *,
        key: str, uid: str, time: float, node: str, message: str,
    ) -> None:  # fmt: skip
        """Keep what an attempt found. `names`: node names by row, as they are now."""
        if not self._most:
            return
        judged = evaluation.rejection is None
        attempt = _Attempt(
            key, uid, time, node, message, names,
            evaluation.kept_scores() if judged else None, weights,
            evaluation.verdicts() if judged else _everywhere(evaluation.rejection, names),
        )  # fmt: skip
        self._keep(attempt)

    def failed(self, key: str, uid: str, time: float, message: str) -> None:
        """An attempt ended by a fault: nothing is known of any node."""
        if self._most:
            self._keep(_Attempt(key, uid, time, "", message, (), None, {}, {}))

    def undone(self, key: str, uid: str, message: str) -> None:
        """The last attempt for a pod placed it, but it was not to be, for this reason."""
        for at in range(len(self._attempts) - 1, -1, -1):
            known = self._attempts[at]
            if known.key == key:
                if known.uid == uid:
                    self._attempts[at] = replace(known, node="", message=message)
                return

    def _keep(self, attempt: _Attempt) -> None:
        self._attempts.append(attempt)
        self._cost += attempt.cost
        while len(self._attempts) > self._most or self._cost > self._size:
            self._cost -= self._attempts.popleft().cost

    def total(self, key: str) -> int | None:
        """The score of the node that the last attempt for a pod chose."""
        for attempt in reversed(self._attempts):
            if attempt.key == key:
                return _total(attempt)
        return None

    def explain(self, key: str) -> Explanation | None:
        """The last attempt for the pod `namespace/name`, if it is still remembered."""
        for attempt in reversed(self._attempts):
            if attempt.key == key:
                return _explanation(attempt)
        return None


def _total(attempt: _Attempt) -> int | None:
    if attempt.scores is None or not attempt.node:
        return None
    feasible = attempt.scores.feasible()
    at = int(np.searchsorted(feasible, attempt.names.index(attempt.node)))
    try:
        scores = attempt.scores.normalized()
    except Exception:  # noqa: BLE001  (see _explanation)
        return None
    return sum(attempt.weights[name] * int(values[at]) for name, values in scores.items())


def _explanation(attempt: _Attempt) -> Explanation:
    found: dict[int, NodeVerdict] = {}
    for status, rows in attempt.verdicts.items():
        for row in rows.tolist():
            found[row] = NodeVerdict(attempt.names[row], status, {}, None)
    kept = attempt.scores
    plain = kept.plain() if kept else {}
    message = attempt.message
    try:
        by_plugin = kept.normalized() if kept else {}
    except Exception as fault:  # noqa: BLE001  (a plugin of others, that nobody asked until now)
        by_plugin = {}
        message = f"{message} (the scores cannot be shown: {fault})".strip()
    for at, row in enumerate(kept.feasible().tolist() if kept else ()):
        scores = {name: int(values[at]) for name, values in by_plugin.items()}
        total = sum(attempt.weights[name] * score for name, score in scores.items())
        raw = {name: int(values[at]) for name, values in plain.items()}
        found[row] = NodeVerdict(attempt.names[row], None, scores, total, raw)
    nodes = [found[row] for row in sorted(found, key=lambda row: attempt.names[row])]
    return Explanation(
        attempt.key, attempt.uid, attempt.time, attempt.node, message, nodes,
        attempt.weights,
    )  # fmt: skip


def _everywhere(rejection: Status | None, names: Sequence[str]) -> dict[Status, Rows]:
    """A pod that is turned down before any node is looked at is turned down on each."""
    if rejection is None:
        return {}
    rows = [row for row, name in enumerate(names) if name]
    return {rejection: np.array(rows, np.intp)}
