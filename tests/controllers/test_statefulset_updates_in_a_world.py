"""StatefulSets against a real registry: updates, partitions, and the history of them."""

from controllerworld import World
from statefulsets import REVISIONS, SETS, Sets, image, lived, rolling, stateful_set

from cluster.api import objects
from cluster.controllers.config import Config


def test_an_update_goes_from_the_highest_down_one_at_a_time() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set())
        first = (await sets.rest())["currentRevision"]
        await sets.roll("nginx:2")
        order: list[str] = []

        async def updated() -> bool:
            pods = await sets.pods()
            down = 3 - sum(
                not objects.deleting(pod)
                and any(c["status"] == "True" for c in objects.status(pod).get("conditions") or ())
                for pod in pods.values()
            )
            assert down <= 1
            for name, pod in pods.items():
                if image(pod) == "nginx:2" and name not in order:
                    order.append(name)
            told = await sets.status()
            return (
                told["currentRevision"] == told["updateRevision"] != first and await sets.at_rest()
            )

        await world.until(updated, within=120)
        assert order == ["web-2", "web-1", "web-0"]
        told = await sets.status()
        assert (told["currentReplicas"], told["updatedReplicas"]) == (3, 3)

    lived(scenario)


def test_a_partition_keeps_lower_pods_even_when_they_are_deleted() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(updateStrategy=rolling(partition=2)))
        await sets.rest()
        await sets.roll("nginx:2")
        await sets.rest()
        old, new = "nginx:1", "nginx:2"
        assert await sets.images() == {"web-0": old, "web-1": old, "web-2": new}
        told = await sets.status()
        assert (told["currentReplicas"], told["updatedReplicas"]) == (2, 1)
        assert told["currentRevision"] != told["updateRevision"]
        await world.client.delete("pods", "web-0", "default")
        await world.client.delete("pods", "web-2", "default")

        async def back() -> bool:
            return await sets.at_rest()

        await world.until(back)
        assert await sets.images() == {"web-0": old, "web-1": old, "web-2": new}
        await sets.patch(updateStrategy={"rollingUpdate": {"partition": 0}})
        await sets.rest()
        assert set((await sets.images()).values()) == {new}

    lived(scenario)


def test_on_delete_updates_what_the_user_deletes() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(updateStrategy={"type": "OnDelete"}))
        await sets.rest()
        await sets.roll("nginx:2")

        async def told() -> bool:
            status = await sets.status()
            return status["currentRevision"] != status["updateRevision"]

        await world.until(told)
        await world.client.delete("pods", "web-1", "default")

        async def one_updated() -> bool:
            return (await sets.status()).get("updatedReplicas") == 1 and await sets.at_rest()

        await world.until(one_updated)
        assert await sets.images() == {"web-0": "nginx:1", "web-1": "nginx:2", "web-2": "nginx:1"}

    lived(scenario)


def test_max_unavailable_lets_several_go_at_once() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        made = stateful_set(
            replicas=6, podManagementPolicy="Parallel", updateStrategy=rolling(maxUnavailable="50%")
        )
        await world.create(SETS, made)
        await sets.rest()
        world.kubelet.end_after = 2.0
        await sets.roll("nginx:2")
        most = 0

        async def updated() -> bool:
            nonlocal most
            pods = await sets.pods()
            most = max(most, sum(objects.deleting(pod) for pod in pods.values()))
            return await sets.at_rest()

        await world.until(updated, within=60)
        assert most == 3

    lived(scenario)


def test_before_1_35_there_is_no_max_unavailable() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        made = stateful_set(
            replicas=4, podManagementPolicy="Parallel", updateStrategy=rolling(maxUnavailable=4)
        )
        await world.create(SETS, made)
        await sets.rest()
        world.kubelet.end_after = 2.0
        await sets.roll("nginx:2")

        async def updated() -> bool:
            pods = await sets.pods()
            assert sum(objects.deleting(pod) for pod in pods.values()) <= 1
            return await sets.at_rest()

        await world.until(updated, within=120)

    lived(scenario, Config(kubernetes_version="1.34"))


def test_a_broken_revision_blocks_until_its_pod_is_deleted_by_hand() -> None:
    """The known issue of OrderedReady: going back to a good template is not enough."""

    async def scenario(world: World, sets: Sets) -> None:
        world.kubelet.ready_after = lambda pod: None if image(pod) == "broken" else 1.0
        await world.create(SETS, stateful_set())
        good = (await sets.rest())["currentRevision"]
        await sets.roll("broken")

        async def stuck() -> bool:
            return (await sets.images()).get("web-2") == "broken"

        await world.until(stuck)
        await sets.roll("nginx:1")

        async def back() -> bool:
            return (await sets.status())["updateRevision"] == good

        await world.until(back)
        await world.until(stuck)
        assert (await sets.status())["readyReplicas"] == 2
        await world.client.delete("pods", "web-2", "default")
        await sets.rest()
        assert set((await sets.images()).values()) == {"nginx:1"}

    lived(scenario)


def test_in_parallel_a_broken_revision_is_replaced() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        world.kubelet.ready_after = lambda pod: None if image(pod) == "broken" else 1.0
        await world.create(SETS, stateful_set(podManagementPolicy="Parallel"))
        await sets.rest()
        await sets.roll("broken")

        async def stuck() -> bool:
            return (await sets.images()).get("web-2") == "broken"

        await world.until(stuck)
        assert (await sets.images())["web-1"] == "nginx:1"
        await sets.roll("nginx:1")
        await sets.rest()
        assert set((await sets.images()).values()) == {"nginx:1"}

    lived(scenario)


# History


def test_history_keeps_what_is_asked_for_and_what_is_in_use() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=1, revisionHistoryLimit=2))
        await sets.rest()
        for number in range(2, 7):
            await sets.roll(f"nginx:{number}")
            await sets.rest()

        async def numbers() -> list[int]:
            return sorted(one["revision"] for one in await world.all(REVISIONS))

        async def truncated() -> bool:
            return await numbers() == [4, 5, 6]

        await world.until(truncated)

    lived(scenario)


def test_going_back_gives_the_old_revision_the_next_number() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=1))
        first = (await sets.rest())["currentRevision"]
        await sets.roll("nginx:2")
        await sets.rest()
        await sets.roll("nginx:1")
        await sets.rest()
        assert (await sets.status())["currentRevision"] == first
        found = {objects.name(one): one["revision"] for one in await world.all(REVISIONS)}
        assert found[first] == 3
        assert sorted(found.values()) == [2, 3]

    lived(scenario)


def test_the_change_cause_is_kept_with_the_revision() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        made = stateful_set(replicas=1)
        made["metadata"]["annotations"] = {"kubernetes.io/change-cause": "because"}
        await world.create(SETS, made)
        await sets.rest()
        (revision,) = await world.all(REVISIONS)
        assert objects.annotations(revision)["kubernetes.io/change-cause"] == "because"

    lived(scenario)


def test_a_hash_that_is_taken_is_counted() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=1))
        taken = (await sets.rest())["currentRevision"]
        await world.client.delete(SETS, "web", "default")

        async def gone() -> bool:
            return not await world.all(REVISIONS)

        await world.until(gone)
        squatter = {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {"name": taken, "namespace": "default"},
            "data": {"other": "thing"},
            "revision": 1,
        }
        await world.create(REVISIONS, squatter)
        await world.create(SETS, stateful_set(replicas=1))
        told = await sets.rest()
        assert told["collisionCount"] == 1
        assert told["currentRevision"] != taken

    lived(scenario)
