"""The decisions of a simulation: pod after pod, each as if those before it were bound."""

import random as randomness
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cluster.api import errors, objects
from cluster.api.objects import Object
from cluster.scheduler import explain, pods
from cluster.scheduler.config import Config
from cluster.scheduler.core import Core, Placed, Unfit
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.plugins import guard, registry
from cluster.scheduler.plugins.handle import Handle
from cluster.scheduler.preemption.budgets import Budgets
from cluster.scheduler.queue.heap import Heap
from cluster.scheduler.simulation import expansion
from cluster.scheduler.simulation.state import Refused, State

_TRIES: Final = 3
"""Attempts of a pod: one, one after its victims are gone, and one if somebody took their place."""
_EXPLAINED: Final = 256 << 20


@dataclass(slots=True)
class Outcome:
    """What becomes of a pod. `node` "": nowhere, for the reason in `message`; `score`: the node's.

    `victims` are the pods that would be evicted for it; `evicted_for`: for whom it had to go.
    """

    pod: Object
    node: str = ""
    score: int | None = None
    message: str = ""
    victims: list[str] = field(default_factory=list)
    evicted_for: str = ""


class _Nobody:
    """The API of a simulation: nothing is written."""

    async def bind(self, namespace: str, name: str, uid: str, node: str) -> None:
        """Nothing is bound."""
        raise errors.Forbidden(f"a simulation binds nothing: {namespace}/{name} to {node}")

    async def update(self, resource: str, obj: Object, *, subresource: str = "") -> Object:
        """Nothing is written."""
        raise errors.Forbidden(f"a simulation writes nothing: {resource} {objects.key(obj)}")


class Simulation:
    """Takes the state first (`state.take`), then places pods. `now`: seconds since the epoch.

    registry's errors where a profile cannot be built.
    """

    def __init__(self, config: Config, random: randomness.Random, now: float) -> None:
        cache, budgets = Cache(), Budgets()
        handle = Handle(cache, _Nobody(), random, config.emulates, budgets)
        self._profiles = registry.profiles(config.served, handle, config.plugins)
        self.state = State(cache, budgets, self._profiles)
        self._history = explain.History(attempts=1, size=_EXPLAINED)
        self._now = now
        self._cores = {
            profile.scheduler_name: Core(profile, cache, random, self._history)
            for profile in self._profiles
        }

    def expand(self, obj: Object) -> expansion.Expanded | None:
        """The pods of a workload; what comes with them is there from now on."""
        present = expansion.Present(self.state.owned, self.state.eligible)
        found = expansion.expand(obj, present)
        for resource, other in found.others if found is not None else ():
            self.state.take(resource, other)
        return found

    def place(self, wanted: Sequence[Object]) -> list[Outcome]:
        """Where the pods go, in the order given; they are tried in the order of the queue."""
        waiting: Heap[tuple[pods.PodInfo, Outcome]] = Heap()
        done: dict[str, Outcome] = {}
        for number, obj in enumerate(wanted):
            outcome = done[objects.key(obj)] = Outcome(obj)
            info = self._enter(obj, outcome)
            if info is not None:
                waiting.push(info.key, self._profiles.sort_key(info, number), (info, outcome))
        added = len(wanted)
        while (first := waiting.pop()) is not None:
            info, outcome = first
            for victim in self._try(info, outcome):
                again = done.get(victim.key)
                if again is None:
                    continue
                again.node, again.score, again.evicted_for = "", None, info.key
                added += 1
                rank = self._profiles.sort_key(victim, added)
                waiting.push(victim.key, rank, (victim, again))
        return list(done.values())

    def explain(self, obj: Object) -> tuple[explain.Explanation | None, Outcome]:
        """One attempt for a pod, as if it were on no node now."""
        outcome = Outcome(obj)
        if self.state.node_of(objects.key(obj)):
            self.state.gone(obj)
        spec = {name: value for name, value in objects.spec(obj).items() if name != "nodeName"}
        info = self._enter(obj | {"spec": spec}, outcome)
        if info is None:
            return None, outcome
        decision = self._decide(info)
        if isinstance(decision, Placed):
            outcome.node = decision.node
        else:
            outcome.message = decision.message
        if isinstance(decision, Unfit):
            outcome.victims = [one.key for one in decision.result.victims]
        return self._history.explain(info.key), outcome

    def _enter(self, obj: Object, outcome: Outcome) -> pods.PodInfo | None:
        """The pod as it enters the queue; None where it does not, for the reason in `outcome`."""
        there = self.state.node_of(objects.key(obj))
        if there:
            outcome.message = f"is there already, on node {there}"
            return None
        try:
            info = pods.info(self.state.admitted(obj))
        except (Refused, ValueError) as error:
            outcome.message = str(error)
            return None
        if info.node_name:
            self.state.take("pods", info.object)
            outcome.node, outcome.message = info.node_name, "spec.nodeName says so"
            return None
        name = pods.scheduler_name(info.object)
        if name not in self._cores:
            outcome.message = f"no scheduler here has the profile {name} (spec.schedulerName)"
            return None
        status = self._profiles.admit(info)
        if not status.ok:
            outcome.message = f"kept out of the queue by {status.plugin}: {status.message}"
            return None
        return info

    def _try(self, info: pods.PodInfo, outcome: Outcome) -> list[pods.PodInfo]:
        """Attempts until the pod is placed, or stays unplaced; the pods evicted for it."""
        evicted: list[pods.PodInfo] = []
        for _ in range(_TRIES):
            decision = self._decide(info)
            if isinstance(decision, Placed):
                outcome.node, outcome.message = decision.node, ""
                outcome.score = self._history.total(info.key)
                break
            outcome.message = decision.message
            victims = decision.result.victims if isinstance(decision, Unfit) else ()
            if not victims:
                break
            for victim in victims:
                self.state.gone(victim.object)
                outcome.victims.append(victim.key)
            evicted += victims
        return evicted

    def _decide(self, info: pods.PodInfo) -> "Placed | Unfit | _Fault":
        core = self._cores[pods.scheduler_name(info.object)]
        try:
            decision = core.schedule(info, self._now)
        except Exception as fault:  # noqa: BLE001  (a plugin's fault fails the one pod's attempt)
            return _Fault(guard.told(fault))
        if isinstance(decision, Placed | Unfit):
            return decision
        return _Fault(decision.message)


@dataclass(frozen=True, slots=True)
class _Fault:
    message: str
