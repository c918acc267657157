"""The lab: how much virtual time a second buys."""

import logging
import time
from collections.abc import Iterator

import structlog

from benchmarks import cronjobs, documents, month
from benchmarks.figures import Figure, Outcome
from cluster.lab.lab import Lab
from cluster.lab.world import Cluster

_MINUTES = 30
_REPLICAS = 30
_WARMING, _HOURS = 4, 8
"""Virtual hours with CronJobs: until as much goes as comes, and those that are measured."""


def measure() -> Iterator[Outcome]:
    """Thirty virtual minutes of ten nodes: one dies, and its pods come up elsewhere."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    begin = time.perf_counter()
    moved = Lab(seed=1, nodes=10).run(_a_node_dies)
    seconds = time.perf_counter() - begin
    note = f"its pods Ready elsewhere after {moved:.0f} virtual s"
    yield Figure("lab: 30 virtual minutes, 10 nodes, one dies", seconds, "s", 3, True, note)
    yield _month()


def _month() -> Figure:
    """Thirty days by a few hours; those before the oldest Jobs and events go are not typical."""
    ran = cronjobs.run(_WARMING + _HOURS)
    hour = sum(ran.hours[_WARMING:]) / _HOURS
    seconds = ran.seconds + hour * (24 * month.DAYS - len(ran.hours))
    note = f"extrapolated from {len(ran.hours)} hours: {ran.note}; `bench.py month` runs all"
    return Figure(cronjobs.TITLE, seconds, "s", cronjobs.TARGET, True, note)


async def _a_node_dies(cluster: Cluster) -> float:
    """When the pods were Ready elsewhere, in seconds after the node died."""
    await cluster.apply([documents.deployment("web", _REPLICAS)])
    await cluster.until(lambda: len(_ready(cluster)) == _REPLICAS, within=60)
    died = cluster.now()
    await cluster.kill_node("node-4")
    await cluster.until(
        lambda: len([n for n in _ready(cluster) if n != "node-4"]) >= _REPLICAS, within=900
    )
    moved = cluster.now() - died
    await cluster.sleep(_MINUTES * 60 - cluster.now())
    return moved


def _ready(cluster: Cluster) -> list[str]:
    """The node of every pod that is Ready."""
    return [pod["spec"]["nodeName"] for pod in cluster.pods(ready=True, app="web")]
