"""The dry run on one node with every filter that looks at pods: right for any plugin, but slower.

Pods are taken out of the cache and put back (`nodes.trial`), and the filters asked each time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cluster.scheduler.framework.points import CycleState, Filter
from cluster.scheduler.framework.status import Status
from cluster.scheduler.nodes import residents
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.columns import Rows
from cluster.scheduler.nodes.trial import Trial
from cluster.scheduler.pods import PodInfo
from cluster.scheduler.preemption.budgets import Budgets
from cluster.scheduler.preemption.choice import Candidate


@dataclass(frozen=True, slots=True)
class Question:
    """Which pod is to be placed, and who judges whether it fits."""

    pod: PodInfo
    state: CycleState
    filters: Sequence[Filter]
    cache: Cache


def on_node(question: Question, row: int, budgets: Budgets) -> Candidate | Status | None:
    """The victims on one node; why it would not work; None where nobody could be evicted."""
    cache, pod = question.cache, question.pod
    node = cache.table.name(row)
    (here,) = cache.residents_of([node])
    found = [one for one in here.pods if one.priority < pod.priority]
    if not found:
        return None
    rows = np.array([row], np.intp)
    with Trial(cache) as trial:
        for one in found:
            trial.take_out(one)
        refused = _refusal(question, rows, node, trial)
        if refused is not None:
            return refused
        flags = budgets.violated(found) if budgets else [False] * len(found)
        flagged = list(zip(found, flags, strict=True))
        first = [one for one, violates in flagged if violates]
        then = [one for one, violates in flagged if not violates]
        violating = _evicted(question, rows, node, trial, first)
        others = _evicted(question, rows, node, trial, then)
    victims = sorted([*violating, *others], key=residents.importance)
    if not victims:
        return None  # the node would have passed as it is: nothing to do here
    return Candidate(node, tuple(victims), len(violating))


def fits_without(question: Question, node: str) -> bool:
    """Whether the pod would fit on a node without any of the pods that it could evict."""
    cache = question.cache
    row = cache.table.row(node)
    with Trial(cache) as trial:
        for one in cache.pods_on(node):
            if one.priority < question.pod.priority:
                trial.take_out(one)
        return _refusal(question, np.array([row], np.intp), node, trial) is None


def _evicted(
    question: Question, rows: Rows, node: str, trial: Trial, victims: Sequence[PodInfo]
) -> list[PodInfo]:
    """Let stay whoever can, in this order; returns the others."""
    evicted = []
    for one in victims:
        trial.put_back(one)
        if _refusal(question, rows, node, trial) is not None:
            trial.take_out(one)
            evicted.append(one)
    return evicted


def _refusal(question: Question, rows: Rows, node: str, trial: Trial) -> Status | None:
    """Who turns the pod down, with the pods nominated to the node and without them."""
    nominated = question.cache.nominations.at_least(node, question.pod.priority)
    for one in nominated:
        trial.put_in(one, node)
    refused = _judged(question, rows)
    for one in nominated:
        trial.remove(one)
    if refused is None and nominated:
        refused = _judged(question, rows)
    return refused


def _judged(question: Question, rows: Rows) -> Status | None:
    nodes = question.cache.table
    for plugin in question.filters:
        code = int(plugin.filter(question.state, question.pod, nodes, rows)[0])
        if code:
            status = plugin.verdict(question.state, question.pod, nodes, code)
            return Status(status.code, status.reasons, plugin.name)
    return None
