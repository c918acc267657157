"""The verdicts of all filters and scores on all nodes, for one pod and all pods like it.

A pod's verdict on a node is computed again only where that node, or what runs on it, changed: a
Deployment's second pod costs one row, not all of them. Results are kept per pod signature, which
the plugins give (`points.Signing`); a plugin that gives none makes every attempt start anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cluster.scheduler.framework import points
from cluster.scheduler.framework.points import CycleState, Reads, Scores
from cluster.scheduler.framework.profile import Profile
from cluster.scheduler.framework.status import Code, Status, unresolvable
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.columns import Mask, Rows
from cluster.scheduler.nodes.distinct import distinct
from cluster.scheduler.nodes.trial import Trial
from cluster.scheduler.pods import PodInfo

PASSED: Final = -1
NOT_ASKED: Final = -2
"""The row holds no node, or PreFilter left the node out."""
_INFEASIBLE: Final = -1


@dataclass(frozen=True, slots=True)
class KeptScores:
    """The scores of one attempt. `raw` is by row; `cluster` (raw as well, of plugins that read the
    cluster) and `done` are by place among those that passed.
    """

    names: tuple[str, ...]
    passed: Mask
    raw: Mapping[str, NDArray[np.int32]]
    cluster: Mapping[str, Scores]
    done: Mapping[str, Scores]
    normalizers: Mapping[str, points.NormalizeScore]

    @property
    def cost(self) -> int:
        """Bytes."""
        arrays = (self.passed, *self.raw.values(), *self.cluster.values(), *self.done.values())
        return sum(one.nbytes for one in arrays)

    def feasible(self) -> Rows:
        """The rows that passed every filter."""
        return np.flatnonzero(self.passed)

    def normalized(self) -> dict[str, Scores]:
        """Each plugin's normalized scores of the rows that passed."""
        rows = self.feasible()
        return {name: self._of(name, rows) for name in (self.names if len(rows) else ())}

    def plain(self) -> dict[str, Scores]:
        """Each plugin's scores of the rows that passed, before they are normalized."""
        rows = self.feasible()
        return {name: self._plain(name, rows) for name in (self.names if len(rows) else ())}

    def _plain(self, name: str, rows: Rows) -> Scores:
        found = self.cluster.get(name)
        return self.raw[name][rows].astype(np.int64) if found is None else found

    def _of(self, name: str, rows: Rows) -> Scores:
        found = self.done.get(name)
        if found is not None:
            return found
        scores = self._plain(name, rows)
        normalizer = self.normalizers.get(name)
        return normalizer.normalize(scores) if normalizer is not None else scores


class Evaluation:
    """Filters and scores of one kind of pod, by row.

    `failed` has the index (in `filters`) of the first filter that turned the row down, or PASSED,
    or NOT_ASKED; `codes` has that filter's code; `scores` has each plugin's scores, as they are
    before normalization.
    """

    def __init__(self, profile: Profile, pod: PodInfo, cache: Cache) -> None:
        self.pod = pod
        self._cache = cache
        self.state: CycleState = {}
        self.names: frozenset[str] | None = None
        self.rejection: Status | None = None
        self._profile = profile
        self._nodes = cache.table
        self._chosen_by: tuple[str, ...] = ()
        self._skipped = self._pre_filter() if self.rejection is None else set()
        skipped_scores = self._pre_score() if self.rejection is None else set()
        self.filters = [one for one in profile.filters if one.name not in self._skipped]
        self.score_plugins = [one for one in profile.scores if one.name not in skipped_scores]
        self._verdicts: dict[Status, Rows] | None = None
        self._first_usage = _first(self.filters, Reads.USAGE)
        self._first_cluster = _first(self.filters, Reads.CLUSTER)
        self._seen = -1
        self._uniform: dict[str, bool] = {}
        self._normalized: dict[str, Scores] = {}
        self._of_cluster: dict[str, Scores] = {}
        """The scores of plugins that read the cluster, before they are normalized."""
        self._feasible: Rows | None = None
        self._allocate()

    def refresh(self, pod: PodInfo) -> None:
        """Bring every row up to date with the node table. `pod`: the one at hand, alike to all."""
        nodes = self._nodes
        self.pod = pod
        if self.rejection is not None:
            return
        self._normalized.clear()
        self._of_cluster.clear()
        self._feasible = None
        self._verdicts = None
        if self._seen < 0 or len(self.failed) != nodes.capacity:
            self._allocate()
            self._judge_nodes(nodes.rows())
        elif self._seen < nodes.generation:
            changed = nodes.changed(nodes.node_changed, self._seen)
            used = nodes.changed(nodes.usage_changed, self._seen)
            if len(changed):
                self._judge_nodes(changed)
                used = np.setdiff1d(used, changed, assume_unique=True)
            if len(used):
                self._judge_usage(used)
        self._seen = nodes.generation
        if self._first_cluster < len(self.filters):
            self._judge_cluster()

    def passes(self, node: str) -> int | None:
        """The row of a node that passed every filter; None for any other."""
        row = self._nodes.row(node)
        if row is None or self.rejection is not None or self.failed[row] != PASSED:
            return None
        return row

    def moving_filters(self) -> Sequence[points.Filter]:
        """The filters whose verdicts depend on pods on nodes."""
        return self.filters[self._first_usage :]

    def feasible(self) -> Rows:
        """The rows that passed every filter."""
        if self._feasible is None:
            self._feasible = np.flatnonzero(self.failed == PASSED)
        return self._feasible

    def best(self) -> Rows:
        """The rows with the highest total score, ascending; none where no node passed."""
        totals, rows = self._total, None
        if not self._simple():
            rows = self.feasible()
            totals = self.totals(rows)
        highest = totals.max(initial=_INFEASIBLE)
        if highest == _INFEASIBLE:
            return np.zeros(0, np.intp)
        at = np.flatnonzero(totals == highest)
        return at if rows is None else rows[at]

    def totals(self, rows: Rows) -> Scores:
        """The weighted sums of the normalized scores of the rows that passed (all of them)."""
        total: Scores = self._total[rows]
        for plugin in self.score_plugins if len(rows) else ():
            if plugin.reads is Reads.CLUSTER or plugin.name in self._profile.normalizers:
                scores = self._normalized_by(plugin, rows)
                total += self._profile.weights[plugin.name] * scores
        return total

    def normalized(self, rows: Rows) -> dict[str, Scores]:
        """Each plugin's normalized scores of the rows that passed (all of them, for the scale)."""
        return {
            plugin.name: self._normalized_by(plugin, rows)
            for plugin in (self.score_plugins if len(rows) else ())
        }

    def kept_scores(self) -> KeptScores:
        """The scores of this attempt, to be read later: cheap, for hardly any are ever read."""
        raw = {
            plugin.name: self.scores[plugin.name].astype(np.int32)
            for plugin in self.score_plugins
            if plugin.reads is not Reads.CLUSTER
        }
        if len(raw) + len(self._of_cluster) < len(self.score_plugins):
            # Scores of plugins that read the cluster are of this moment alone.
            self.normalized(self.feasible())
        names = tuple(plugin.name for plugin in self.score_plugins)
        passed = self.failed == PASSED
        return KeptScores(
            names, passed, raw, dict(self._of_cluster), dict(self._normalized),
            self._profile.normalizers,
        )  # fmt: skip

    def _normalized_by(self, plugin: points.Score, rows: Rows) -> Scores:
        """A plugin's part of `normalized`, computed once between two refreshes."""
        found = self._normalized.get(plugin.name)
        if found is None:
            if plugin.reads is Reads.CLUSTER:
                found = plugin.score(self.state, self.pod, self._nodes, rows)
                self._of_cluster[plugin.name] = found
            else:
                found = self.scores[plugin.name][rows]
            normalizer = self._profile.normalizers.get(plugin.name)
            if normalizer is not None:
                found = normalizer.normalize(found)
            self._normalized[plugin.name] = found
        return found

    def verdicts(self) -> dict[Status, Rows]:
        """The rows that were turned down, by verdict, each with its plugin's name."""
        if self._verdicts is None:
            self._verdicts = self._find_verdicts()
        return self._verdicts

    def _find_verdicts(self) -> dict[Status, Rows]:
        found: dict[Status, Rows] = {}
        present = self._nodes.rows()
        failed = self.failed[present]
        if (failed == PASSED).all():
            return found
        for index, plugin in enumerate(self.filters):
            rows = present[failed == index]
            codes = self.codes[rows]
            for code in distinct(codes):
                status = plugin.verdict(self.state, self.pod, self._nodes, int(code))
                known = Status(status.code, status.reasons, plugin.name)
                more = rows[codes == code]
                found[known] = np.concatenate([found[known], more]) if known in found else more
        left_out = present[failed == NOT_ASKED]
        if len(left_out):
            found[self._left_out()] = left_out
        return found

    def _left_out(self) -> Status:
        plugins = " ".join(self._chosen_by)
        return unresolvable(f"node(s) didn't satisfy plugin(s) [{plugins}]")

    def _allocate(self) -> None:
        size = self._nodes.capacity
        self.failed: NDArray[np.int8] = np.full(size, NOT_ASKED, np.int8)
        self.codes: NDArray[np.int64] = np.zeros(size, np.int64)
        self.scores: dict[str, Scores] = {
            one.name: np.zeros(size, np.int64)
            for one in self.score_plugins
            if one.reads is not Reads.CLUSTER
        }
        self._total: Scores = np.full(size, _INFEASIBLE, np.int64)

    def _pre_filter(self) -> set[str]:
        skipped: set[str] = set()
        for plugin in self._profile.pre_filters:
            status, names = plugin.pre_filter(self.state, self.pod, self._nodes)
            if status.code is Code.SKIP:
                skipped.add(plugin.name)
            elif not status.ok:
                self.rejection = Status(status.code, status.reasons, plugin.name)
                return skipped
            if names is not None:
                self.names = names if self.names is None else self.names & names
                self._chosen_by = (*self._chosen_by, plugin.name)
        return skipped

    def _pre_score(self) -> set[str]:
        skipped: set[str] = set()
        for plugin in self._profile.pre_scores:
            status = plugin.pre_score(self.state, self.pod, self._nodes)
            if status.code is Code.SKIP:
                skipped.add(plugin.name)
        return skipped

    def _judge_nodes(self, rows: Rows) -> None:
        """Everything about rows whose node is new, changed or gone."""
        asked = rows[self._asked(rows)]
        self.failed[rows] = NOT_ASKED
        self._total[rows] = _INFEASIBLE
        self.failed[asked] = PASSED
        self._filter(asked, 0, self._first_usage)
        self._score(asked, Reads.NODE)
        self._judge_usage(asked)

    def _asked(self, rows: Rows) -> Mask:
        present: Mask = self._nodes.present[rows]
        if self.names is None:
            return present
        wanted = [row for name in sorted(self.names) if (row := self._nodes.row(name)) is not None]
        named: Mask = np.isin(rows, np.asarray(wanted, np.intp))
        return present & named

    def _judge_usage(self, rows: Rows) -> None:
        """What depends on usage, for rows whose verdicts about the node itself stand."""
        failed = self.failed[rows]
        again = (failed == PASSED) | (failed >= self._first_usage)
        if not again.all():
            rows = rows[again]
        if not len(rows):
            return
        self.failed[rows] = PASSED
        self._filter(rows, self._first_usage, self._first_cluster)
        self._leave_room(rows, self._first_usage, self._first_cluster)
        self._score(rows, Reads.USAGE)
        self._sum(rows)

    def _judge_cluster(self) -> None:
        """The filters that may look at anything, for all rows that passed the others."""
        rows = np.flatnonzero((self.failed == PASSED) | (self.failed >= self._first_cluster))
        self.failed[rows] = PASSED
        self._filter(rows, self._first_cluster, len(self.filters))
        for row in self._cache.nominations.crowded(self._passed(rows), self.pod.priority):
            # One by one: only a node's own nominations count when it is judged.
            only = np.array([row], np.intp)
            self._leave_room(only, self._first_cluster, len(self.filters))

    def _leave_room(self, rows: Rows, first: int, end: int) -> None:
        """Turn down the rows that pass only as long as the pods nominated to them do not count."""
        nominations = self._cache.nominations
        if first == end or not len(nominations):
            return
        crowded = nominations.crowded(self._passed(rows), self.pod.priority)
        if not crowded:
            return
        with Trial(self._cache) as trial:
            for row in crowded:
                node = self._nodes.name(row)
                for pod in nominations.at_least(node, self.pod.priority):
                    trial.put_in(pod, node)
            self._filter(np.array(crowded, np.intp), first, end)

    def _passed(self, rows: Rows) -> Rows:
        passed: Rows = rows[self.failed[rows] == PASSED]
        return passed

    def _filter(self, rows: Rows, first: int, end: int) -> None:
        for index in range(first, end):
            if not len(rows):
                return
            plugin = self.filters[index]
            codes = plugin.filter(self.state, self.pod, self._nodes, rows)
            bad = codes != 0
            if bad.any():
                self.failed[rows[bad]] = index
                self.codes[rows[bad]] = codes[bad]
                rows = rows[~bad]

    def _score(self, rows: Rows, reads: Reads) -> None:
        for plugin in self.score_plugins:
            if plugin.reads is reads:
                scores = plugin.score(self.state, self.pod, self._nodes, rows)
                self.scores[plugin.name][rows] = scores
                if plugin.name in self._profile.normalizers:
                    self._uniform.pop(plugin.name, None)

    def _sum(self, rows: Rows) -> None:
        """Bring the sums of the scores that need no normalization up to date."""
        total = np.zeros(len(rows), np.int64)
        for plugin in self.score_plugins:
            if plugin.reads is not Reads.CLUSTER and plugin.name not in self._profile.normalizers:
                total += self._profile.weights[plugin.name] * self.scores[plugin.name][rows]
        total[self.failed[rows] != PASSED] = _INFEASIBLE
        self._total[rows] = total

    def _simple(self) -> bool:
        """Whether the kept sums order the nodes as the whole scores would.

        So it is where each score that is normalized is the same on all nodes, and no filter has
        had its say about the cluster: the sums are of the rows that passed all others.
        """
        if self._first_cluster < len(self.filters):
            return False
        for plugin in self.score_plugins:
            if plugin.reads is Reads.CLUSTER:
                return False
            if plugin.name not in self._profile.normalizers:
                continue
            uniform = self._uniform.get(plugin.name)
            if uniform is None:
                scores = self.scores[plugin.name][self.failed != NOT_ASKED]
                uniform = not len(scores) or bool((scores == scores[0]).all())
                self._uniform[plugin.name] = uniform
            if not uniform:
                return False
        return True


def _first(filters: Sequence[points.Filter], reads: Reads) -> int:
    """The index of the first filter that reads this or more."""
    return next((at for at, one in enumerate(filters) if one.reads >= reads), len(filters))
