"""Preemption against a plain reading of its rules, one node and one pod at a time."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from scheduling import NoBinder, info, node, scheduler

from cluster.scheduler import core, pods
from cluster.scheduler.framework.points import Codes, CycleState, Reads
from cluster.scheduler.framework.profile import Profile, Weighted
from cluster.scheduler.framework.status import Status, unschedulable
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.columns import Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.plugins.defaultbinder import DefaultBinder
from cluster.scheduler.plugins.defaultpreemption import DefaultPreemption
from cluster.scheduler.plugins.noderesources import NodeResourcesFit
from cluster.scheduler.plugins.prioritysort import PrioritySort
from cluster.scheduler.preemption.budgets import Budgets

Json = dict[str, Any]
Victims = tuple[frozenset[str], int]

seeds = st.integers(0, 2**32)


def _cluster(dice: random.Random) -> list[Any]:
    """Nodes of few shapes, full of small pods of few priorities: so that there are many ties."""
    return [
        (dice.choice([4, 6]), dice.choice([4, 6]), dice.choice([4, 8]), _residents(dice))
        for _ in range(dice.randint(1, 6))
    ]


def _residents(dice: random.Random) -> list[Json]:
    return [
        {
            "cpu": dice.choice([1, 1, 2]),
            "memory": dice.choice([0, 1, 2]),
            "priority": dice.choice([-5, 0, 10, 10, 50]),
            "start": dice.choice([None, *range(6)]),
            "app": dice.choice(["", "a", "b"]),
        }
        for _ in range(dice.randint(0, 7))
    ]


def _wish(dice: random.Random) -> tuple[int, int, int]:
    return dice.randint(1, 6), dice.randint(0, 4), dice.choice([0, 10, 20, 100])


def _promises(dice: random.Random) -> list[tuple[int, int, int]]:
    some = range(dice.choice([0, 0, 1, 3]))
    return [(dice.randrange(6), dice.randint(1, 3), dice.choice([0, 20, 100])) for _ in some]


def _allowed(dice: random.Random) -> dict[str, int]:
    return {app: dice.randint(0, 2) for app in dice.sample("ab", dice.randint(0, 2))}


class Nothing:
    """A filter that turns nothing down; with it in the profile, every filter is asked each time."""

    name = "Nothing"
    reads = Reads.CLUSTER

    def filter(self, _state: CycleState, _pod: pods.PodInfo, _n: NodeTable, rows: Rows) -> Codes:
        return rows.astype("int64") * 0

    def verdict(self, _s: CycleState, _p: pods.PodInfo, _n: NodeTable, _code: int) -> Status:
        return unschedulable("never")


class World:
    """One cluster, in the cache and as plain numbers."""

    def __init__(
        self, nodes: list[Any], allowed: dict[str, int], promised: list[tuple[int, int, int]]
    ) -> None:
        self.cache = Cache()
        self.budgets = Budgets()
        self.allowed = allowed
        self.room: dict[str, dict[str, int]] = {}
        self.there: dict[str, list[pods.PodInfo]] = {}
        self.promised: dict[str, list[pods.PodInfo]] = {}
        for at, (cpu, memory, count, residents) in enumerate(nodes):
            name = f"n{at}"
            shape = {"cpu": str(cpu), "memory": f"{memory}Gi", "pods": str(count)}
            self.cache.set_node(node(name, **shape))
            self.room[name] = {"cpu": 1000 * cpu, "memory": memory << 30, "pods": count}
            self._fill(name, residents)
        for at, (where, cpu, priority) in enumerate(promised):
            if f"n{where}" in self.room:
                one = info(f"promised-{at}", cpu=str(cpu), priority=priority)
                self.cache.nominations.put(one, f"n{where}")
                self.promised.setdefault(f"n{where}", []).append(one)
        for app, left in allowed.items():
            meta = {"name": app, "namespace": "default"}
            spec = {"selector": {"matchLabels": {"app": app}}}
            status = {"disruptionsAllowed": left}
            self.budgets.set({"metadata": meta, "spec": spec, "status": status})

    def core(self, *more: Any) -> core.Core:
        preemption = DefaultPreemption(self.cache, budgets=self.budgets)
        plugins = [PrioritySort(), DefaultBinder(NoBinder()), NodeResourcesFit(), preemption, *more]
        profile = Profile([Weighted(one) for one in plugins], scheduler_name="test")
        return scheduler(cache=self.cache, profile=profile)

    def _fill(self, name: str, residents: list[Json]) -> None:
        """As many of the pods as fit."""
        for at, one in enumerate(residents):
            made = info(
                f"{name}-{at}",
                cpu=str(one["cpu"]),
                memory=f"{one['memory']}Gi",
                priority=one["priority"],
                nodeName=name,
                labels={"app": one["app"]} if one["app"] else None,
                status={} if one["start"] is None else {"startTime": _time(one["start"])},
            )
            here = self.there.setdefault(name, [])
            if self.fits(made, name, here):
                here.append(made)
                self.cache.set_pod(made)

    def fits(self, one: pods.PodInfo, name: str, here: list[pods.PodInfo]) -> bool:
        used = {"cpu": 0, "memory": 0, "pods": len(here)}
        for each in here:
            for what, amount in each.requests.amounts:
                used[what] += amount
        wanted = {"pods": 1} | dict(one.requests.amounts)
        room = self.room[name]
        return all(used[what] + amount <= room[what] for what, amount in wanted.items())

    def victims(self, one: pods.PodInfo, name: str) -> tuple[list[pods.PodInfo], int] | None:
        """Whom the rules evict from a node, and how many budgets that violates."""
        here = self.there.get(name, [])
        stay = [each for each in here if each.priority >= one.priority]
        stay += [each for each in self.promised.get(name, []) if each.priority >= one.priority]
        lower = sorted((each for each in here if each.priority < one.priority), key=_importance)
        if not lower or not self.fits(one, name, stay):
            return None
        left = dict(self.allowed)
        flagged = []
        for each in lower:
            app = each.object["metadata"].get("labels", {}).get("app")
            if app in left:
                left[app] -= 1
            flagged.append((app in left and left[app] < 0, each))
        evicted, violations = [], 0
        for violates, each in sorted(flagged, key=lambda pair: not pair[0]):
            if self.fits(one, name, [*stay, each]):
                stay.append(each)
            else:
                evicted.append(each)
                violations += violates
        return sorted(evicted, key=_importance), violations


def _time(seconds: int) -> str:
    return f"2026-01-01T00:00:0{seconds}Z"


def _importance(one: pods.PodInfo) -> tuple[int, str]:
    return (-one.priority, one.object["status"].get("startTime") or "later")


def _harm(victims: list[pods.PodInfo], violations: int) -> tuple[Any, ...]:
    highest = victims[0].priority
    starts = [_importance(one)[1] for one in victims if one.priority == highest]
    total = sum(one.priority + 2**31 for one in victims)
    return (violations, highest, total, len(victims), [-ord(c) for c in min(starts)])


@settings(deadline=None, max_examples=400)
@given(seeds)
def test_victims_are_those_of_the_reference(seed: int) -> None:
    dice = random.Random(seed)
    world = World(_cluster(dice), _allowed(dice), _promises(dice))
    cpu, memory, priority = _wish(dice)
    one = info("preemptor", cpu=str(cpu), memory=f"{memory}Gi", priority=priority)
    before = _picture(world.cache)
    fast = world.core().schedule(one, 0)
    if isinstance(fast, core.Placed):
        everyone = [*world.there.get(fast.node, []), *_heeded(world, fast.node, priority)]
        assert world.fits(one, fast.node, everyone)
        return
    world.cache.nominations.drop(one.key)
    slow = world.core(Nothing()).schedule(one, 0)
    assert isinstance(fast, core.Unfit)
    assert isinstance(slow, core.Unfit)
    assert _picture(world.cache) == before
    possible = {
        name: found for name in world.room if (found := world.victims(one, name)) and found[0]
    }
    for decision in (fast, slow):
        name = decision.result.nominated_node_name
        assert bool(name) == bool(possible)
        if not name:
            continue
        victims, violations = possible[name]
        assert list(map(_importance, decision.result.victims)) == list(map(_importance, victims))
        least = min(_harm(*found) for found in possible.values())
        assert _harm(victims, violations) == least
        assert all(each.priority < priority for each in decision.result.victims)


def _heeded(world: World, name: str, priority: int) -> list[pods.PodInfo]:
    return [one for one in world.promised.get(name, []) if one.priority >= priority]


def _picture(cache: Cache) -> Any:
    """Who is where, and what the table says is used: a dry run must not leave a trace."""
    names = [name for name in cache.table.names() if name]
    return (
        {name: sorted(pod.key for pod in cache.pods_on(name)) for name in names},
        cache.table.requested.tolist(),
        cache.table.scoring.tolist(),
    )


@settings(deadline=None, max_examples=60)
@given(seeds)
def test_evicting_and_placing_never_overfills_a_node(seed: int) -> None:
    dice = random.Random(seed)
    world = World(_cluster(dice), {}, [])
    asked = [_wish(dice) for _ in range(dice.randint(1, 8))]
    subject = world.core()
    waiting = [
        info(f"w{at}", cpu=str(cpu), memory=f"{memory}Gi", priority=priority)
        for at, (cpu, memory, priority) in enumerate(asked)
    ]
    for _ in range(3 * len(waiting)):
        if not waiting:
            break
        one = waiting.pop(dice.randrange(len(waiting)))
        decision = subject.schedule(one, 0)
        if isinstance(decision, core.Unfit):
            for victim in decision.result.victims:
                assert victim.priority < one.priority
                world.cache.remove_pod(victim.key)
            waiting.append(one)
        free = world.cache.table.allocatable - world.cache.table.requested
        assert (free[:, world.cache.table.rows()] >= 0).all()
