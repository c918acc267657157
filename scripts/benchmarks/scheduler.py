"""The scheduler's core in this process: decisions a second on a table of many nodes."""

import random
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from benchmarks import preemption
from benchmarks.figures import Figure, Outcome
from cluster.scheduler import core, explain, pods
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.plugins.registry import default_profile

_NODES: Final = 5_000
_RUNNING: Final = 10_000
_ZONES: Final = 10
_DECISIONS: Final = 1_000
_WARM: Final = 50
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"

Json = dict[str, Any]
Make = Callable[[int], Json]


def measure() -> Iterator[Outcome]:
    """Decisions a second by kind of pod. In a mix each pod is of a Deployment of its own."""
    kinds: list[tuple[str, int, Make]] = [
        ("plain pods", 3_000, lambda at: _pod(at, app="plain")),
        ("pods of a Deployment and a Service", 3_000, _owned),
        ("required anti-affinity", 500, lambda at: _pod(at, affinity=_anti_affinity("web"))),
        ("topology spread", 500, lambda at: _pod(at, topologySpreadConstraints=_spread("web"))),
        ("preferred affinity", 500, lambda at: _pod(at, affinity=_preferred("web"))),
        ("mix, plain", 500, lambda at: _pod(at, app=f"app-{at}")),
        ("mix, required anti-affinity", 500, _mixed_anti_affinity),
        ("mix, topology spread", 500, _mixed_spread),
        ("mix, preferred affinity", 500, _mixed_preferred),
    ]
    for name, target, make in kinds:
        rate = _decisions(make)
        yield Figure(f"scheduler: {name}, {_NODES:,} nodes", rate, "decisions/s", target)
    yield from preemption.measure()


def _decisions(make: Make) -> float:
    """As in a cluster: the pods stay where they were placed."""
    subject = _scheduler()
    waiting = [pods.info(make(at)) for at in range(_WARM + _DECISIONS)]
    for one in waiting[:_WARM]:
        _place(subject, one)
    start = time.perf_counter()
    for one in waiting[_WARM:]:
        _place(subject, one)
    return _DECISIONS / (time.perf_counter() - start)


def _place(subject: core.Core, one: pods.PodInfo) -> None:
    decision = subject.schedule(one, 0.0)
    assert isinstance(decision, core.Placed), f"{one.key} was not placed: {decision}"


def _scheduler() -> core.Core:
    cache = Cache()
    profile = default_profile("default-scheduler", cache, _NoBinder())
    for at in range(_NODES):
        cache.set_node(_node(at))
    for at in range(_RUNNING):
        running = _pod(at, name=f"running-{at}", app=f"old-{at % 500}", nodeName=f"n{at % _NODES}")
        cache.set_pod(pods.info(running))
    service = {"metadata": _meta("web"), "spec": {"selector": {"app": "web"}}}
    cache.workloads.set("services", service)
    owner = {"metadata": _meta("web-1"), "spec": {"selector": {"matchLabels": {"app": "web"}}}}
    cache.workloads.set("replicasets.apps", owner)
    history = explain.History(attempts=128, size=8 << 20)
    return core.Core(profile, cache, random.Random(1), history)


class _NoBinder:
    async def bind(self, namespace: str, name: str, uid: str, node: str) -> None:
        raise AssertionError("the core binds nothing")


def _meta(name: str) -> Json:
    return {"name": name, "namespace": "default", "uid": name}


def _node(at: int) -> Json:
    labels = {
        "kubernetes.io/hostname": f"n{at}",
        "topology.kubernetes.io/zone": f"z{at % _ZONES}",
    }
    return {
        "metadata": {"name": f"n{at}", "labels": labels},
        "spec": {},
        "status": {"allocatable": {"cpu": "16", "memory": "64Gi", "pods": "110"}},
    }


def _pod(at: int, *, name: str = "", app: str = "web", **spec: Any) -> Json:
    container = {"name": "c", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}
    labels = {"app": app, "tier": "front", "pod-template-hash": f"{app}-1"}
    return {
        "metadata": _meta(name or f"p{at}") | {"labels": labels},
        "spec": {"containers": [container]} | spec,
        "status": {"phase": "Pending"},
    }


def _owned(at: int) -> Json:
    found = _pod(at)
    found["metadata"]["ownerReferences"] = [
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "controller": True}
    ]
    return found


def _term(app: str, key: str) -> Json:
    return {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}


def _anti_affinity(app: str) -> Json:
    return {"podAntiAffinity": {_REQUIRED: [_term(app, "kubernetes.io/hostname")]}}


def _preferred(app: str) -> Json:
    wish = {"weight": 50, "podAffinityTerm": _term(app, "topology.kubernetes.io/zone")}
    against = {"weight": 100, "podAffinityTerm": _term(app, "kubernetes.io/hostname")}
    return {"podAffinity": {_PREFERRED: [wish]}, "podAntiAffinity": {_PREFERRED: [against]}}


def _spread(app: str) -> list[Json]:
    selector = {"matchLabels": {"app": app}}
    hard = {"maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}
    soft = {"maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector}
    return [
        hard | {"topologyKey": "topology.kubernetes.io/zone"},
        soft | {"topologyKey": "kubernetes.io/hostname"},
    ]


def _mixed_anti_affinity(at: int) -> Json:
    return _pod(at, app=f"app-{at}", affinity=_anti_affinity(f"app-{at}"))


def _mixed_spread(at: int) -> Json:
    return _pod(at, app=f"app-{at}", topologySpreadConstraints=_spread(f"app-{at}"))


def _mixed_preferred(at: int) -> Json:
    return _pod(at, app=f"app-{at}", affinity=_preferred(f"app-{at}"))
