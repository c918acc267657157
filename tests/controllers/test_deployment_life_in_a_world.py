"""The life of a Deployment as the documentation tells it, and rolling updates under crashes."""

import asyncio
import random
from typing import Any

import pytest
from controllerworld import World, deployment, running

from cluster.aio import tasks, virtual
from cluster.api import conditions, objects
from cluster.controllers import podstate
from cluster.controllers.config import Config
from cluster.controllers.deployment import status

DEPLOYMENTS, SETS = "deployments.apps", "replicasets.apps"
REVISION = "deployment.kubernetes.io/revision"


def image_of(obj: dict[str, Any]) -> str:
    template = objects.spec(obj).get("template")
    return objects.spec(template or obj)["containers"][0]["image"]


async def change(world: World, name: str = "web", space: str = "default", **spec: Any) -> None:
    if "image" in spec:
        spec["template"] = deployment(name, image=spec.pop("image"))["spec"]["template"]
    await world.client.patch(DEPLOYMENTS, name, {"spec": spec}, space)


async def complete(world: World, image: str = "", space: str = "default") -> None:
    async def done() -> bool:
        found = await world.get(DEPLOYMENTS, "web", space)
        counts, wanted = objects.status(found), found["spec"]["replicas"]
        names = ("updatedReplicas", "replicas", "availableReplicas")
        return (
            (not image or image_of(found) == image)
            and counts.get("observedGeneration", 0) >= found["metadata"]["generation"]
            and [counts.get(name, 0) for name in names] == [wanted] * 3
        )

    await world.until(done, within=300)


async def progressing(world: World, reason: str, within: float = 60) -> dict[str, Any]:
    async def told() -> Any:
        found = await world.get(DEPLOYMENTS, "web")
        shown = status.find(found.get("status") or {}, "Progressing")
        return shown if shown is not None and shown["reason"] == reason else None

    found: dict[str, Any] = await world.until(told, within=within)
    return found


async def sizes(world: World) -> dict[str, int]:
    return {image_of(rs): rs["spec"]["replicas"] for rs in await world.all(SETS)}


def test_a_rollout_that_is_scaled_in_the_middle_shares_the_new_replicas() -> None:
    """The example of the documentation: 10 replicas, 3 more and 2 fewer allowed, scaled to 15."""

    async def main() -> None:
        async with running() as world:
            rolling = {"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}
            await world.create(DEPLOYMENTS, deployment(replicas=10, strategy=rolling))
            await complete(world)
            world.kubelet.ready_after = lambda pod: None if image_of(pod) == "broken" else 1.0
            await change(world, image="broken")

            async def blocked() -> bool:
                return await sizes(world) == {"nginx:1": 8, "broken": 5}

            await world.until(blocked)
            await asyncio.sleep(20)
            assert await blocked(), "the rollout goes no further"
            await change(world, replicas=15)

            async def shared() -> bool:
                return await sizes(world) == {"nginx:1": 11, "broken": 7}

            await world.until(shared)
            for rs in await world.all(SETS):
                notes = objects.annotations(rs)
                assert notes["deployment.kubernetes.io/desired-replicas"] == "15"
                assert notes["deployment.kubernetes.io/max-replicas"] == "18"

    virtual.run(main())


def test_a_rollout_that_exceeded_its_deadline_recovers_when_it_is_mended() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create(DEPLOYMENTS, deployment(progressDeadlineSeconds=20))
            await complete(world)
            world.kubelet.ready_after = lambda pod: None if image_of(pod) == "broken" else 1.0
            await change(world, image="broken")
            told = await progressing(world, "ProgressDeadlineExceeded")
            assert told["status"] == "False"
            found = await world.get(DEPLOYMENTS, "web")
            available = status.find(found["status"], "Available")
            assert available is not None
            assert available["reason"] == "MinimumReplicasAvailable", "old pods serve on"
            await change(world, image="nginx:1")  # kubectl rollout undo
            await complete(world, "nginx:1")
            told = await progressing(world, "NewReplicaSetAvailable")
            assert told["status"] == "True"
            assert await sizes(world) == {"nginx:1": 3, "broken": 0}

    virtual.run(main())


def test_undo_to_a_revision_gives_it_the_next_number_and_remembers_the_old() -> None:
    async def main() -> None:
        async with running() as world:
            made = deployment(replicas=1)
            made["metadata"]["annotations"] = {"kubernetes.io/change-cause": "first"}
            await world.create(DEPLOYMENTS, made)
            await complete(world)
            for image in ("nginx:2", "nginx:3", "nginx:1", "nginx:2", "nginx:1"):
                await change(world, image=image)
                await complete(world, image)
            told = {
                image_of(rs): (
                    objects.annotations(rs)[REVISION],
                    objects.annotations(rs).get("deployment.kubernetes.io/revision-history"),
                    objects.annotations(rs)["kubernetes.io/change-cause"],
                )
                for rs in await world.all(SETS)
            }
            assert told == {
                "nginx:1": ("6", "1,4", "first"),
                "nginx:2": ("5", "2", "first"),
                "nginx:3": ("3", None, "first"),
            }

    virtual.run(main())


def test_a_resumed_rollout_gets_its_whole_deadline() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create(DEPLOYMENTS, deployment(progressDeadlineSeconds=30))
            await complete(world)
            await change(world, paused=True)
            told = await progressing(world, "DeploymentPaused")
            assert (told["status"], told["message"]) == ("Unknown", "Deployment is paused")
            world.kubelet.ready_after = lambda pod: None
            await change(world, image="nginx:2")
            await asyncio.sleep(100)
            assert await sizes(world) == {"nginx:1": 3}
            await change(world, paused=False)
            begun = world.clock.now()
            told = await progressing(world, "ProgressDeadlineExceeded")
            assert world.clock.now() - begun >= 29
            assert status.find((await world.get(DEPLOYMENTS, "web"))["status"], "Available")

    virtual.run(main())


def test_a_quota_that_is_in_the_way_shows_as_replica_failure() -> None:
    async def main() -> None:
        async with running() as world:
            quota = {
                "apiVersion": "v1",
                "kind": "ResourceQuota",
                "metadata": {"name": "few", "namespace": "default"},
                "spec": {"hard": {"pods": "2"}},
            }
            await world.create("resourcequotas", quota)

            async def known() -> bool:
                found = await world.get("resourcequotas", "few")
                return "pods" in (objects.status(found).get("hard") or {})

            await world.until(known)
            await world.create(DEPLOYMENTS, deployment(replicas=4))

            async def told() -> Any:
                found = await world.get(DEPLOYMENTS, "web")
                return status.find(found.get("status") or {}, "ReplicaFailure")

            failure = await world.until(told)
            assert (failure["status"], failure["reason"]) == ("True", "FailedCreate")
            assert "exceeded quota: few" in failure["message"]
            (rs,) = await world.all(SETS)
            assert status.find(rs["status"], "ReplicaFailure")["message"] == failure["message"]
            found = await world.get(DEPLOYMENTS, "web")
            shown = status.find(found["status"], "Available")
            assert shown["reason"] == "MinimumReplicasUnavailable"
            assert shown["message"] == "Deployment does not have minimum availability."
            await world.client.delete("resourcequotas", "few", "default")
            await complete(world)

            async def healed() -> bool:
                return await told() is None

            await world.until(healed)

    virtual.run(main())


def test_pods_that_are_being_deleted_are_counted_as_terminating() -> None:
    async def main() -> None:
        async with running() as world:
            world.kubelet.end_after = 10.0
            await world.create(DEPLOYMENTS, deployment(replicas=5))
            await complete(world)
            found = await world.get(DEPLOYMENTS, "web")
            assert found["status"]["terminatingReplicas"] == 0
            await change(world, replicas=2)

            async def three() -> bool:
                (rs,) = await world.all(SETS)
                found = await world.get(DEPLOYMENTS, "web")
                told = [obj["status"].get("terminatingReplicas") for obj in (rs, found)]
                return told == [3, 3]

            await world.until(three, within=9)

            async def none() -> bool:
                (rs,) = await world.all(SETS)
                found = await world.get(DEPLOYMENTS, "web")
                return [o["status"].get("terminatingReplicas") for o in (rs, found)] == [0, 0]

            await world.until(none)

    virtual.run(main())


def test_older_versions_do_not_tell_of_terminating_pods() -> None:
    async def main() -> None:
        async with running(Config(kubernetes_version="1.34")) as world:
            await world.create(DEPLOYMENTS, deployment(replicas=2))
            await complete(world)
            await change(world, replicas=1)
            await complete(world)
            (rs,) = await world.all(SETS)
            for obj in (rs, await world.get(DEPLOYMENTS, "web")):
                assert "terminatingReplicas" not in obj["status"]

    virtual.run(main())


def test_deployments_of_one_name_in_many_namespaces_keep_to_themselves() -> None:
    async def main() -> None:
        async with running() as world:
            spaces = [f"team-{number}" for number in range(6)]
            for number, space in enumerate(spaces):
                await world.create(
                    "namespaces",
                    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}},
                )
                made = deployment(replicas=number)
                made["metadata"]["namespace"] = space
                await world.create(DEPLOYMENTS, made)
            for space in spaces:
                await complete(world, space=space)
            await change(world, space="team-3", image="nginx:2")
            await complete(world, "nginx:2", "team-3")
            for number, space in enumerate(spaces):
                pods = [p for p in await world.all("pods", space) if podstate.is_active(p)]
                expected = "nginx:2" if space == "team-3" else "nginx:1"
                assert [image_of(pod) for pod in pods] == [expected] * number

    virtual.run(main())


def test_a_change_that_is_not_of_the_template_makes_no_revision() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create(DEPLOYMENTS, deployment(replicas=2))
            await complete(world)
            notes = {"metadata": {"annotations": {"team": "a"}, "labels": {"x": "y"}}}
            await world.client.patch(DEPLOYMENTS, "web", notes, "default")
            await change(world, minReadySeconds=2, replicas=3)
            await complete(world)

            async def followed() -> bool:
                (rs,) = await world.all(SETS)
                return (
                    objects.annotations(rs).get("team") == "a"
                    and rs["spec"].get("minReadySeconds") == 2
                    and objects.annotations(rs)[REVISION] == "1"
                )

            await world.until(followed)

    virtual.run(main())


@pytest.mark.parametrize("seed", [*range(4), 101, 109, 117, 127, 154])
def test_a_rolling_update_keeps_its_bounds_whatever_happens_to_the_manager(seed: int) -> None:
    async def main() -> None:
        async with running(nodes=3, crash_every=seed) as world:
            choice = random.Random(f"{seed}/rolling")
            surge, unavailable = choice.choice([(0, 1), (1, 0), (2, 2), (3, 1)])
            replicas = choice.randint(3, 8)
            rolling = {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
            world.kubelet.end_after = 2.0
            await world.create(DEPLOYMENTS, deployment(replicas=replicas, strategy=rolling))
            await complete(world)

            async def bounded() -> None:
                while True:
                    pods = await world.all("pods")
                    ready = sum(
                        conditions.is_true(pod, "Ready") and podstate.is_active(pod) for pod in pods
                    )
                    assert ready >= replicas - unavailable
                    wanted = sum(rs["spec"]["replicas"] for rs in await world.all(SETS))
                    assert wanted <= replicas + surge
                    await asyncio.sleep(0.05)

            async with tasks.Group("watched") as group:
                group.spawn(bounded(), "bounds")
                for image in choice.choices(["a", "b", "c"], k=4):
                    await change(world, image=image)
                    if choice.random() < 0.5:
                        await asyncio.sleep(choice.uniform(0, 5))
                    else:
                        await complete(world, image)
                await complete(world)
                group.cancel()
            assert world.mortal.deaths >= 2
            revisions = [int(objects.annotations(rs)[REVISION]) for rs in await world.all(SETS)]
            assert len(set(revisions)) == len(revisions)

    virtual.run(main())
