"""The kubelet's pages: which there are, and what answers each. Pure."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from cluster.api import objects
from cluster.kubelet.agent import NodeAgent
from cluster.kubelet.lifecycle.model import State
from cluster.kubelet.serving import exposition
from cluster.kubelet.serving.facts import Facts, live
from cluster.pb.cluster.v1 import kubelet_pb2 as pb

_JSON: Final = "application/json"
_PARAMETERS: Final = 64
_TEXT: Final = "text/plain; charset=utf-8"
_encode = msgspec.json.Encoder().encode
Page = Callable[[NodeAgent, Facts, dict[str, str]], tuple[str, bytes]]

MEASURED: Final = ("/stats/summary", "/metrics", "/metrics/resource", "/metrics/cadvisor")
"""The pages for which the runtime is asked."""


def path_of(request: pb.PageRequest) -> str:
    """The page that a request names."""
    return request.path.partition("?")[0].rstrip("/") or "/"


def query_of(request: pb.PageRequest) -> dict[str, str]:
    """Its parameters; of one that comes twice, the first."""
    try:
        found = parse_qs(
            request.path.partition("?")[2], keep_blank_values=True, max_num_fields=_PARAMETERS
        )
    except ValueError:
        return {}  # too many, or no UTF-8
    return {name: values[0] for name, values in found.items()}


def page(agent: NodeAgent, request: pb.PageRequest, facts: Facts) -> pb.PageResponse:
    """Answer a request. Only for the pages in MEASURED the facts say more than the time."""
    make = _PAGES.get(path_of(request))
    if make is None:
        return answer(404, "404 page not found\n")
    if request.method not in ("", "GET", "HEAD"):
        return answer(405, "405: Method Not Allowed\n")
    kind, body = make(agent, facts, query_of(request))
    return pb.PageResponse(status=200, content_type=kind, body=body)


def answer(status: int, text: str) -> pb.PageResponse:
    """A page of text."""
    return pb.PageResponse(status=status, content_type=_TEXT, body=text.encode())


def _health(_agent: NodeAgent, _facts: Facts, _query: dict[str, str]) -> tuple[str, bytes]:
    return _TEXT, b"ok"


def _pods(agent: NodeAgent, _facts: Facts, _query: dict[str, str]) -> tuple[str, bytes]:
    items = [
        {**pod.object, "status": pod.status or objects.status(pod.object)} for pod in live(agent)
    ]
    return _list(items)


def _running(agent: NodeAgent, _facts: Facts, _query: dict[str, str]) -> tuple[str, bytes]:
    """The pods as the runtime has them: names and what runs, nothing of what was wanted."""
    items = []
    for pod in agent.pods.values():
        inside = [one for one in pod.seen.containers if one.state is State.RUNNING]
        if not inside:
            continue
        meta = objects.meta(pod.object)
        named = {key: meta.get(key, "") for key in ("name", "namespace")} | {"uid": pod.uid}
        containers = [{"name": one.name, "image": one.image, "resources": {}} for one in inside]
        items.append({"metadata": named, "spec": {"containers": containers}, "status": {}})
    return _list(items)


def _list(items: list[dict[str, Any]]) -> tuple[str, bytes]:
    return _JSON, _encode({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})


def _configuration(agent: NodeAgent, _facts: Facts, _query: dict[str, str]) -> tuple[str, bytes]:
    # Imported here, as below: nobody needs it before somebody asks.
    from cluster.kubelet.configuration import shown

    return _JSON, _encode({"kubeletconfig": shown.configuration(agent.config)})


def _summary(agent: NodeAgent, facts: Facts, query: dict[str, str]) -> tuple[str, bytes]:
    from cluster.kubelet.serving import summary

    short = query.get("only_cpu_and_memory", "").lower() in ("true", "1")
    return _JSON, _encode(summary.summary(agent, facts, short=short))


def _metrics(name: str) -> Page:
    def make(agent: NodeAgent, facts: Facts, _query: dict[str, str]) -> tuple[str, bytes]:
        from cluster.kubelet.serving import metrics

        found: bytes = getattr(metrics, name)(agent, facts)
        return exposition.CONTENT_TYPE, found

    return make


_PAGES: Final[dict[str, Page]] = {
    "/healthz": _health, "/healthz/ping": _health, "/healthz/syncloop": _health,
    "/healthz/log": _health, "/pods": _pods, "/runningpods": _running, "/configz": _configuration,
    "/stats/summary": _summary, "/metrics": _metrics("kubelet"),
    "/metrics/resource": _metrics("resources"), "/metrics/cadvisor": _metrics("cadvisor"),
    "/metrics/probes": _metrics("probes"),
}  # fmt: skip
