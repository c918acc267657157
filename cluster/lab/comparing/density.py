"""How many replicas fit: asked of the scheduler's own core, pod after pod, on empty nodes."""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from cluster.api import objects
from cluster.api.objects import Object
from cluster.lab.comparing.figures import Density
from cluster.scheduler.config import Config
from cluster.scheduler.simulation import state
from cluster.scheduler.simulation.run import Simulation

_SHAPES: Final = 8
"""Nodes that are tried by themselves: one of each size, and no more sizes than these."""
MOST: Final = 5_000
"""Replicas that are tried; a larger cluster than that has "at least" so many."""
_KEPT: Final = ("namespace", "labels", "annotations", "ownerReferences")
_OWN: Final = ("nodeName", "hostname", "subdomain")

List = Callable[[str], Iterable[Object]]


def of(sample: Object, listed: List, config: Config, seed: int | str, now: float) -> Density:
    """Of replicas of `sample`, a pod as it was admitted; `listed` gives what the cluster has."""
    nodes = list(listed("nodes"))
    others = [
        (resource, list(listed(resource)))
        for resource in state.RESOURCES
        if resource not in (state.PODS, "nodes")
    ]

    def fit(on: Sequence[Object]) -> int:
        made = Simulation(config, random.Random(f"{seed}/density"), now)  # noqa: S311
        for node in on:
            made.state.take("nodes", node)
        for resource, found in others:
            for obj in found:
                made.state.take(resource, obj)
        return _fit(made, sample)

    shapes = {str(objects.status(one).get("allocatable")): one for one in reversed(nodes)}
    alone = [fit([one]) for one in list(shapes.values())[:_SHAPES]]
    return Density(max(alone, default=0), fit(nodes))


def _fit(made: Simulation, sample: Object) -> int:
    for count in range(MOST):
        (outcome,) = made.place([_replica(sample, count)])
        if not outcome.node or outcome.victims:
            return count
    return MOST


def _replica(sample: Object, number: int) -> Object:
    meta = objects.meta(sample)
    name = f"fit-{number}"
    kept = {key: meta[key] for key in _KEPT if key in meta}
    spec = {key: value for key, value in objects.spec(sample).items() if key not in _OWN}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**kept, "name": name, "uid": name},
        "spec": spec,
        "status": {"phase": "Pending"},
    }
