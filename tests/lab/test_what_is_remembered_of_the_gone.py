"""Half an hour after pods have gone no component has anything under their names any more.

What is looked for are uids and names as keys, and in tuples (timers' heaps): tables that grow with
every pod there ever was are made of these.
"""

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

from test_memory_without_the_collector import _deployment

from cluster.aio import virtual
from cluster.client.eventcorrelation import Correlator
from cluster.lab.lab import Lab
from cluster.lab.world import Cluster

_ROUNDS, _PODS = 5, 30

_BOUNDED = {
    "Subject",  # of the newest 4,096 series of each source of events
    "_Attempt",  # the scheduler's history, for `kubemu explain`
    "PodInfo",  # the pod that the scheduler saw last
    "Entry",  # what watches go on from: 8,192 changes (in the lab, where bookmarks are seldom)
    "Fact",  # the lab's ledger
    "_lru_cache_wrapper",
}
"""What keeps a fixed number of names."""


def test_nothing_is_kept_under_the_names_of_pods_that_are_gone() -> None:
    async def scenario(cluster: Cluster) -> tuple[int, Counter[str]]:
        names: set[str] = set()
        for _ in range(_ROUNDS):
            names |= await _come_and_go(cluster)
        await cluster.sleep(1800)
        await _come_and_go(cluster)  # what is looked through when something comes
        cast("virtual.VirtualLoop", asyncio.get_running_loop()).living()  # it keeps some that ended
        gc.collect()
        gc.unfreeze()
        return len(names), Counter(_holders(names))

    count, holders = Lab(seed=1, nodes=1).run(scenario)
    assert count == _ROUNDS * _PODS * 3
    assert holders == Counter()


def _readers(replicas: int) -> dict[str, Any]:
    """Pods that read the token that they are given."""
    found = _deployment(replicas)
    found["spec"]["template"]["spec"]["containers"] = [
        {
            "name": "web",
            "image": "busybox",
            "command": [
                "sh",
                "-c",
                "cat /var/run/secrets/kubernetes.io/serviceaccount/*; sleep 9d",
            ],
        }
    ]
    return found


async def _come_and_go(cluster: Cluster) -> set[str]:
    """The uids, names and keys of pods that are gone."""
    await cluster.apply(_readers(_PODS))
    await cluster.until(lambda: len(cluster.pods(ready=True, app="web")) == _PODS, within=60)
    found = [pod["metadata"] for pod in cluster.pods(app="web")]
    await cluster.apply(_readers(0))
    await cluster.until(lambda: not cluster.pods(), within=60)
    for event in cluster.list("events"):
        await cluster.client.delete("events", event["metadata"]["name"], "default")
    return {name for one in found for name in (one["uid"], one["name"], f"default/{one['name']}")}


def _holders(names: set[str]) -> Iterator[str]:
    """The types of what has one of the names, but for what has bounds."""
    everything = gc.get_objects()
    series = {id(key) for one in everything if isinstance(one, Correlator) for key in one._series}
    for one in everything:
        if one is names or id(one) in series:
            continue
        if type(one) is list and len(one) < _ROUNDS * _PODS / 2:
            continue  # a heap of timers is tidied when most of it counts no more
        if isinstance(one, dict):
            found = any(_is_of(key, names, series) for key in one)
        elif type(one).__name__ in _BOUNDED or type(one).__name__ in ("coroutine", "frame"):
            found = False
        else:
            found = any(_is_of(other, names, series) for other in gc.get_referents(one))
        if found:
            yield f"{type(one).__qualname__} {repr(one)[:200]}"


def _is_of(value: Any, names: set[str], series: set[int]) -> bool:
    # The collector does not know tuples in which there are only strings and numbers.
    if type(value) is tuple and id(value) not in series:
        return any(type(part) is str and part in names for part in value)
    return type(value) is str and value in names
