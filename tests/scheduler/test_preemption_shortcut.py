"""The quick dry run beside other filters finds what the one that asks them all finds."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from scheduling import NoBinder, info, node, scheduler
from test_preemption_reference import Nothing
from test_preemption_with_others import HOST, ZONE, _apart, _spread, _term

from cluster.scheduler import core, pods
from cluster.scheduler.framework.profile import Profile, Weighted
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.podindex import PodIndex
from cluster.scheduler.plugins.defaultbinder import DefaultBinder
from cluster.scheduler.plugins.defaultpreemption import DefaultPreemption
from cluster.scheduler.plugins.interpodaffinity import InterPodAffinity
from cluster.scheduler.plugins.nodeports import NodePorts
from cluster.scheduler.plugins.noderesources import NodeResourcesFit
from cluster.scheduler.plugins.podtopologyspread import PodTopologySpread
from cluster.scheduler.plugins.prioritysort import PrioritySort
from cluster.scheduler.preemption import choice

Json = dict[str, Any]


def _wishes(dice: random.Random) -> Json:
    app, key = dice.choice("ab"), dice.choice([HOST, ZONE])
    near = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [_term(app, key)]}}
    port = [{"name": "c", "ports": [{"containerPort": 1, "hostPort": dice.choice([80, 81])}]}]
    return dice.choice(
        [
            {},
            {"affinity": _apart(app, key)},
            {"affinity": near},
            {"topologySpreadConstraints": _spread(app)},
            {"containers": port},
        ]
    )


def _pod(dice: random.Random, name: str, **more: Any) -> pods.PodInfo:
    wishes = _wishes(dice)
    sized = {} if "containers" in wishes else {"cpu": str(dice.randint(1, 2))}
    labels = {"app": dice.choice("abc")}
    return info(name, labels=labels, **sized, **wishes, **more)


def _filled(dice: random.Random) -> Cache:
    cache = Cache()
    for at in range(dice.randint(1, 5)):
        there = node(f"n{at}", cpu=str(dice.randint(2, 5)), labels={ZONE: f"z{at % 2}"})
        cache.set_node(there)
        for number in range(dice.randint(0, 4)):
            priority = dice.choice([0, 10, 50, 200])
            cache.set_pod(_pod(dice, f"low-{at}-{number}", nodeName=f"n{at}", priority=priority))
    if dice.random() < 0.3:
        cache.nominations.put(_pod(dice, "promised", priority=150), "n0")
    return cache


def _core(cache: Cache, *more: Any) -> core.Core:
    index = PodIndex(cache)
    plugins = [
        PrioritySort(), DefaultBinder(NoBinder()), NodePorts(cache), NodeResourcesFit(),
        PodTopologySpread(index, cache.workloads), InterPodAffinity(cache, index),
        DefaultPreemption(cache), *more,
    ]  # fmt: skip
    profile = Profile([Weighted(one) for one in plugins], scheduler_name="test")
    return scheduler(cache=cache, profile=profile)


@settings(deadline=None, max_examples=400)
@given(st.integers(0, 2**32))
def test_both_dry_runs_find_the_same(seed: int) -> None:
    dice = random.Random(seed)
    cache = _filled(dice)
    one = _pod(dice, "preemptor", priority=100)
    quick = _core(cache).schedule(one, 0)
    if isinstance(quick, core.Placed):
        return
    cache.nominations.drop(one.key)
    slow = _core(cache, Nothing()).schedule(one, 0)
    assert isinstance(quick, core.Unfit)
    assert isinstance(slow, core.Unfit)
    if not slow.result.victims:
        assert (quick.message, quick.result) == (slow.message, slow.result)
        return
    assert _harm(quick) == _harm(slow)
    if quick.result.nominated_node_name == slow.result.nominated_node_name:
        assert quick.result.victims == slow.result.victims


def _harm(unfit: core.Unfit) -> list[Any]:
    found = choice.harm([choice.Candidate("", unfit.result.victims, 0)])
    return [part.tolist() for part in (found.highest, found.total, found.count, found.start)]
