"""Looks for nodes where preemption would work, until there are enough, and chooses the best."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from cluster.scheduler.framework.status import Status
from cluster.scheduler.nodes.columns import Rows
from cluster.scheduler.plugins.noderesources import NodeResourcesFit
from cluster.scheduler.plugins.resourceneed import Need
from cluster.scheduler.preemption import choice, dryrun, resources
from cluster.scheduler.preemption.budgets import Budgets
from cluster.scheduler.preemption.choice import Candidate
from cluster.scheduler.preemption.dryrun import Question

NO_VICTIMS: Final = ("No preemption victims found for incoming pod",)
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
    match question.filters:
        case [NodeResourcesFit() as fit]:
            need = fit.need(question.state)
            found = _by_resources(outcome, question, need, _Terms(rows, wanted, budgets))
        case _:
            found = _one_by_one(outcome, question, _Terms(rows, wanted, budgets))
    if found:
        outcome.best = found[choice.harm(found).least()]
    return outcome


@dataclass(frozen=True, slots=True)
class _Terms:
    rows: Rows
    wanted: int
    budgets: Budgets


def _one_by_one(outcome: Outcome, question: Question, terms: _Terms) -> list[Candidate]:
    found: list[Candidate] = []
    harmless = False
    for row in terms.rows.tolist():
        tried = dryrun.on_node(question, row, terms.budgets)
        if not isinstance(tried, Candidate):
            outcome.add(tried.reasons if isinstance(tried, Status) else NO_VICTIMS)
            continue
        found.append(tried)
        harmless = harmless or not tried.violations
        if harmless and len(found) >= terms.wanted:
            break
    return found


def _by_resources(
    outcome: Outcome, question: Question, need: Need, terms: _Terms
) -> list[Candidate]:
    """Like `_one_by_one`, many nodes at once: gives the best of each part."""
    found: list[Candidate] = []
    count, harmless = 0, False
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
        found.append(run.candidate(at, question.cache.table.name(int(part[at]))))
        count += len(works)
        harmless = harmless or bool((harm.violations == 0).any())
        if harmless and count >= terms.wanted:
            break
    return found
