"""Garbage collection and namespace deletion over a real registry."""

import pytest
from controllerworld import World, deployment, running

from cluster.aio import virtual
from cluster.api import errors, objects

DEPLOYMENTS = "deployments.apps"
SETS = "replicasets.apps"


async def ready_pods(world: World, count: int) -> None:
    async def there() -> bool:
        pods = await world.all("pods")
        return sum(p["status"].get("phase") == "Running" for p in pods) == count

    await world.until(there)


def configmap(name: str, owners: list[tuple[str, str]], **meta: object) -> dict[str, object]:
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner,
            "uid": uid,
            "blockOwnerDeletion": True,
        }
        for owner, uid in owners
    ]
    metadata = {"name": name, "namespace": "default", "ownerReferences": references, **meta}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def test_background_deletion_takes_everything_below_with_it() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create(DEPLOYMENTS, deployment(replicas=3))
            await ready_pods(world, 3)
            await world.client.delete(DEPLOYMENTS, "web", "default")
            assert not await world.exists(DEPLOYMENTS, "web")

            async def empty() -> bool:
                return not await world.all(SETS) and not await world.all("pods")

            await world.until(empty, within=10)

    virtual.run(main())


def test_foreground_deletion_keeps_the_owner_until_its_dependents_are_gone() -> None:
    async def main() -> None:
        async with running() as world:
            world.kubelet.end_after = 2.0
            await world.create(DEPLOYMENTS, deployment(replicas=3))
            await ready_pods(world, 3)
            await world.client.delete(DEPLOYMENTS, "web", "default", propagation="Foreground")
            found = await world.get(DEPLOYMENTS, "web")
            assert found["metadata"]["finalizers"] == ["foregroundDeletion"]

            async def gone_in_order() -> bool:
                pods, sets = await world.all("pods"), await world.all(SETS)
                owner = await world.exists(DEPLOYMENTS, "web")
                if pods:
                    assert sets, "the pods outlived their ReplicaSet"
                if sets:
                    assert owner, "the ReplicaSet outlived its Deployment"
                return not owner

            await world.until(gone_in_order, within=20, every=0.01)
            assert not await world.all("pods")

    virtual.run(main())


def test_orphaned_dependents_stay_and_lose_the_reference() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create(DEPLOYMENTS, deployment(replicas=2))
            await ready_pods(world, 2)
            await world.client.delete(DEPLOYMENTS, "web", "default", propagation="Orphan")

            async def orphaned() -> bool:
                return not await world.exists(DEPLOYMENTS, "web")

            await world.until(orphaned)
            (replica_set,) = await world.all(SETS)
            assert not replica_set["metadata"].get("ownerReferences")
            assert len(await world.all("pods")) == 2
            # A deployment of the same selector adopts what is there instead of starting anew.
            await world.create(DEPLOYMENTS, deployment(replicas=2))

            async def adopted() -> bool:
                (found,) = await world.all(SETS)
                return objects.controller_of(found) is not None

            await world.until(adopted)
            assert len(await world.all("pods")) == 2

    virtual.run(main())


def test_an_object_with_several_owners_goes_with_the_last() -> None:
    async def main() -> None:
        async with running() as world:
            one = objects.uid(await world.create("configmaps", configmap("one", [])))
            two = objects.uid(await world.create("configmaps", configmap("two", [])))
            await world.create("configmaps", configmap("child", [("one", one), ("two", two)]))
            await world.client.delete("configmaps", "one", "default")

            async def detached() -> bool:
                child = await world.get("configmaps", "child")
                return [ref["uid"] for ref in child["metadata"]["ownerReferences"]] == [two]

            await world.until(detached)
            await world.client.delete("configmaps", "two", "default")

            async def gone() -> bool:
                return not await world.exists("configmaps", "child")

            await world.until(gone)

    virtual.run(main())


def test_an_owner_that_never_was_is_looked_up_and_its_dependent_collected() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create("configmaps", configmap("child", [("nobody", "no-such-uid")]))

            async def gone() -> bool:
                return not await world.exists("configmaps", "child")

            await world.until(gone)

    virtual.run(main())


def test_owners_in_a_circle_can_be_deleted_in_the_foreground() -> None:
    async def main() -> None:
        async with running() as world:
            one = objects.uid(await world.create("configmaps", configmap("one", [])))
            two = objects.uid(await world.create("configmaps", configmap("two", [("one", one)])))
            reference = configmap("x", [("two", two)])["metadata"]["ownerReferences"]
            patch = {"metadata": {"ownerReferences": reference}}
            await world.client.patch("configmaps", "one", patch, "default")
            await world.client.delete("configmaps", "one", "default", propagation="Foreground")

            async def gone() -> bool:
                left = [await world.exists("configmaps", name) for name in ("one", "two")]
                return not any(left)

            await world.until(gone, within=20)

    virtual.run(main())


def test_a_namespace_is_emptied_pods_first_and_then_goes() -> None:
    async def main() -> None:
        async with running() as world:
            world.kubelet.end_after = 3.0
            await world.create(
                "namespaces",
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
            )

            async def has_account() -> bool:
                return await world.exists("serviceaccounts", "default", "shop")

            await world.until(has_account)
            web = deployment(replicas=2)
            web["metadata"]["namespace"] = "shop"
            await world.create(DEPLOYMENTS, web)
            held = configmap("held", [], finalizers=["example.com/hold"])
            held["metadata"]["namespace"] = "shop"
            await world.create("configmaps", held)
            await ready_pods(world, 2)
            await world.client.delete("namespaces", "shop")

            async def says(kind: str, text: str) -> bool:
                found = await world.get("namespaces", "shop", "")
                assert found["status"]["phase"] == "Terminating"
                return any(
                    c["type"] == kind and c["status"] == "True" and text in c["message"]
                    for c in found["status"].get("conditions") or ()
                )

            async def waits_for_pods() -> bool:
                return await says("NamespaceContentRemaining", "pods. has 2 resource instances")

            async def waits_for_finalizer() -> bool:
                return await says(
                    "NamespaceFinalizersRemaining", "example.com/hold in 1 resource instances"
                )

            await world.until(waits_for_pods)
            with pytest.raises(errors.Forbidden):
                await world.create(
                    "configmaps",
                    configmap("late", []) | {"metadata": {"name": "late", "namespace": "shop"}},
                )
            await world.until(waits_for_finalizer)
            await world.client.patch(
                "configmaps", "held", {"metadata": {"finalizers": None}}, "shop"
            )

            async def gone() -> bool:
                return not await world.exists("namespaces", "shop", "")

            await world.until(gone, within=20)
            for resource in ("pods", SETS, DEPLOYMENTS, "configmaps", "serviceaccounts"):
                assert not await world.all(resource, "shop"), resource

    virtual.run(main())
