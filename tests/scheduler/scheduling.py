"""Builders that the scheduler's tests share: nodes, pods, and a core over a cache."""

import random
from typing import Any

from cluster.scheduler import core, explain, pods
from cluster.scheduler.framework.profile import Profile
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.plugins.registry import default_profile

Json = dict[str, Any]


class NoBinder:
    async def bind(self, namespace: str, name: str, uid: str, node: str) -> None:
        raise AssertionError("the core binds nothing")


def node(
    name: str,
    *,
    cpu: str = "4",
    memory: str = "8Gi",
    pods: str = "110",
    taints: list[Json] | None = None,
    labels: dict[str, str] | None = None,
    unschedulable: bool = False,
    **extended: str,
) -> Json:
    spec: Json = {}
    if taints:
        spec["taints"] = taints
    if unschedulable:
        spec["unschedulable"] = True
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name} | (labels or {})},
        "spec": spec,
        "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": pods} | extended},
    }


def pod(
    name: str,
    *,
    cpu: str | None = None,
    memory: str | None = None,
    requests: dict[str, str] | None = None,
    status: Json | None = None,
    labels: dict[str, str] | None = None,
    **spec: Any,
) -> Json:
    asked = dict(requests or {})
    if cpu is not None:
        asked["cpu"] = cpu
    if memory is not None:
        asked["memory"] = memory
    container: Json = {"name": "main", "image": "nginx"}
    if asked:
        container["resources"] = {"requests": asked}
    meta: Json = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    if labels:
        meta["labels"] = labels
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {"containers": [container]} | spec,
        "status": status or {"phase": "Pending"},
    }


def info(name: str, **fields: Any) -> pods.PodInfo:
    return pods.info(pod(name, **fields))


def scheduler(
    *nodes: Json, profile: Profile | None = None, cache: Cache | None = None, attempts: int = 16
) -> core.Core:
    cache = cache or Cache()
    for one in nodes:
        cache.set_node(one)
    profile = profile or default_profile("default-scheduler", cache, NoBinder())
    history = explain.History(attempts=attempts, size=1 << 20)
    return core.Core(profile, cache, random.Random(1), history)


def placed(decision: core.Decision) -> str:
    assert isinstance(decision, core.Placed), decision
    return decision.node


def unfit(decision: core.Decision) -> core.Unfit:
    assert isinstance(decision, core.Unfit), decision
    return decision


def required_affinity(*terms: Json) -> Json:
    return {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}
        }
    }


def preferred_affinity(*terms: tuple[int, Json]) -> Json:
    return {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": weight, "preference": preference} for weight, preference in terms
            ]
        }
    }
