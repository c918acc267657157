"""A rolling update: which old pods make way, and which nodes get a new pod beside the old one.

Source of the rules: kube-controller-manager's DaemonSet controller. Old pods that are not available
are replaced at once and count as unavailable. With surge the new pod comes first, and old ones on
nodes that should have none any more stay until enough others are available.
"""

from dataclasses import dataclass

from cluster.api import objects
from cluster.controllers.daemonset.nodepods import Step
from cluster.controllers.daemonset.observed import Daemon, Observed
from cluster.controllers.deployment import budget


@dataclass(frozen=True, slots=True)
class Limits:
    """How many nodes may have no available pod, and how many may have one more than they should."""

    unavailable: int
    surge: int


def rolling(daemon_set: objects.Object) -> objects.Object | None:
    """spec.updateStrategy.rollingUpdate; None where pods are updated by hand (OnDelete)."""
    strategy = objects.spec(daemon_set).get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return None
    return strategy.get("rollingUpdate") or {}


def limits(daemon_set: objects.Object, desired: int) -> Limits:
    """The limits where `desired` nodes should have a pod. Percentages are rounded up.

    Where both come to nothing one pod may be unavailable, or nothing could ever move.
    """
    strategy = rolling(daemon_set)
    if strategy is None:
        return Limits(0, 0)
    gone, extra = strategy.get("maxUnavailable"), strategy.get("maxSurge")
    unavailable = budget.scaled(1 if gone is None else gone, desired, round_up=True)
    surge = budget.scaled(extra or 0, desired, round_up=True)
    if desired > 0 and unavailable == 0 and surge == 0:
        unavailable = 1
    return Limits(unavailable, surge)


def allows_surge(daemon_set: objects.Object) -> bool:
    """Whether a node may have two pods for a while."""
    extra = (rolling(daemon_set) or {}).get("maxSurge") or 0
    return extra not in (0, "0", "0%")


def decide(seen: Observed, allowed: Limits) -> Step:
    """What a rolling update does next. Nothing is to be done for the nodes themselves now."""
    if allowed.surge == 0:
        return _by_gaps(seen, allowed.unavailable)
    return _by_surge(seen, allowed.surge)


def _nodes(seen: Observed) -> dict[str, tuple[Daemon | None, Daemon | None] | None]:
    """The new and the old pod of each node that has pods or should; None where it has too many."""
    found: dict[str, tuple[Daemon | None, Daemon | None] | None] = {}
    for node in dict.fromkeys((*seen.wanted(), *seen.pods)):
        there = [one for one in seen.pods.get(node, ()) if not one.terminating]
        new = [one for one in there if one.updated]
        old = [one for one in there if not one.updated]
        crowded = len(new) > 1 or len(old) > 1
        found[node] = None if crowded else (next(iter(new), None), next(iter(old), None))
    return found


def _by_gaps(seen: Observed, allowed: int) -> Step:
    unavailable = 0
    broken: list[objects.Object] = []
    candidates: list[objects.Object] = []
    for pair in _nodes(seen).values():
        new, old = pair or (None, None)
        if (new is None) == (old is None):
            unavailable += 1  # pods are missing, or too many: that is not the update's to mend
        elif new is not None:
            unavailable += not new.available
        elif old is not None and old.available:
            candidates.append(old.pod)
        elif old is not None:
            unavailable += 1
            broken.append(old.pod)
    return Step(delete=[*broken, *candidates[: max(0, allowed - unavailable)]])


def _by_surge(seen: Observed, allowed: int) -> Step:
    step = Step()
    surge = available = 0
    candidates: list[str] = []
    leaving: list[objects.Object] = []
    for node, pair in _nodes(seen).items():
        if pair is None:
            surge += 1
            continue
        new, old = pair
        told = old or new
        available += told is not None and told.available
        if old is None:
            continue
        if new is not None:
            if new.available:
                step.delete.append(old.pod)
            else:
                surge += 1
        elif not seen.verdict(node).run:
            (leaving if old.available else step.delete).append(old.pod)
        elif old.available:
            candidates.append(node)
        else:
            step.create.append(node)
    desired = sum(1 for _ in seen.wanted())
    step.delete += leaving[: max(0, available - desired)]
    step.create += candidates[: max(0, allowed - surge)]
    return step
