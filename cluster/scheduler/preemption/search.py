"""Looks for nodes where preemption would work, until there are enough, and chooses the best."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from cluster.scheduler.framework.points import Filter
from cluster.scheduler.framework.status import Status
from cluster.scheduler.nodes.columns import Mask, Rows
from cluster.scheduler.plugins.noderesources import NodeResourcesFit
from cluster.scheduler.plugins.resourceneed import Need
from cluster.scheduler.preemption import choice, dryrun, resources
from cluster.scheduler.preemption.budgets import Budgets
from cluster.scheduler.preemption.choice import Candidate
from cluster.scheduler.preemption.dryrun import Question

NO_VICTIMS: Final = ("No preemption victims found for incoming pod",)
_ORDERLY: Final = frozenset(
    (
        "NodeResourcesFit", "NodePorts", "VolumeRestrictions", "NodeVolumeLimits",
        "PodTopologySpread", "InterPodAffinity",
    )
)  # fmt: skip
_AT_ONCE: Final = 256
"""Nodes of one dry run in numpy: more candidates than asked for do no harm."""


@dataclass(slots=True)
class Outcome:
    """The best candidate; where there is none, why not, with the number of nodes."""

    best: Candidate | None = None
    reasons: dict[tuple[str, ...], int] = field(default_factory=dict)

    def add(self, reasons: tuple[str, ...], nodes: int = 1) -> None:
        """So many nodes do not work for these reasons."""
        if nodes:
            self.reasons[reasons] = self.reasons.get(reasons, 0) + nodes


def search(question: Question, rows: Rows, wanted: int, budgets: Budgets) -> Outcome:
    """Try the rows in their order until there are `wanted` candidates at least.

    One of them at least without the violation of a budget, or all rows have been tried.
    """
    outcome = Outcome()
    if question.cache.lowest_priority() >= question.pod.priority:
        outcome.add(NO_VICTIMS, len(rows))
        return outcome
    terms = _Terms(rows, wanted, budgets)
    found = _orderly(outcome, question, terms)
    if found is None:
        outcome.reasons.clear()
        found = _one_by_one(outcome, question, terms).candidates
    if found:
        outcome.best = found[choice.harm(found).least()]
    return outcome


@dataclass(frozen=True, slots=True)
class _Terms:
    rows: Rows
    wanted: int
    budgets: Budgets


@dataclass(slots=True)
class _Found:
    """Candidates worth comparing; `count` of how many, one of which at least harms no budget."""

    candidates: list[Candidate] = field(default_factory=list)
    count: int = 0
    harmless: bool = False

    def enough(self, terms: _Terms) -> bool:
        return self.harmless and self.count >= terms.wanted


def _orderly(outcome: Outcome, question: Question, terms: _Terms) -> list[Candidate] | None:
    """By resources where nothing else is in the way, one by one elsewhere. None: it will not do.

    The filters of _ORDERLY let a pod pass beside any of the victims where they let it pass beside
    all of them and beside none: of more pods there are only more to share with, to keep away from
    and to be skewed by, or more to be near to. With all of them is how things are. Without any of
    them is tried on the node that is chosen.
    """
    fits = [one for one in question.filters if isinstance(one, NodeResourcesFit)]
    if not fits or not all(one.name in _ORDERLY for one in question.filters):
        return None
    others = [one for one in question.filters if one is not fits[0]]
    plain = _plain(question, others, terms.rows)
    need = fits[0].need(question.state)
    quick = _Terms(terms.rows[plain], terms.wanted, terms.budgets)
    found = _by_resources(outcome, question, need, quick)
    if others and found.candidates:
        best = found.candidates[choice.harm(found.candidates).least()]
        if not dryrun.fits_without(question, best.node):
            return None
    if found.enough(terms) or plain.all():
        return found.candidates
    rest = _Terms(terms.rows[~plain], terms.wanted, terms.budgets)
    return _one_by_one(outcome, question, rest, found).candidates


def _plain(question: Question, others: Sequence[Filter], rows: Rows) -> Mask:
    """The rows where the other filters let the pod pass, and nobody was promised the node."""
    good: Mask = np.ones(len(rows), np.bool_)
    if not others:
        return good
    nodes = question.cache.table
    for plugin in others:
        good &= plugin.filter(question.state, question.pod, nodes, rows) == 0
    crowded = question.cache.nominations.crowded(rows, question.pod.priority)
    return good & ~np.isin(rows, crowded)


def _one_by_one(
    outcome: Outcome, question: Question, terms: _Terms, found: _Found | None = None
) -> _Found:
    found = found or _Found()
    for row in terms.rows.tolist():
        tried = dryrun.on_node(question, row, terms.budgets)
        if not isinstance(tried, Candidate):
            outcome.add(tried.reasons if isinstance(tried, Status) else NO_VICTIMS)
            continue
        found.candidates.append(tried)
        found.count += 1
        found.harmless = found.harmless or not tried.violations
        if found.enough(terms):
            break
    return found


def _by_resources(outcome: Outcome, question: Question, need: Need, terms: _Terms) -> _Found:
    """Like `_one_by_one`, many nodes at once: gives the best of each part."""
    found = _Found()
    step = max(terms.wanted, _AT_ONCE)
    for start in range(0, len(terms.rows), step):
        part = terms.rows[start : start + step]
        run = resources.dry_run(question.pod, need, part, question.cache, terms.budgets)
        outcome.add(NO_VICTIMS, int(run.lonely.sum()))
        for code in run.codes[run.short & ~run.lonely].tolist():
            outcome.add(need.texts(code))
        works = np.flatnonzero(run.works)
        if not len(works):
            continue
        harm = run.harm(works)
        at = int(works[harm.least()])
        node = question.cache.table.name(int(part[at]))
        found.candidates.append(run.candidate(at, node))
        found.count += len(works)
        found.harmless = found.harmless or bool((harm.violations == 0).any())
        if found.enough(terms):
            break
    return found
