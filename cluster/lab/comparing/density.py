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

    def fit(on: Sequence[Object]) -> list[str]:
        made = Simulation(config, random.Random(f"{seed}/density"), now)  # noqa: S311
        for node in on:
            made.state.take("nodes", node)
        for resource, found in others:
            for obj in found:
                made.state.take(resource, obj)
        return _fit(made, sample)

    shapes = {str(objects.status(one).get("allocatable")): one for one in reversed(nodes)}
    together = fit(nodes)
    # A volume, a selector or a taint may leave none of the shapes' own nodes: the one that is
    # liked best is tried, too.
    tried = list(shapes.values())[:_SHAPES]
    tried += [one for one in nodes if objects.name(one) in together[:1] and one not in tried]
    alone = [len(fit([one])) for one in tried]
    return Density(max(alone, default=0), len(together))


def _fit(made: Simulation, sample: Object) -> list[str]:
    """The node of each replica that fits."""
    found: list[str] = []
    while len(found) < MOST:
        (outcome,) = made.place([_replica(sample, len(found))])
        if not outcome.node or outcome.victims:
            break
        found.append(outcome.node)
    return found


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
