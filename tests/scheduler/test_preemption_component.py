"""Preemption end to end: the scheduler against a registry in the same process."""

from collections.abc import Sequence
from typing import Any

import pytest
from test_scheduler_component import FlakyTransport, World, run

from cluster.api import conditions, errors, operations
from cluster.client.transport import Raw

Json = dict[str, Any]


async def _classes(one: World) -> None:
    for name, value in (("low", 10), ("middle", 50), ("high", 100), ("polite", 100)):
        made: Json = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
        made |= {"metadata": {"name": name}, "value": value}
        if name == "polite":
            made["preemptionPolicy"] = "Never"
        await one.client.create("priorityclasses.scheduling.k8s.io", made)


async def _full(one: World, *nodes: str) -> None:
    """Nodes, each full with one pod of low priority, named after it."""
    await _classes(one)
    for name in nodes:
        await one.node(name, cpu="2")
        await one.pod(f"low-{name}", cpu="2", priorityClassName="low", nodeName=name)


async def _gone(one: World, name: str) -> bool:
    try:
        await one.get(name)
    except errors.NotFound:
        return True
    return False


async def _deleting(one: World, name: str) -> Json:
    found: list[Json] = []

    async def holds() -> bool:
        found[:] = [await one.get(name)]
        return "deletionTimestamp" in found[0]["metadata"]

    await one.until(holds)
    return found[0]


async def _end(one: World, name: str) -> None:
    """What the kubelet does when the containers are gone."""
    await one.client.delete("pods", name, "default", grace=0)


def test_a_victim_is_told_why_and_the_pod_gets_its_node() -> None:
    async def scenario(one: World) -> None:
        await _full(one, "a")
        await one.pod("urgent", cpu="2", priorityClassName="high")
        victim = await _deleting(one, "low-a")
        target = conditions.find(victim, "DisruptionTarget")
        assert target is not None
        assert (target["status"], target["reason"], target["message"]) == (
            "True",
            "PreemptionByScheduler",
            "default-scheduler: preempting to accommodate a higher priority pod",
        )

        async def nominated() -> bool:
            return (await one.get("urgent"))["status"].get("nominatedNodeName") == "a"

        await one.until(nominated)
        refused = await one.refused("urgent")
        assert refused["message"] == "0/1 nodes are available: 1 Insufficient cpu."
        await _end(one, "low-a")
        assert await one.bound("urgent") == ["a"]
        (event,) = await one.events("low-a", "Preempted")
        uid = (await one.get("urgent"))["metadata"]["uid"]
        assert event["message"] == f"Preempted by pod {uid} on node a"
        assert (event["type"], event["action"]) == ("Normal", "Preempting")

    run(scenario)


def test_while_the_victim_ends_no_other_pod_dies_or_takes_its_place() -> None:
    async def scenario(one: World) -> None:
        await _full(one, "a", "b")
        await one.pod("urgent", cpu="2", priorityClassName="high")

        async def nominated() -> bool:
            return bool((await one.get("urgent"))["status"].get("nominatedNodeName"))

        await one.until(nominated)
        node = (await one.get("urgent"))["status"]["nominatedNodeName"]
        other = "b" if node == "a" else "a"
        # Tried again while its victim still ends: it must wait, not kill the other one too.
        meta = {"labels": {"touched": "yes"}}
        await one.client.patch("pods", "urgent", {"metadata": meta}, "default")
        await one.pod("late", cpu="2", priorityClassName="low")
        await one.refused("late")
        await _end(one, f"low-{node}")
        assert await one.bound("urgent") == [node]
        assert "deletionTimestamp" not in (await one.get(f"low-{other}"))["metadata"]
        assert "nodeName" not in (await one.get("late"))["spec"]

    run(scenario)


def test_a_budget_is_honoured_where_another_node_will_do() -> None:
    async def scenario(one: World) -> None:
        await _classes(one)
        for name in ("a", "b"):
            await one.node(name, cpu="2")
        labels = {"app": "guarded"}
        await one.pod("low-a", cpu="2", priorityClassName="low", nodeName="a", labels=labels)
        await one.pod("middle-b", cpu="2", priorityClassName="middle", nodeName="b")
        budget = {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "guard", "namespace": "default"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": labels}},
        }
        await one.client.create("poddisruptionbudgets.policy", budget)
        await one.pod("urgent", cpu="2", priorityClassName="high")
        await _deleting(one, "middle-b")
        assert "deletionTimestamp" not in (await one.get("low-a"))["metadata"]

    run(scenario)


def test_a_more_urgent_pod_takes_a_promise_away() -> None:
    async def scenario(one: World) -> None:
        await _full(one, "a")
        await one.pod("middle", cpu="2", priorityClassName="middle")
        await _deleting(one, "low-a")

        async def nominated(name: str) -> bool:
            return (await one.get(name))["status"].get("nominatedNodeName") == "a"

        await one.until(lambda: nominated("middle"))
        await one.pod("urgent", cpu="1", priorityClassName="high")
        await one.until(lambda: nominated("urgent"))
        await _end(one, "low-a")
        assert await one.bound("urgent") == ["a"]

        async def cleared() -> bool:
            return not await nominated("middle")

        await one.until(cleared)
        assert "nodeName" not in (await one.get("middle"))["spec"]

    run(scenario)


def test_a_victim_that_cannot_be_evicted_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = [2]
    write = FlakyTransport.write

    async def refusing(
        self: FlakyTransport, batch: Sequence[operations.Operation]
    ) -> Sequence[Raw | errors.StatusError | None]:
        if refusals[0] and any(each.verb is operations.Verb.DELETE for each in batch):
            refusals[0] -= 1
            return [errors.ServiceUnavailable("not now") for _ in batch]
        return await write(self, batch)

    async def scenario(one: World) -> None:
        await _full(one, "a")
        await one.pod("urgent", cpu="2", priorityClassName="high")
        await _deleting(one, "low-a")
        assert refusals == [0]
        assert len(await one.events("low-a", "Preempted")) == 1

    monkeypatch.setattr(FlakyTransport, "write", refusing)
    run(scenario)


def test_who_never_preempts_waits() -> None:
    async def scenario(one: World) -> None:
        await _full(one, "a")
        await one.pod("polite", cpu="2", priorityClassName="polite")
        refused = await one.refused("polite")
        assert refused["message"] == (
            "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to "
            "preemptionPolicy=Never."
        )
        assert "deletionTimestamp" not in (await one.get("low-a"))["metadata"]

    run(scenario)
