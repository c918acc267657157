"""Deployments over a real registry, with a kubelet that makes pods ready."""

from controllerworld import World, deployment, running

from cluster.aio import virtual
from cluster.api import objects
from cluster.controllers.deployment import status

DEPLOYMENTS = "deployments.apps"


async def rolled_out(world: World, name: str = "web") -> None:
    """What `kubectl rollout status` waits for."""

    async def done() -> bool:
        found = await world.get(DEPLOYMENTS, name)
        told, wanted = objects.status(found), found["spec"]["replicas"]
        return (
            told.get("observedGeneration", 0) >= found["metadata"]["generation"]
            and told.get("updatedReplicas", 0) == wanted
            and told.get("replicas", 0) == wanted
            and told.get("availableReplicas", 0) == wanted
        )

    await world.until(done)


def test_a_new_deployment_becomes_complete_and_says_so() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create(DEPLOYMENTS, deployment(replicas=3))
            await rolled_out(world)
            found = await world.get(DEPLOYMENTS, "web")
            progressing = status.find(found["status"], "Progressing")
            available = status.find(found["status"], "Available")
            (rs,) = await world.all("replicasets.apps")
            assert progressing["reason"] == "NewReplicaSetAvailable"
            assert progressing["message"] == (
                f'ReplicaSet "{objects.name(rs)}" has successfully progressed.'
            )
            assert available["reason"] == "MinimumReplicasAvailable"
            assert objects.annotations(found)["deployment.kubernetes.io/revision"] == "1"
            assert found["metadata"]["generation"] == 1
            pods = await world.all("pods")
            assert len(pods) == 3
            assert all(objects.name(pod).startswith(objects.name(rs) + "-") for pod in pods)
            owner = objects.controller_of(pods[0])
            assert owner["uid"] == objects.uid(rs)
            assert owner["blockOwnerDeletion"] is True
            assert await world.events("ScalingReplicaSet") == [
                f"Scaled up replica set {objects.name(rs)} from 0 to 3"
            ]
            assert len(await world.events("SuccessfulCreate")) == 3

    virtual.run(main())


def test_a_rolling_update_keeps_its_bounds_and_its_history() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create(DEPLOYMENTS, deployment(replicas=8))
            await rolled_out(world)
            seen: list[tuple[int, int]] = []

            async def sample() -> bool:
                pods = [p for p in await world.all("pods") if not objects.deleting(p)]
                ready = sum(
                    any(c["type"] == "Ready" for c in p["status"].get("conditions") or ())
                    for p in pods
                )
                seen.append((len(pods), ready))
                found = await world.get(DEPLOYMENTS, "web")
                return (
                    found["status"].get("updatedReplicas") == 8
                    and found["status"].get("replicas") == 8
                    and found["status"].get("availableReplicas") == 8
                    and found["status"]["observedGeneration"] == 2
                )

            patch = {"spec": {"template": deployment(image="nginx:2")["spec"]["template"]}}
            await world.client.patch(DEPLOYMENTS, "web", patch, "default")
            await world.until(sample, every=0.01)
            assert max(total for total, _ in seen) <= 10
            assert min(ready for _, ready in seen) >= 6
            sets = await world.all("replicasets.apps")
            revisions = {
                objects.annotations(rs)["deployment.kubernetes.io/revision"]: rs["spec"]["replicas"]
                for rs in sets
            }
            assert revisions == {"1": 0, "2": 8}

    virtual.run(main())


def test_undo_brings_the_old_replica_set_back_as_a_new_revision() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create(DEPLOYMENTS, deployment(replicas=2))
            await rolled_out(world)
            old = deployment()["spec"]["template"]
            for image in ("nginx:2", "nginx:1"):
                template = deployment(image=image)["spec"]["template"]
                await world.client.patch(
                    DEPLOYMENTS, "web", {"spec": {"template": template}}, "default"
                )
                await rolled_out(world)
            sets = await world.all("replicasets.apps")
            assert len(sets) == 2
            by_image = {rs["spec"]["template"]["spec"]["containers"][0]["image"]: rs for rs in sets}
            restored = by_image[old["spec"]["containers"][0]["image"]]
            assert objects.annotations(restored)["deployment.kubernetes.io/revision"] == "3"
            assert objects.annotations(restored)["deployment.kubernetes.io/revision-history"] == "1"
            found = await world.get(DEPLOYMENTS, "web")
            assert objects.annotations(found)["deployment.kubernetes.io/revision"] == "3"

    virtual.run(main())


def test_a_rollout_that_stalls_exceeds_its_deadline() -> None:
    async def main() -> None:
        async with running() as world:
            world.kubelet.ready_after = lambda pod: None
            await world.create(DEPLOYMENTS, deployment(progressDeadlineSeconds=30))

            async def timed_out() -> bool:
                found = await world.get(DEPLOYMENTS, "web")
                told = status.find(found.get("status") or {}, "Progressing")
                return told is not None and told["reason"] == "ProgressDeadlineExceeded"

            await world.until(timed_out, within=40)
            found = await world.get(DEPLOYMENTS, "web")
            told = status.find(found["status"], "Progressing")
            assert told["status"] == "False"
            assert told["message"].endswith("has timed out progressing.")

    virtual.run(main())


def test_recreate_starts_new_pods_only_when_the_old_are_gone() -> None:
    async def main() -> None:
        async with running() as world:
            world.kubelet.end_after = 3.0
            await world.create(DEPLOYMENTS, deployment(strategy={"type": "Recreate"}))
            await rolled_out(world)
            template = deployment(image="nginx:2")["spec"]["template"]
            await world.client.patch(
                DEPLOYMENTS, "web", {"spec": {"template": template}}, "default"
            )

            async def mixed_or_done() -> bool:
                images = {p["spec"]["containers"][0]["image"] for p in await world.all("pods")}
                assert len(images) <= 1, "old and new pods at one time"
                return images == {"nginx:2"}

            await world.until(mixed_or_done, every=0.01)
            await rolled_out(world)

    virtual.run(main())


def test_paused_deployments_scale_but_do_not_roll() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create(DEPLOYMENTS, deployment(replicas=2))
            await rolled_out(world)
            template = deployment(image="nginx:2")["spec"]["template"]
            change = {"spec": {"paused": True, "replicas": 4, "template": template}}
            await world.client.patch(DEPLOYMENTS, "web", change, "default")

            async def scaled() -> bool:
                return len(await world.all("pods")) == 4

            await world.until(scaled)
            assert len(await world.all("replicasets.apps")) == 1
            found = await world.get(DEPLOYMENTS, "web")
            assert status.find(found["status"], "Progressing")["reason"] == "DeploymentPaused"
            await world.client.patch(DEPLOYMENTS, "web", {"spec": {"paused": None}}, "default")
            await rolled_out(world)

            async def only_new() -> bool:
                images = {p["spec"]["containers"][0]["image"] for p in await world.all("pods")}
                return images == {"nginx:2"}

            await world.until(only_new, within=5)

    virtual.run(main())


def test_old_replica_sets_beyond_the_limit_are_removed() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create(DEPLOYMENTS, deployment(replicas=1, revisionHistoryLimit=1))
            await rolled_out(world)
            for number in range(2, 5):
                template = deployment(image=f"nginx:{number}")["spec"]["template"]
                await world.client.patch(
                    DEPLOYMENTS, "web", {"spec": {"template": template}}, "default"
                )
                await rolled_out(world)

            async def trimmed() -> bool:
                return len(await world.all("replicasets.apps")) == 2

            await world.until(trimmed)
            images = [
                rs["spec"]["template"]["spec"]["containers"][0]["image"]
                for rs in await world.all("replicasets.apps")
            ]
            assert sorted(images) == ["nginx:3", "nginx:4"]

    virtual.run(main())


def test_a_hash_collision_is_counted_and_gets_round() -> None:
    async def main() -> None:
        async with running() as world:
            made = deployment(replicas=1)
            created = await world.create(DEPLOYMENTS, made)
            await rolled_out(world)
            (own,) = await world.all("replicasets.apps")
            await world.client.delete(DEPLOYMENTS, "web", "default", propagation="Orphan")

            async def orphaned() -> bool:
                (rs,) = await world.all("replicasets.apps")
                return not await world.exists(DEPLOYMENTS, "web") and not rs["metadata"].get(
                    "ownerReferences"
                )

            await world.until(orphaned)
            # Somebody else's now: the name is taken, and it is not ours to adopt.
            labels = {"metadata": {"labels": {"app": "other"}}}
            await world.client.patch("replicasets.apps", objects.name(own), labels, "default")
            await world.create(DEPLOYMENTS, made)
            await rolled_out(world)
            found = await world.get(DEPLOYMENTS, "web")
            assert found["metadata"]["uid"] != created["metadata"]["uid"]
            assert found["status"]["collisionCount"] == 1
            assert len(await world.all("replicasets.apps")) == 2

    virtual.run(main())
