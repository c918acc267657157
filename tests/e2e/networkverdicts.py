"""Asks a cluster what the table of networkscenarios has, and tells where it says otherwise."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from networkscenarios import ALWAYS, BY_ITSELF, PODS, TOGETHER, Pod, Probe, Scenario

TIMES = 6
"""How often is asked at once where several answers are to come, or one and the same."""
ROUNDS = 8
"""How often what is not yet so is asked again: changes take their time to reach every node."""
_FAULTS = {
    "refused": "refused",
    "timed out": "timeout",
    "No route to host": "unreachable",
    "unreachable": "unreachable",
    "NXDOMAIN": "unknown",
}
_CUT = "=="
_NAME = "dns://"


class Asked(Protocol):
    """A cluster that is asked."""

    clients: Sequence[str]
    """Who can be asked to ask."""

    async def apply(self, manifests: str) -> None: ...
    async def remove(self, manifests: str) -> None: ...
    async def end(self, pod: str) -> None:
        """Delete a pod of `default`, and do not wait."""

    async def pod(self, pod: Pod) -> str: ...
    async def node(self, name: str) -> tuple[str, str]:
        """A node's address, and its range of pods' addresses."""

    async def service(self, name: str) -> Mapping[str, Any] | None: ...
    async def say(self, client: str, urls: Sequence[str]) -> str:
        """What asking each of the URLs once says, cut by `==`."""

    async def pause(self) -> None:
        """Until it is asked again."""


WGET = "wget -qO- -T 1 {url}"
NETCAT = r"printf 'GET {path} HTTP/1.0\r\n\r\n' | nc -w 1 {address} {port}"
"""For a busybox that is linked statically: its wget looks for libraries of the machine's."""


def script(urls: Iterable[str], asking: str = WGET) -> str:
    """What a pod runs to ask: for the shell."""
    each = []
    for url in urls:
        if url.startswith(_NAME):
            each.append(f"nslookup -type=a {url.removeprefix(_NAME)} 2>&1; echo {_CUT}")
            continue
        host, _, path = url.removeprefix("http://").partition("/")
        address, _, port = host.partition(":")
        one = asking.format(url=url, address=address, port=port, path="/" + path)
        each.append(f"{one} 2>&1; echo {_CUT}")
    return "; ".join(each)


async def differing(cluster: Asked, *, encapsulated: bool = True) -> list[str]:
    """What the cluster says otherwise than the table has it. Where packets between nodes are not
    encapsulated there are no VTEPs, and a node masquerades as itself.
    """
    places = await _Places.of(cluster)
    wrong: list[str] = []
    for together in (TOGETHER, *((one,) for one in BY_ITSELF)):
        scenarios = together if encapsulated else [_routed(one) for one in together]
        wrong += await _tried(cluster, places, scenarios)
    return wrong


def _routed(scenario: Scenario) -> Scenario:
    probes = [
        replace(probe, verdicts=frozenset(one.replace("vtep/", "") for one in probe.verdicts))
        for probe in scenario.probes
    ]
    return replace(scenario, probes=probes)


class _Places:
    """Addresses by names, and names by addresses."""

    def __init__(self, pods: dict[str, str], nodes: dict[str, tuple[str, str]]) -> None:
        self.pods = pods
        self.nodes = nodes
        self.names = {address: name for name, address in pods.items()}
        for name, (address, pod_range) in nodes.items():
            self.names[address] = name
            self.names[address.rpartition(".")[0] + ".1"] = "machine"
            start = pod_range.rpartition(".")[0]
            self.names[start + ".1"] = f"cni0/{name}"
            self.names[start + ".0"] = f"vtep/{name}"

    @classmethod
    async def of(cls, cluster: Asked) -> "_Places":
        pods = {pod.name: await cluster.pod(pod) for pod in PODS}
        return cls(pods, {name: await cluster.node(name) for name in ("node-1", "node-2")})

    async def url(self, cluster: Asked, target: str) -> str:
        """Where a probe goes."""
        where, _, port = target.rpartition(":")
        kind, _, name = (where or target).partition("/")
        if kind == "name":
            return _NAME + name
        match kind:
            case "pod":
                address = self.pods[name]
            case "node":
                address = self.nodes[name][0]
            case "service":
                address = (await cluster.service(name) or {})["spec"]["clusterIP"]
            case "balancer":
                address = await _balanced(cluster, name)
            case _:
                address = where
        return f"http://{address}:{port}/cgi-bin/who"

    def verdict(self, said: str) -> str:
        """What an answer comes to."""
        told = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
        if "Hostname" in told:
            client = told["RemoteAddr"].rpartition(":")[0]
            return f"{told['Hostname']} as {self.names.get(client, client)}"
        if "Name:\t" in said:
            found = re.findall(r"^Address: *(\S+)$", said, re.MULTILINE)
            return "named " + " ".join(sorted(self.names.get(one, one) for one in found))
        return next((name for sign, name in _FAULTS.items() if sign in said), said.strip())


async def _balanced(cluster: Asked, name: str) -> str:
    for _ in range(ROUNDS):
        found = await cluster.service(name) or {}
        given = found.get("status", {}).get("loadBalancer", {}).get("ingress")
        if given:
            return str(given[0]["ip"])
        await cluster.pause()
    return "0.0.0.0"  # nobody's: no answer comes from it


async def _tried(cluster: Asked, places: _Places, scenarios: Sequence[Scenario]) -> list[str]:
    manifests = "".join(scenario.manifests for scenario in scenarios)
    manifests = manifests.replace("RANGE-OF-NODE-2", places.nodes["node-2"][1])
    await cluster.apply(manifests)
    for name in (name for scenario in scenarios for name in scenario.leaving):
        await cluster.end(name)
    open_ = [
        (scenario.name, probe, await places.url(cluster, probe.target))
        for scenario in scenarios
        for probe in scenario.probes
        if probe.client in cluster.clients
    ]
    wrong: dict[int, str] = {}
    for number in range(ROUNDS):
        found = await _asked(cluster, places, [(probe, url) for _, probe, url in open_])
        again = [
            (one, answers) for one, answers in zip(open_, found, strict=True)
            if not _fits(one[1], answers)
        ]  # fmt: skip
        open_ = [one for one, _ in again]
        wrong = {
            index: f"{name}: {probe.client} to {probe.target}: {answers}, not "
            f"{sorted(probe.verdicts)}"
            for index, ((name, probe, _), answers) in enumerate(again)
        }
        if not open_:
            break
        if number < ROUNDS - 1:
            await cluster.pause()
    await cluster.remove(manifests)
    return list(wrong.values())


def _fits(probe: Probe, answers: Sequence[str]) -> bool:
    found = set(answers)
    return (len(found) == 1 and found <= probe.verdicts) if probe.sticky else (
        found == probe.verdicts)  # fmt: skip


async def _asked(
    cluster: Asked, places: _Places, probes: Sequence[tuple[Probe, str]]
) -> list[list[str]]:
    """The answers to each probe; the clients ask side by side."""
    shares: dict[str, list[int]] = defaultdict(list)
    for index, (probe, _) in enumerate(probes):
        shares[probe.client].append(index)
    answers: list[list[str]] = [[] for _ in probes]

    async def ask(client: str, share: Sequence[int]) -> None:
        each = [(i, probes[i][1]) for i in share for _ in range(_times(probes[i][0]))]
        said = (await cluster.say(client, [url for _, url in each])).split(_CUT)
        for (index, _), text in zip(each, said, strict=False):
            answers[index].append(places.verdict(text))

    async with asyncio.TaskGroup() as group:
        for client, share in shares.items():
            group.create_task(ask(client, share))
    return answers


def _times(probe: Probe) -> int:
    return 3 * TIMES // 2 if len(probe.verdicts) > 1 else 1


def askers() -> Sequence[str]:
    """The pods that can be asked to ask."""
    return ALWAYS
