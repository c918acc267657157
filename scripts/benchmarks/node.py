"""The node: a pod's start, a full node, and a thousand hollow nodes that have nothing to do."""

import json
import os
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks import documents
from benchmarks.clusters import Cluster
from benchmarks.figures import Figure, Outcome

_STARTS: Final = 50
_FULL: Final = 110
_HOLLOW: Final = 1_000
_IDLE_PODS: Final = 10_000
_SETTLING, _IDLE = 15.0, 60.0
"""Seconds until what the starts left behind is written, and those that are measured."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_DEPLOYMENTS: Final = "/apis/apps/v1/namespaces/default/deployments"
_PODS: Final = "/api/v1/namespaces/default/pods"

Json = dict[str, Any]


def measure() -> Iterator[Outcome]:
    """One node at rest and filled, then many hollow ones at rest."""
    yield from _one_node()
    yield from _hollow()


def _one_node() -> Iterator[Outcome]:
    with Cluster("--nodes", "1") as cluster:
        times = _starts(cluster)
        slow = statistics.quantiles(times, n=100)[98]
        note = f"{_STARTS} pods one after another; 99%: {slow:.0f} ms"
        name = "pod start on an idle node: bound to Running, median"
        yield Figure(name, statistics.median(times), "ms", 30, True, note)
        cluster.kubectl("delete", "pods", "--all", "--grace-period=1")
        begin = time.perf_counter()
        cluster.post(_DEPLOYMENTS, documents.deployment("full", _FULL))
        _until_available(cluster, {"full": _FULL})
        took = time.perf_counter() - begin
        yield Figure(f"{_FULL} pods on one node until all Running", took, "s", 2, True)


def _starts(cluster: Cluster) -> list[float]:
    """Milliseconds from the event that a pod is bound until the one that it is Running."""
    seen = _Watch(cluster)
    try:
        # The first pod of a cluster brings in what is imported late.
        return [seen.start(f"start-{number}") for number in range(_STARTS + 1)][1:]
    finally:
        seen.close()


class _Watch:
    """When each pod was first seen bound, and Running: by a thread, so that nothing is late."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._bound: dict[str, float] = {}
        self._running: dict[str, float] = {}
        self._news = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def start(self, name: str) -> float:
        """Make a pod and wait until it runs."""
        self._cluster.post(_PODS, _pod(name))
        with self._news:
            if not self._news.wait_for(lambda: name in self._running, timeout=30):
                raise RuntimeError(f"the pod {name} does not run")
        time.sleep(0.05)  # what its start left to do is no part of the next one's
        return (self._running[name] - self._bound[name]) * 1e3

    def close(self) -> None:
        """Look at nothing any more."""
        self._closed = True

    def _read(self) -> None:
        for pod in self._cluster.watch(f"{_PODS}?"):
            if self._closed:
                return
            now, name = time.perf_counter(), pod["metadata"]["name"]
            with self._news:
                if pod["spec"].get("nodeName"):
                    self._bound.setdefault(name, now)
                if pod["status"].get("phase") == "Running":
                    self._running.setdefault(name, now)
                    self._news.notify_all()


def _pod(name: str) -> Json:
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "web", "image": "nginx:1.27"}]},
    }


def _hollow() -> Iterator[Outcome]:
    tenth = _IDLE_PODS // 10
    made = [
        _of("nginx", 5 * tenth, image="nginx:1.27"),
        _of("busybox", 3 * tenth, image="busybox:1.36", command=["sleep", "infinity"]),
        _of("unknown", tenth, image="example.com/team/app:1", ports=[{"containerPort": 8080}]),
        _of("probed", tenth, image="nginx:1.27", ports=[{"containerPort": 80}]),
    ]
    wanted = {one["metadata"]["name"]: one["spec"]["replicas"] for one in made}
    with Cluster("--nodes", "0", "--hollow", str(_HOLLOW)) as cluster:
        for deployment in made:
            cluster.post(_DEPLOYMENTS, deployment)
        _until_available(cluster, wanted)
        yield from _at_rest(cluster, "")
        probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 10}
        container = {"name": "web", "readinessProbe": probe}
        patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
        cluster.kubectl("patch", "deployment", "probed", "-p", json.dumps(patch))
        _until_available(cluster, wanted)
        yield from _at_rest(cluster, f", {tenth:,} of them probed by HTTP", asked=False)


def _of(name: str, replicas: int, **container: Any) -> Json:
    made = documents.deployment(name, replicas)
    made["spec"]["template"]["spec"]["containers"][0].update(container)
    return made


def _at_rest(cluster: Cluster, what: str, *, asked: bool = True) -> Iterator[Outcome]:
    """Memory and CPU time of all processes while nobody asks for anything."""
    time.sleep(_SETTLING)
    before = _used(cluster)
    time.sleep(_IDLE)
    after = _used(cluster)
    shares = {pid: (ticks - before.get(pid, ticks)) / _IDLE for pid, ticks in after.items()}
    most = sorted(((share, _title(pid)) for pid, share in shares.items()), reverse=True)[:3]
    note = ", ".join(f"{title} {share:.2f}" for share, title in most)
    name = f"{_IDLE_PODS:,} pods on {_HOLLOW:,} hollow nodes{what}"
    memory, cores = (1_500, 0.5) if asked else (None, None)
    yield Figure(f"{name}: memory (PSS)", cluster.memory(), "MB", memory, True)
    yield Figure(f"{name}: cores at rest", sum(shares.values()), "cores", cores, True, note)


def _used(cluster: Cluster) -> dict[int, float]:
    """Seconds of CPU that each process has used, by its id."""
    found = {}
    for pid in cluster.processes():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        found[pid] = (int(fields[11]) + int(fields[12])) / _TICKS
    return found


def _title(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _until_available(cluster: Cluster, wanted: dict[str, int]) -> None:
    """Wait until each Deployment is rolled out and its pods are available."""
    left = dict(wanted)
    for deployment in cluster.watch(f"{_DEPLOYMENTS}?"):
        name = deployment["metadata"]["name"]
        if name in left and _rolled_out(deployment, left[name]):
            del left[name]
        if not left:
            return
    raise RuntimeError(f"not rolled out in time: {', '.join(left)}")


def _rolled_out(deployment: Json, replicas: int) -> bool:
    status = deployment.get("status", {})
    return status.get("observedGeneration", 0) >= deployment["metadata"]["generation"] and (
        status.get("updatedReplicas", 0)
        == status.get("availableReplicas", 0)
        == status.get("replicas", 0)
        == replicas
    )
