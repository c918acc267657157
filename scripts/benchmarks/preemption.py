"""Preemption in the core: pods of high priority on nodes that pods of low priority fill."""

import random
import time
from collections.abc import Iterator
from typing import Any, Final

from benchmarks.figures import Figure
from cluster.scheduler import core, explain, pods
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.plugins.registry import default_profile

_NODES: Final = 500
_TARGET: Final = 500
Json = dict[str, Any]


def measure() -> Iterator[Figure]:
    """Pods a second from the first attempt to the placement, victims going at once between them."""
    for each in (1, 10):
        rate = _rate(each)
        victims = _NODES * each
        name = f"scheduler: preemption of {victims:,} pods on {_NODES} full nodes"
        yield Figure(name, rate, "pods/s", _TARGET if each == 1 else None)


def _rate(each: int) -> float:
    subject = _full(each)
    waiting = [pods.info(_pod(f"high-{at}", "4", priority=100)) for at in range(_NODES)]
    start = time.perf_counter()
    for one in waiting:
        decision = subject.schedule(one, 0.0)
        assert isinstance(decision, core.Unfit), decision
        assert len(decision.result.victims) == each, decision
        for victim in decision.result.victims:
            subject.cache.remove_pod(victim.key)
    for one in waiting:
        placed = subject.schedule(one, 0.0)
        assert isinstance(placed, core.Placed), placed
    return _NODES / (time.perf_counter() - start)


def _full(each: int) -> core.Core:
    cache = Cache()
    profile = default_profile("default-scheduler", cache, _NoBinder())
    for at in range(_NODES):
        cache.set_node(_node(f"n{at}"))
        for number in range(each):
            cpu = f"{4000 // each}m"
            low = _pod(f"low-{at}-{number}", cpu, priority=0, nodeName=f"n{at}")
            cache.set_pod(pods.info(low))
    history = explain.History(attempts=128, size=8 << 20)
    return core.Core(profile, cache, random.Random(1), history)


class _NoBinder:
    async def bind(self, namespace: str, name: str, uid: str, node: str) -> None:
        raise AssertionError("the core binds nothing")


def _node(name: str) -> Json:
    allocatable = {"cpu": "4", "memory": "16Gi", "pods": "110"}
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {},
        "status": {"allocatable": allocatable},
    }


def _pod(name: str, cpu: str, **spec: Any) -> Json:
    container = {"name": "c", "resources": {"requests": {"cpu": cpu, "memory": "64Mi"}}}
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name},
        "spec": {"containers": [container]} | spec,
        "status": {"startTime": "2026-01-01T00:00:00Z"},
    }
