"""DaemonSets from the first pod to the last, as the Kubernetes documentation tells of them."""

from typing import Any

from controllerworld import World
from daemonsets import REVISIONS, SETS, Sets, daemon_set, lived

from cluster.api import objects


def test_every_node_gets_one_pod_and_the_status_tells_so() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, daemon_set())
        told = await sets.rest(3)
        assert told == {
            "currentNumberScheduled": 3,
            "desiredNumberScheduled": 3,
            "numberAvailable": 3,
            "numberMisscheduled": 0,
            "numberReady": 3,
            "observedGeneration": 1,
            "updatedNumberScheduled": 3,
        }
        assert await sets.by_node() == {f"n{n}": ["nginx:1"] for n in range(3)}
        pods = await sets.pods()
        revision = (await world.all(REVISIONS))[0]
        hashed = objects.labels(revision)["controller-revision-hash"]
        for pod in pods:
            assert objects.labels(pod)["controller-revision-hash"] == hashed
            assert objects.labels(pod)["pod-template-generation"] == "1"
            keys = [one["key"] for one in pod["spec"]["tolerations"]]
            assert keys == [
                f"node.kubernetes.io/{what}"
                for what in (
                    "not-ready", "unreachable", "disk-pressure", "memory-pressure",
                    "pid-pressure", "unschedulable",
                )
            ]  # fmt: skip
            assert not any("tolerationSeconds" in one for one in pod["spec"]["tolerations"])
        made = sorted(await world.events("SuccessfulCreate"))
        assert made == sorted(f"Created pod: {objects.name(pod)}" for pod in pods)

    lived(scenario)


def test_nodes_that_come_get_a_pod_and_those_that_lose_the_label_lose_it() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, daemon_set(pod={"nodeSelector": {"disk": "ssd"}}))

        async def nothing_wanted() -> bool:
            return (await sets.status()).get("observedGeneration") == 1

        await world.until(nothing_wanted)
        assert await sets.pods() == []
        await world.kubelet.add_node("n9", disk="ssd")
        await world.client.patch("nodes", "n0", {"metadata": {"labels": {"disk": "ssd"}}})
        await sets.rest(2)
        assert [*await sets.by_node()] == ["n0", "n9"]
        await world.client.patch("nodes", "n0", {"metadata": {"labels": {"disk": None}}})
        await sets.rest(1)
        assert [*await sets.by_node()] == ["n9"]
        assert len(await world.events("SuccessfulDelete")) == 1

    lived(scenario)


def taint(effect: str) -> dict[str, Any]:
    return {"spec": {"taints": [{"key": "dedicated", "value": "db", "effect": effect}]}}


def test_noschedule_keeps_pods_away_and_noexecute_ends_them() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.client.patch("nodes", "n2", taint("NoSchedule"))
        await world.create(SETS, daemon_set())
        await sets.rest(2)
        assert [*await sets.by_node()] == ["n0", "n1"]

        await world.client.patch("nodes", "n1", taint("NoSchedule"))

        async def misscheduled() -> bool:
            told = await sets.status()
            return (told["numberMisscheduled"], told["desiredNumberScheduled"]) == (1, 1)

        await world.until(misscheduled)
        assert [*await sets.by_node()] == ["n0", "n1"]

        await world.client.patch("nodes", "n1", taint("NoExecute"))
        await sets.rest(1)
        assert [*await sets.by_node()] == ["n0"]

        await sets.patch(
            template={"spec": {"tolerations": [{"key": "dedicated", "operator": "Exists"}]}}
        )
        await sets.rest(3)
        assert [*await sets.by_node()] == ["n0", "n1", "n2"]

    lived(scenario)


def test_pods_stay_on_nodes_that_are_silent_and_cordoned() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, daemon_set())
        await sets.rest(3)
        before = {objects.uid(pod) for pod in await sets.pods()}
        world.kubelet.silent.add("n1")
        await world.client.patch("nodes", "n0", {"spec": {"unschedulable": True}})

        async def unready() -> bool:
            return (await sets.status())["numberReady"] == 2

        await world.until(unready, 200)
        start = world.clock.now()

        async def much_later() -> bool:
            return world.clock.now() > start + 900

        await world.until(much_later, 1000, every=10)
        assert {objects.uid(pod) for pod in await sets.pods()} == before
        told = await sets.status()
        # What is tolerated of a silent node's taints is NoExecute: its pod may stay there, and no
        # other would come.
        assert (told["desiredNumberScheduled"], told["numberMisscheduled"]) == (2, 1)
        await world.kubelet.back("n1")

    lived(scenario)
