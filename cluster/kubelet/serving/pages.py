"""The kubelet's pages: /healthz, /pods, /configz, /stats/summary, /metrics. Pure.

Simulated containers use nothing yet: figures of use are zero, and say so by being there.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from cluster.api import objects, quantity, timestamps
from cluster.kubelet.agent import NodeAgent
from cluster.kubelet.lifecycle.model import State
from cluster.pb.cluster.v1 import kubelet_pb2 as pb

_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"
_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
_encode = msgspec.json.Encoder().encode
Page = Callable[[NodeAgent, float], tuple[str, bytes]]


def page(agent: NodeAgent, request: pb.PageRequest, now: float) -> pb.PageResponse:
    """Answer a request. `now`: seconds since the epoch."""
    path = request.path.partition("?")[0].rstrip("/") or "/"
    make = _PAGES.get(path)
    if make is None:
        return pb.PageResponse(status=404, content_type=_TEXT, body=b"404 page not found\n")
    if request.method not in ("", "GET", "HEAD"):
        return pb.PageResponse(status=405, content_type=_TEXT, body=b"405: Method Not Allowed\n")
    kind, body = make(agent, now)
    return pb.PageResponse(status=200, content_type=kind, body=body)


def _health(_agent: NodeAgent, _now: float) -> tuple[str, bytes]:
    return _TEXT, b"ok"


def _pods(agent: NodeAgent, _now: float) -> tuple[str, bytes]:
    items = [
        {**pod.object, "status": pod.status or objects.status(pod.object)}
        for pod in agent.pods.values()
        if not pod.memory.removed
    ]
    return _JSON, _encode({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})


def _configuration(agent: NodeAgent, _now: float) -> tuple[str, bytes]:
    config = agent.config
    found = {
        "nodeStatusReportFrequency": f"{config.node_status_report_frequency:g}s",
        "nodeLeaseDurationSeconds": config.node_lease_duration,
        "runtimeRequestTimeout": f"{config.runtime_request_timeout:g}s",
        "maxPods": config.max_pods,
        "podCIDR": config.pod_cidr,
        "port": config.kubelet_port,
        "registerNode": True,
    }
    kind = {"kind": "KubeletConfiguration", "apiVersion": "kubelet.config.k8s.io/v1beta1"}
    return _JSON, _encode({"kubeletconfig": found | kind})


def _summary(agent: NodeAgent, now: float) -> tuple[str, bytes]:
    stamp = timestamps.encode(now)
    memory = int(quantity.value(agent.config.memory))
    node = {
        "nodeName": agent.config.node_name,
        "startTime": timestamps.encode(agent.began),
        "cpu": _cpu(stamp),
        "memory": _memory(stamp) | {"availableBytes": memory},
    }
    return _JSON, _encode({"node": node, "pods": [_of_pod(one, stamp) for one in _live(agent)]})


def _of_pod(pod: Any, stamp: str) -> dict[str, Any]:
    meta = objects.meta(pod.object)
    containers = [
        {
            "name": one.name,
            "startTime": timestamps.encode(one.started),
            "cpu": _cpu(stamp),
            "memory": _memory(stamp),
        }
        for one in pod.seen.containers
        if one.state is State.RUNNING
    ]
    return {
        "podRef": {key: meta.get(key, "") for key in ("name", "namespace", "uid")},
        "startTime": (pod.status or {}).get("startTime"),
        "containers": containers,
        "cpu": _cpu(stamp),
        "memory": _memory(stamp),
    }


def _cpu(stamp: str) -> dict[str, Any]:
    return {"time": stamp, "usageNanoCores": 0, "usageCoreNanoSeconds": 0}


def _memory(stamp: str) -> dict[str, Any]:
    return {"time": stamp, "usageBytes": 0, "workingSetBytes": 0, "rssBytes": 0}


def _live(agent: NodeAgent) -> list[Any]:
    return [pod for pod in agent.pods.values() if not pod.memory.removed]


def _metrics(agent: NodeAgent, _now: float) -> tuple[str, bytes]:
    pods = _live(agent)
    states = {"created": State.CREATED, "running": State.RUNNING, "exited": State.EXITED}
    counts = {
        name: sum(one.state is state for pod in pods for one in pod.seen.containers)
        for name, state in states.items()
    }
    sandboxes = sum(pod.seen.sandbox is not None for pod in pods)
    lines = [
        *_head("kubelet_node_name", "The node's name. The count is always 1."),
        f'kubelet_node_name{{node="{agent.config.node_name}"}} 1',
        *_head("kubelet_running_pods", "Number of pods that have a running pod sandbox"),
        f"kubelet_running_pods {sandboxes}",
        *_head("kubelet_running_containers", "Number of containers currently running"),
        *(
            f'kubelet_running_containers{{container_state="{name}"}} {count}'
            for name, count in counts.items()
        ),
        *_head("kubelet_desired_pods", "The number of pods the kubelet is being instructed to run"),
        f'kubelet_desired_pods{{static=""}} {len(pods)}',
    ]
    return _PROMETHEUS, ("\n".join(lines) + "\n").encode()


def _resources(agent: NodeAgent, now: float) -> tuple[str, bytes]:
    """/metrics/resource: what metrics-server reads."""
    at = int(now * 1000)
    lines = [
        *_head(
            "node_cpu_usage_seconds_total", "Cumulative cpu time consumed by the node", "counter"
        ),
        f"node_cpu_usage_seconds_total 0 {at}",
        *_head("node_memory_working_set_bytes", "Current working set of the node in bytes"),
        f"node_memory_working_set_bytes 0 {at}",
    ]
    rows = [
        f'container="{one.name}",namespace="{meta["namespace"]}",pod="{meta["name"]}"'
        for pod in _live(agent)
        for meta in [objects.meta(pod.object)]
        for one in pod.seen.containers
        if one.state is State.RUNNING
    ]
    text = "Cumulative cpu time consumed by the container in core-seconds"
    lines += _head("container_cpu_usage_seconds_total", text, "counter")
    lines += [f"container_cpu_usage_seconds_total{{{row}}} 0 {at}" for row in rows]
    lines += _head("container_memory_working_set_bytes", "Current working set of the container")
    lines += [f"container_memory_working_set_bytes{{{row}}} 0 {at}" for row in rows]
    return _PROMETHEUS, ("\n".join(lines) + "\n").encode()


def _head(name: str, text: str, kind: str = "gauge") -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


_PAGES: Final[dict[str, Page]] = {
    "/healthz": _health, "/healthz/ping": _health, "/healthz/syncloop": _health, "/pods": _pods,
    "/configz": _configuration, "/stats/summary": _summary, "/metrics": _metrics,
    "/metrics/resource": _resources,
}  # fmt: skip
