"""Rolling updates, going back, and what befalls single pods of a DaemonSet."""

from typing import Any

from controllerworld import World
from daemonsets import REVISIONS, SETS, Sets, daemon_set, image, lived, rolling

from cluster.api import objects
from cluster.controllers import podstate
from cluster.controllers.daemonset import podmaking


async def wait(world: World, seconds: float) -> None:
    start = world.clock.now()

    async def over() -> bool:
        return world.clock.now() >= start + seconds

    await world.until(over, seconds + 5, every=min(1.0, seconds / 10))


def test_an_update_goes_from_node_to_node_and_keeps_its_history() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, daemon_set())
        await sets.rest(3)
        await sets.roll("nginx:2")
        down: list[int] = []

        async def settled() -> bool:
            down.append(3 - sum(podstate.is_ready(pod) for pod in await sets.pods()))
            return await sets.at_rest()

        await world.until(settled)
        assert max(down) == 1
        assert await sets.by_node() == {f"n{n}": ["nginx:2"] for n in range(3)}
        history = {one["revision"]: one for one in await world.all(REVISIONS)}
        assert sorted(history) == [1, 2]
        for one in history.values():
            hashed = objects.labels(one)["controller-revision-hash"]
            assert objects.name(one) == f"agent-{hashed}"
        pods = await sets.pods()
        assert {objects.labels(pod)["pod-template-generation"] for pod in pods} == {"2"}

        # What `kubectl rollout undo` sends.
        await world.client.patch(SETS, "agent", history[1]["data"], "default")
        await sets.rest(3)
        assert await sets.by_node() == {f"n{n}": ["nginx:1"] for n in range(3)}
        again = {objects.name(one): one["revision"] for one in await world.all(REVISIONS)}
        assert again == {objects.name(history[1]): 3, objects.name(history[2]): 2}

    lived(scenario)


def test_with_surge_the_new_pod_serves_before_the_old_one_goes() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        strategy = rolling(maxUnavailable=0, maxSurge="34%")
        await world.create(SETS, daemon_set(updateStrategy=strategy))
        await sets.rest(3)
        await sets.roll("nginx:2")
        serving: list[int] = []
        extra: list[int] = []

        async def settled() -> bool:
            alive = [pod for pod in await sets.pods() if not objects.deleting(pod)]
            nodes = {podmaking.target(pod) for pod in alive if podstate.is_ready(pod)}
            serving.append(len(nodes))
            extra.append(len(alive) - 3)
            return await sets.at_rest()

        await world.until(settled)
        assert min(serving) == 3
        assert max(extra) == 2, "34% of 3 is rounded up"

    lived(scenario)


def test_ondelete_leaves_pods_alone_until_they_are_deleted() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, daemon_set(updateStrategy={"type": "OnDelete"}))
        await sets.rest(3)
        await sets.roll("nginx:2")
        await wait(world, 30)
        assert await sets.by_node() == {f"n{n}": ["nginx:1"] for n in range(3)}
        assert "updatedNumberScheduled" not in await sets.status()
        doomed = next(pod for pod in await sets.pods() if podmaking.target(pod) == "n1")
        await world.client.delete("pods", objects.name(doomed), "default")

        async def made_anew() -> bool:
            told = await sets.status()
            return told.get("updatedNumberScheduled") == 1 and told["numberReady"] == 3

        await world.until(made_anew)
        assert await sets.by_node() == {"n0": ["nginx:1"], "n1": ["nginx:2"], "n2": ["nginx:1"]}

    lived(scenario)


def test_an_update_that_breaks_stops_at_the_first_node_and_another_mends_it() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, daemon_set())
        await sets.rest(3)
        world.kubelet.ready_after = lambda pod: None if image(pod) == "bad" else 1.0
        await sets.roll("bad")
        await wait(world, 60)
        images = sorted(image(pod) for pod in await sets.pods())
        assert images == ["bad", "nginx:1", "nginx:1"]
        told = await sets.status()
        assert (told["updatedNumberScheduled"], told["numberUnavailable"]) == (1, 1)
        await sets.roll("nginx:3")
        await sets.rest(3)
        assert await sets.by_node() == {f"n{n}": ["nginx:3"] for n in range(3)}

    lived(scenario)


def test_pods_count_as_available_after_minreadyseconds() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, daemon_set(minReadySeconds=20))

        async def ready() -> bool:
            return (await sets.status()).get("numberReady") == 3

        await world.until(ready)
        assert (await sets.status())["numberUnavailable"] == 3
        await wait(world, 15)
        assert (await sets.status())["numberUnavailable"] == 3
        await wait(world, 10)
        assert (await sets.status())["numberAvailable"] == 3
        start = world.clock.now()
        await sets.roll("nginx:2")
        await sets.rest(3, within=200)
        assert world.clock.now() - start > 60, "each node waits for the one before it"

    lived(scenario)


def test_old_revisions_are_forgotten_beyond_the_limit() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, daemon_set(revisionHistoryLimit=2))
        await sets.rest(3)
        for number in range(2, 7):
            await sets.roll(f"nginx:{number}")
            await sets.rest(3)

        async def three() -> bool:
            return len(await world.all(REVISIONS)) == 3

        await world.until(three)
        assert sorted(one["revision"] for one in await world.all(REVISIONS)) == [4, 5, 6]

    lived(scenario)


def test_a_name_that_is_taken_by_another_template_counts_as_a_collision() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, daemon_set())
        await sets.rest(3)
        (first,) = await world.all(REVISIONS)
        await world.client.delete(SETS, "agent", "default")

        async def gone() -> bool:
            return not (await sets.pods() or await world.all(REVISIONS))

        await world.until(gone)
        kept = ("apiVersion", "kind", "data")
        made = {name: first[name] for name in kept} | {"revision": 1}
        made["metadata"] = {"name": objects.name(first), "namespace": "default"}
        made["data"] = {"spec": {"template": {"something": "else"}}}
        await world.create(REVISIONS, made)
        await world.create(SETS, daemon_set())
        assert (await sets.rest(3))["collisionCount"] == 1
        names = {objects.name(one) for one in await world.all(REVISIONS)}
        assert len(names) == 2

    lived(scenario)


def test_failed_pods_are_deleted_and_made_again_each_time_later() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        world.kubelet.outcome = lambda pod: (0.1, 1) if podmaking.target(pod) == "n1" else None
        await world.create(SETS, daemon_set())
        await wait(world, 120)
        told = await world.events("FailedDaemonPod")
        assert told
        assert all(
            text.startswith("Found failed daemon pod default/agent-")
            and text.endswith(" on node n1, will try to kill it")
            for text in told
        )
        killed = await world.events("SuccessfulDelete")
        assert 5 <= len(killed) <= 8, "after 0, 1, 2, 4, 8, 16, 32 s, and what making them takes"
        world.kubelet.outcome = lambda pod: None
        await sets.rest(3, within=1000)

    lived(scenario)


def test_succeeded_pods_are_deleted_and_made_again() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, daemon_set())
        await sets.rest(3)
        doomed = (await sets.pods())[0]
        ended = {"status": {"phase": "Succeeded"}}
        await world.client.patch(
            "pods", objects.name(doomed), ended, "default", subresource="status"
        )

        async def another() -> bool:
            uids = {objects.uid(pod) for pod in await sets.pods()}
            return objects.uid(doomed) not in uids and await sets.at_rest()

        await world.until(another)
        node = podmaking.target(doomed)
        name = f"default/{objects.name(doomed)}"
        (told,) = await world.events("SucceededDaemonPod")
        assert told == f"Found succeeded daemon pod {name} on node {node}, will try to delete it"

    lived(scenario)


def stray(name: str, node: str, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {"nodeName": node, "containers": [{"name": "c", "image": "nginx:1"}]},
    }


def test_pods_that_match_are_adopted_and_those_that_do_no_more_are_released() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        made = daemon_set(updateStrategy={"type": "OnDelete"})
        await world.create("pods", stray("mine", "n0", app="agent"))
        await world.create(SETS, made)

        async def adopted() -> bool:
            told = await sets.status()
            return told.get("numberReady") == 3

        await world.until(adopted)
        assert len(await sets.pods()) == 3
        owner = objects.controller_of(await world.get("pods", "mine"))
        assert owner is not None
        assert (owner["kind"], owner["name"]) == ("DaemonSet", "agent")

        await world.client.patch(
            "pods", "mine", {"metadata": {"labels": {"app": "free"}}}, "default"
        )

        async def replaced() -> bool:
            return len(await sets.pods()) == 3

        await world.until(replaced)
        assert objects.controller_of(await world.get("pods", "mine")) is None
        await world.client.delete("pods", "mine", "default")

    lived(scenario)


def test_of_two_pods_on_a_node_the_younger_goes() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, daemon_set(updateStrategy={"type": "OnDelete"}))
        await sets.rest(3)
        before = {objects.name(pod) for pod in await sets.pods()}
        await wait(world, 5)
        await world.create("pods", stray("twin", "n0", app="agent"))

        async def alone() -> bool:
            return {objects.name(pod) for pod in await sets.pods()} == before

        await world.until(alone)
        assert "Deleted pod: twin" in await world.events("SuccessfulDelete")

    lived(scenario)


def test_pods_of_nodes_that_are_gone_go_and_the_status_forgets_them() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        held = world.kubelet.choose
        world.kubelet.choose = lambda pod, alive: (
            None if podmaking.target(pod) == "n2" else held(pod, alive)
        )
        await world.create(SETS, daemon_set())

        async def waiting() -> bool:
            return (await sets.status()).get("numberReady") == 2

        await world.until(waiting)
        world.kubelet.nodes.remove("n2")
        await world.client.delete("nodes", "n2")
        await sets.rest(2)
        world.kubelet.nodes.remove("n1")
        await world.client.delete("nodes", "n1")
        await sets.rest(1)
        assert [*await sets.by_node()] == ["n0"]

    lived(scenario)


def test_a_quota_is_told_of_and_tried_again() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        quota = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "few", "namespace": "default"},
            "spec": {"hard": {"pods": "1"}},
        }
        await world.create("resourcequotas", quota)

        async def counted() -> bool:
            return bool(objects.status(await world.get("resourcequotas", "few")).get("hard"))

        await world.until(counted)
        await world.create(SETS, daemon_set())

        async def told() -> bool:
            return bool(await world.events("FailedCreate"))

        await world.until(told)
        first = (await world.events("FailedCreate"))[0]
        assert first.startswith('Error creating: pods "agent-')
        assert "exceeded quota: few" in first
        await world.client.delete("resourcequotas", "few", "default")
        await sets.rest(3, within=300)

    lived(scenario)


def test_twins_of_a_revision_become_one_and_their_pods_are_its_own() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, daemon_set())
        await sets.rest(3)
        (first,) = await world.all(REVISIONS)
        before = {objects.uid(pod) for pod in await sets.pods()}
        twin = {name: first[name] for name in ("apiVersion", "kind", "data")}
        twin["metadata"] = {
            "name": "agent-twin",
            "namespace": "default",
            "labels": {"app": "agent", "controller-revision-hash": "twin"},
        }
        await world.create(REVISIONS, twin | {"revision": 9})

        async def one() -> bool:
            return [objects.name(r) for r in await world.all(REVISIONS)] == ["agent-twin"]

        await world.until(one)

        async def relabelled() -> bool:
            return {podmaking.hash_of(pod) for pod in await sets.pods()} == {"twin"}

        await world.until(relabelled)
        assert {objects.uid(pod) for pod in await sets.pods()} == before
        await sets.rest(3)

    lived(scenario)


def test_deleting_the_set_takes_its_pods_and_history_and_orphaning_leaves_them() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, daemon_set())
        await sets.rest(3)
        before = {objects.uid(pod) for pod in await sets.pods()}
        await world.client.delete(SETS, "agent", "default", propagation="Orphan")

        async def gone() -> bool:
            return not await world.exists(SETS, "agent")

        await world.until(gone)
        await wait(world, 5)
        assert {objects.uid(pod) for pod in await sets.pods()} == before
        await world.create(SETS, daemon_set())
        await sets.rest(3)
        assert {objects.uid(pod) for pod in await sets.pods()} == before
        await world.client.delete(SETS, "agent", "default")

        async def nothing() -> bool:
            return not (await sets.pods() or await world.all(REVISIONS))

        await world.until(nothing)

    lived(scenario)
