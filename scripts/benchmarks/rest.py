"""The REST face over TLS, driven by wrk on 32 connections; every create is durable."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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


_LEAST = {
    "GET one object": 12_000,
    "create ConfigMap, durable": 4_000,
    "create Pod, durable": 2_500,
}
_SHARE = 0.8
"""What must be left of the rates where everything is on. The processor's time for an answer tells:
it is what bounds the server, and depends little on what else this machine does.
"""


def measure() -> Iterator[Outcome]:
    """GET one object, create ConfigMaps and Pods, list 10,000 pods."""
    if not wrk.available():
        yield Skipped("REST over TLS", wrk.MISSING)
        return
    free, governed = _reports(governed=False), _reports(governed=True)
    for name, least in _LEAST.items():
        yield Figure(f"REST: {name}", free[name].rate, "a second", least)
        note = f"{governed[name].rate:,.0f} a second with RBAC, a quota and a LimitRange"
        share = free[name].busy / governed[name].busy
        yield Figure(f"REST: {name}, governed", share, "of it", _SHARE, note=note)
    with solo.ApiServer() as server:
        server.write([documents.pod(f"pod-{number:05}") for number in range(10_000)])
        yield from _lists(server)


@dataclass(frozen=True, slots=True)
class _Report:
    """Answers a second, and the processor's seconds that the server needs for one."""

    rate: float
    busy: float


def _reports(*, governed: bool) -> dict[str, _Report]:
    """What clients get; `governed`: users whom RBAC lets edit, within a quota and limits."""
    with solo.ApiServer(governed=governed) as server:
        core = f"{server.url}/api/v1/namespaces/default"
        server.write([documents.config_map("one")])
        found = (
            _report(server, f"{core}/configmaps/one"),
            _report(server, f"{core}/configmaps", _script(documents.config_map)),
            _report(server, f"{core}/pods", _script(documents.pod)),
        )
    return dict(zip(_LEAST, found, strict=True))


def _report(server: solo.ApiServer, url: str, script: str = "") -> _Report:
    before = server.busy()
    report = wrk.run(url, token=server.token, script=script)
    return _Report(report.rate, (server.busy() - before) / report.requests)


def _script(make: Callable[[str], dict[str, Any]]) -> str:
    text = json.dumps(make("NUMBER"))
    return _CREATE % (text, "pod" if "Pod" in text else "cm")


def _lists(server: solo.ApiServer) -> Iterator[Outcome]:
    pods = f"{server.url}/api/v1/namespaces/default/pods"
    size = server.size(pods) / 1e6
    whole = wrk.run(pods, connections=1, seconds=8, token=server.token)
    yield Figure(
        "REST: LIST 10,000 pods, mean", whole.latency * 1e3, "ms", 150, True, f"{size:.0f} MB"
    )
    page = wrk.run(f"{pods}?limit=500", token=server.token)
    yield Figure("REST: LIST 500 pods a page, first page", page.rate, "a second", 83)
