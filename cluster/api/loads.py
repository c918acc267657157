"""Loads that pods share, as annotations tell of them. Pure.

`kubemu.dev/load-from: deployment/web` on a pod names a workload of its namespace. The workload's
annotation `kubemu.dev/load` says how much there is to do now, in all: an amount of whatever is
counted, or a curve over the age of the workload. Its ready pods share it alike, so the same object
tells both how much there is and how many there are to do it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cluster.api import curves, objects, timestamps
from cluster.api.objects import Object

LOAD: Final = "kubemu.dev/load"
LOAD_FROM: Final = "kubemu.dev/load-from"
CPU_PER_LOAD: Final = "cpu-per-load"
MEMORY_PER_LOAD: Final = "memory-per-load"
"""`kubemu.dev/cpu-per-load[.CONTAINER]`: what a container uses for each unit of its pod's share."""
NANOCORES: Final = 1_000_000_000
"""Parts of a core."""
_PARTS: Final = 1000
_RESOURCES: Final = {
    "deployment": "deployments.apps",
    "replicaset": "replicasets.apps",
    "statefulset": "statefulsets.apps",
    "daemonset": "daemonsets.apps",
    "replicationcontroller": "replicationcontrollers",
}
PLURALS: Final = tuple(resource.partition(".")[0] for resource in _RESOURCES.values())
_READY: Final = ("readyReplicas", "numberReady")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a load is told: a resource (`plural[.group]`), namespace and name."""

    resource: str
    namespace: str
    name: str


def source(pod: Object) -> Source | None:
    """The workload whose load a pod shares; None where it shares none, or names none."""
    text = objects.annotations(pod).get(LOAD_FROM)
    if text is None:
        return None
    try:
        resource, name = parse_source(text)
    except ValueError:
        return None
    return Source(resource, objects.namespace(pod), name)


def parse_source(text: str) -> tuple[str, str]:
    """Resource and name of `deployment/web`. ValueError."""
    kind, slash, name = text.partition("/")
    resource = _RESOURCES.get(kind.lower())
    if resource is None or not slash or not name or "/" in name:
        known = ", ".join(_RESOURCES)
        raise ValueError(f"{text!r} is no workload (say deployment/web; the kinds are {known})")
    return resource, name


def share(workload: Object, now: float) -> float:
    """The part of each ready pod, `now` in seconds since the epoch; 0 where no load is told.

    ValueError where it is told in words that are none.
    """
    text = objects.annotations(workload).get(LOAD)
    status = objects.status(workload)
    ready = next((status[field] for field in _READY if status.get(field)), 0)
    if text is None or not ready:
        return 0.0
    began = timestamps.decode(objects.meta(workload).get("creationTimestamp") or "")
    return curves.parse(text, _PARTS).at(max(now - began, 0.0)) / _PARTS / int(ready)


def per_load(annotations: Mapping[str, str], container: str, key: str, parts: int) -> float:
    """What a container uses for each unit, in `parts` of the unit of what it uses. ValueError."""
    own = annotations.get(f"kubemu.dev/{key}.{container}")
    text = own if own is not None else annotations.get(f"kubemu.dev/{key}")
    if text is None:
        return 0.0
    curve = curves.parse(text, parts)
    if not curve.constant:
        raise ValueError(f"{text!r} is a curve: say how much each unit takes")
    return curve.at(0.0)
