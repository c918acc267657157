"""Affinity and spreading through the API: what the scheduler hears of, and whom that wakes."""

from collections import Counter
from typing import Any

from scheduling import pod
from test_scheduler_component import World, run

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
ZONE = "topology.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"


def _far(**more: Any) -> Any:
    term = {"topologyKey": HOST, "labelSelector": {"matchLabels": {"app": "x"}}} | more
    return {"podAntiAffinity": {REQUIRED: [term]}}


def test_pods_that_come_at_once_are_spread() -> None:
    async def scenario(one: World) -> None:
        for at in range(6):
            await one.node(f"n{at}", labels={ZONE: f"z{at % 3}"})
        constraint = {
            "maxSkew": 1,
            "topologyKey": ZONE,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "x"}},
        }
        names = [f"p{at}" for at in range(12)]
        for name in names:
            await one.pod(name, labels={"app": "x"}, topologySpreadConstraints=[constraint])
        where = await one.bound(*names)
        zones = Counter(int(name[1:]) % 3 for name in where)
        assert zones == {0: 4, 1: 4, 2: 4}

    run(scenario)


def test_a_pod_that_is_kept_away_waits_until_the_other_is_relabelled() -> None:
    async def scenario(one: World) -> None:
        await one.node("node-1")
        await one.pod("first", labels={"app": "x"})
        await one.bound("first")
        await one.pod("second", affinity=_far())
        found = await one.refused("second")
        assert found["message"].startswith(
            "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules."
        )
        patch = {"metadata": {"labels": {"app": "y"}}}
        await one.client.patch("pods", "first", patch, "default")
        assert await one.bound("second") == ["node-1"]

    run(scenario)


def test_a_pod_that_wants_company_wakes_when_the_company_is_placed() -> None:
    near = {
        "podAffinity": {
            REQUIRED: [{"topologyKey": HOST, "labelSelector": {"matchLabels": {"app": "x"}}}]
        }
    }

    async def scenario(one: World) -> None:
        await one.node("node-1")
        await one.pod("second", affinity=near)
        assert (await one.refused("second"))["status"] == "False"
        await one.pod("first", labels={"app": "x"})
        assert await one.bound("first", "second") == ["node-1", "node-1"]

    run(scenario)


def test_namespaces_are_chosen_by_their_labels() -> None:
    async def scenario(one: World) -> None:
        await one.node("node-1")
        for name, team in (("ours", "x"), ("theirs", "y")):
            meta = {"name": name, "labels": {"team": team}}
            await one.client.create("namespaces", {"metadata": meta})
            account = {"metadata": {"name": "default", "namespace": name}}
            await one.client.create("serviceaccounts", account)
            made = pod("p", labels={"app": "x"})
            made["metadata"] = {"name": "p", "namespace": name, "labels": {"app": "x"}}
            del made["status"]
            await one.client.create("pods", made)
        apart = _far(namespaceSelector={"matchLabels": {"team": "y"}})
        together = _far(namespaceSelector={"matchLabels": {"team": "z"}})
        await one.pod("kept-away", affinity=apart)
        await one.pod("free", affinity=together)
        await one.bound("free")
        assert (await one.refused("kept-away"))["status"] == "False"

    run(scenario)


def test_pods_of_a_service_are_spread_unasked() -> None:
    async def scenario(one: World) -> None:
        for at in range(2):
            await one.node(f"n{at}")
        service = {
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
        }
        await one.client.create("services", service)
        await one.pod("web", labels={"app": "web"})
        await one.pod("lone", labels={"app": "lone"})
        await one.bound("web", "lone")

        def plugins(name: str) -> set[str]:
            told = one.scheduler.explain(f"default/{name}")
            assert told is not None
            return set(told.nodes[0].scores)

        assert "PodTopologySpread" in plugins("web")
        assert "PodTopologySpread" not in plugins("lone")

    run(scenario)
