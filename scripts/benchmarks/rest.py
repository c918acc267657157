"""The REST face over TLS, driven by wrk on 32 connections; every create is durable."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import documents, solo, wrk
from benchmarks.figures import Figure, Outcome, Skipped

_CREATE = """
local number = 0
local text = [==[%s]==]
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
request = function()
  number = number + 1
  return wrk.format(nil, nil, nil, (text:gsub("NUMBER", "%s-" .. number, 1)))
end
"""


def measure() -> Iterator[Outcome]:
    """GET one object, create ConfigMaps and Pods, list 10,000 pods."""
    if not wrk.available():
        yield Skipped("REST over TLS", wrk.MISSING)
        return
    with solo.ApiServer() as server:
        core = f"{server.url}/api/v1/namespaces/default"
        server.write([documents.config_map("one")])
        get = wrk.run(f"{core}/configmaps/one", token=server.token)
        yield Figure("REST: GET one object", get.rate, "a second", 12_000)
        rate = _create(server, f"{core}/configmaps", documents.config_map)
        yield Figure("REST: create ConfigMap, durable", rate, "a second", 4_000)
        rate = _create(server, f"{core}/pods", documents.pod)
        yield Figure("REST: create Pod, durable", rate, "a second", 2_500)
    with solo.ApiServer() as server:
        server.write([documents.pod(f"pod-{number:05}") for number in range(10_000)])
        yield from _lists(server)


def _create(server: solo.ApiServer, url: str, make: Callable[[str], dict[str, Any]]) -> float:
    text = json.dumps(make("NUMBER"))
    kind = "pod" if "Pod" in text else "cm"
    return wrk.run(url, token=server.token, script=_CREATE % (text, kind)).rate


def _lists(server: solo.ApiServer) -> Iterator[Outcome]:
    pods = f"{server.url}/api/v1/namespaces/default/pods"
    size = server.size(pods) / 1e6
    whole = wrk.run(pods, connections=1, seconds=8, token=server.token)
    yield Figure(
        "REST: LIST 10,000 pods, mean", whole.latency * 1e3, "ms", 150, True, f"{size:.0f} MB"
    )
    page = wrk.run(f"{pods}?limit=500", token=server.token)
    yield Figure("REST: LIST 500 pods a page, first page", page.rate, "a second", 83)
