"""The kubelet's pages: /healthz, /pods, /configz, /stats/summary, /metrics. Pure."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from cluster.api import objects, quantity, timestamps
from cluster.kubelet.agent import NodeAgent
from cluster.kubelet.lifecycle.model import State
from cluster.kubelet.pods import Pod
from cluster.kubelet.serving import usage
from cluster.pb.cluster.v1 import kubelet_pb2 as pb

_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"
_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
_encode = msgspec.json.Encoder().encode
Page = Callable[[NodeAgent, float, usage.Usage], tuple[str, bytes]]


def path_of(request: pb.PageRequest) -> str:
    """The page that a request names."""
    return request.path.partition("?")[0].rstrip("/") or "/"


def page(
    agent: NodeAgent, request: pb.PageRequest, now: float, used: usage.Usage
) -> pb.PageResponse:
    """Answer a request. `now`: seconds since the epoch; `used`: for the pages of `usage.PAGES`."""
    path = path_of(request)
    make = _PAGES.get(path)
    if make is None:
        return pb.PageResponse(status=404, content_type=_TEXT, body=b"404 page not found\n")
    if request.method not in ("", "GET", "HEAD"):
        return pb.PageResponse(status=405, content_type=_TEXT, body=b"405: Method Not Allowed\n")
    kind, body = make(agent, now, used)
    return pb.PageResponse(status=200, content_type=kind, body=body)


def _health(_agent: NodeAgent, _now: float, _used: usage.Usage) -> tuple[str, bytes]:
    return _TEXT, b"ok"


def _pods(agent: NodeAgent, _now: float, _used: usage.Usage) -> tuple[str, bytes]:
    items = [
        {**pod.object, "status": pod.status or objects.status(pod.object)}
        for pod in agent.pods.values()
        if not pod.memory.removed
    ]
    return _JSON, _encode({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})


def _configuration(agent: NodeAgent, _now: float, _used: usage.Usage) -> tuple[str, bytes]:
    # Imported here: nobody needs it before somebody asks.
    from cluster.kubelet.configuration import shown

    return _JSON, _encode({"kubeletconfig": shown.configuration(agent.config)})


def _summary(agent: NodeAgent, now: float, used: usage.Usage) -> tuple[str, bytes]:
    stamp = timestamps.encode(now)
    pods = [_of_pod(one, stamp, used) for one in _live(agent)]
    total = usage.together([*used.values(), usage.system(agent, now)])
    free = max(quantity.value(agent.config.memory) - total.memory, 0)
    node = {
        "nodeName": agent.config.node_name,
        "startTime": timestamps.encode(agent.began),
        "cpu": _cpu(stamp, total),
        "memory": _memory(stamp, total) | {"availableBytes": free},
    }
    return _JSON, _encode({"node": node, "pods": pods})


def _of_pod(pod: Pod, stamp: str, used: usage.Usage) -> dict[str, Any]:
    meta = objects.meta(pod.object)
    running = [
        (one, used[one.id])
        for one in pod.seen.containers
        if one.state is State.RUNNING and one.id in used
    ]
    containers = [
        {
            "name": one.name,
            "startTime": timestamps.encode(one.started),
            "cpu": _cpu(stamp, its),
            "memory": _memory(stamp, its),
        }
        for one, its in running
    ]
    machines = [used[one.id] for one in pod.seen.sandboxes if one.id in used]
    together = usage.together([*(its for _, its in running), *machines])
    return {
        "podRef": {key: meta.get(key, "") for key in ("name", "namespace", "uid")},
        "startTime": (pod.status or {}).get("startTime"),
        "containers": containers,
        "cpu": _cpu(stamp, together),
        "memory": _memory(stamp, together),
    }


def _cpu(stamp: str, used: usage.Used) -> dict[str, Any]:
    found: dict[str, Any] = {"time": stamp, "usageCoreNanoSeconds": used.total}
    if used.cpu is not None:
        found["usageNanoCores"] = used.cpu
    return found


def _memory(stamp: str, used: usage.Used) -> dict[str, Any]:
    amounts = dict.fromkeys(("usageBytes", "workingSetBytes", "rssBytes"), used.memory)
    return {"time": stamp, **amounts}


def _live(agent: NodeAgent) -> list[Any]:
    return [pod for pod in agent.pods.values() if not pod.memory.removed]


def _metrics(agent: NodeAgent, _now: float, _used: usage.Usage) -> tuple[str, bytes]:
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


def _resources(agent: NodeAgent, now: float, used: usage.Usage) -> tuple[str, bytes]:
    """/metrics/resource: what metrics-server reads."""
    at = int(now * 1000)
    total = usage.together([*used.values(), usage.system(agent, now)])
    lines = [
        *_head(
            "node_cpu_usage_seconds_total", "Cumulative cpu time consumed by the node", "counter"
        ),
        f"node_cpu_usage_seconds_total {total.total / 1e9} {at}",
        *_head("node_memory_working_set_bytes", "Current working set of the node in bytes"),
        f"node_memory_working_set_bytes {total.memory} {at}",
    ]
    rows = [
        (
            f'container="{one.name}",namespace="{meta["namespace"]}",pod="{meta["name"]}"',
            used[one.id],
        )
        for pod in _live(agent)
        for meta in [objects.meta(pod.object)]
        for one in pod.seen.containers
        if one.state is State.RUNNING and one.id in used
    ]
    text = "Cumulative cpu time consumed by the container in core-seconds"
    lines += _head("container_cpu_usage_seconds_total", text, "counter")
    lines += [
        f"container_cpu_usage_seconds_total{{{row}}} {its.total / 1e9} {at}" for row, its in rows
    ]
    lines += _head("container_memory_working_set_bytes", "Current working set of the container")
    lines += [f"container_memory_working_set_bytes{{{row}}} {its.memory} {at}" for row, its in rows]
    return _PROMETHEUS, ("\n".join(lines) + "\n").encode()


def _head(name: str, text: str, kind: str = "gauge") -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


_PAGES: Final[dict[str, Page]] = {
    "/healthz": _health, "/healthz/ping": _health, "/healthz/syncloop": _health, "/pods": _pods,
    "/configz": _configuration, "/stats/summary": _summary, "/metrics": _metrics,
    "/metrics/resource": _resources,
}  # fmt: skip
