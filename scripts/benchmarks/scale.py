"""One Deployment of 10,000 pods on 1,000 hollow nodes: made, rolled over, and deleted."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import documents
from benchmarks.clusters import Cluster
from benchmarks.figures import Figure, Outcome

_PODS, _NODES = 10_000, 1_000
_SPACE = "scale"


def measure() -> Iterator[Outcome]:
    """Until Running, a rolling update of 25% and 25%, and deleting the namespace."""
    with Cluster("--nodes", "0", "--hollow", str(_NODES)) as cluster:
        namespace = {"kind": "Namespace", "metadata": {"name": _SPACE}}
        cluster.post("/api/v1/namespaces", namespace)
        deployment = documents.deployment("web", _PODS)
        deployment["metadata"]["namespace"] = _SPACE
        deployments = f"/apis/apps/v1/namespaces/{_SPACE}/deployments"
        begin = time.perf_counter()
        cluster.post(deployments, deployment)
        _until(cluster, _rolled_out)
        took = time.perf_counter() - begin
        running = _running(cluster, "nginx:1.27")
        if running != _PODS:
            raise RuntimeError(f"{running} of {_PODS} pods are Running")
        yield _figure("until Running", took, 20, f"PSS {cluster.memory():.0f} MB")

        begin = time.perf_counter()
        cluster.kubectl("-n", _SPACE, "set", "image", "deployment/web", "web=nginx:1.28")
        _until(cluster, _rolled_out)
        took = time.perf_counter() - begin
        running = _running(cluster, "nginx:1.28")
        if running != _PODS:
            raise RuntimeError(f"{running} of {_PODS} pods run the new image")
        yield _figure("rolling update, 25% and 25%", took, 60, f"PSS {cluster.memory():.0f} MB")

        begin = time.perf_counter()
        cluster.kubectl("delete", "namespace", _SPACE, "--timeout=170s")
        yield _figure("deleting their namespace", time.perf_counter() - begin, 25, "")


def _figure(what: str, seconds: float, most: float, note: str) -> Figure:
    name = f"{_PODS:,} pods on {_NODES:,} hollow nodes: {what}"
    return Figure(name, seconds, "s", most, True, note)


def _until(cluster: Cluster, holds: Callable[[dict[str, Any]], bool]) -> None:
    path = f"/apis/apps/v1/namespaces/{_SPACE}/deployments?fieldSelector=metadata.name=web"
    for deployment in cluster.watch(path):
        if holds(deployment):
            return
    raise RuntimeError("the Deployment was not rolled out in time")


def _rolled_out(deployment: dict[str, Any]) -> bool:
    """What `kubectl rollout status` waits for."""
    status = deployment.get("status", {})
    generation = deployment["metadata"].get("generation", 0)
    return status.get("observedGeneration", 0) >= generation and (
        status.get("updatedReplicas", 0)
        == status.get("availableReplicas", 0)
        == status.get("replicas", 0)
        == _PODS
    )


def _running(cluster: Cluster, image: str) -> int:
    items = cluster.get(f"/api/v1/namespaces/{_SPACE}/pods")["items"]
    return sum(
        pod["status"].get("phase") == "Running"
        and pod["spec"]["containers"][0]["image"] == image
        and not pod["metadata"].get("deletionTimestamp")
        for pod in items
    )
