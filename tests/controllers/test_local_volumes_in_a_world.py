"""The local provisioner, larger volumes, and ephemeral ones, in a world with a real registry."""

import pytest
from controllerworld import running
from test_persistentvolume_binding_in_a_world import (
    CLAIMS,
    CLASSES,
    VOLUMES,
    bound,
    claim,
    pod,
    storage_class,
    told,
    volume,
)

from cluster.aio import virtual
from cluster.api import objects, quantity
from cluster.controllers.localprovisioner import decision

LOCAL = decision.NAME
SELECTED = "volume.kubernetes.io/selected-node"


def run(story, **options):
    async def main():
        async with running(**options) as world:
            await world.until(lambda: world.exists("serviceaccounts", "default"))
            await story(world)

    virtual.run(main())


def local_class(**more):
    """A class beside `standard`, which every cluster has, whose claims wait for nobody."""
    return storage_class("now", LOCAL, "Immediate", allowVolumeExpansion=True, **more)


async def select(world, node, name="data"):
    patch = {"metadata": {"annotations": {SELECTED: node}}}
    await world.client.patch(CLAIMS, name, patch, "default")


async def gone(world, resource, name, space="default"):
    async def is_gone():
        return not await world.exists(resource, name, space)

    await world.until(is_gone)


def test_a_claim_gets_a_directory_of_the_node_that_the_scheduler_chose_and_it_goes_with_it():
    async def story(world):
        await world.create(CLAIMS, claim(size="3Gi"))
        await told(world, "WaitForFirstConsumer")
        assert not await world.all(VOLUMES)
        await select(world, "n1")
        name = await bound(world)
        found = await world.get(CLAIMS, "data")
        assert name == f"pvc-{objects.uid(found)}"
        made = await world.get(VOLUMES, name, "")
        assert made["spec"]["hostPath"] == {
            "path": f"/var/lib/kubemu/local-volumes/{name}_default_data",
            "type": "DirectoryOrCreate",
        }
        affinity = made["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
        assert affinity == [
            {"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": ["n1"]}]}
        ]  # fmt: skip
        assert made["spec"]["capacity"] == {"storage": "3Gi"}
        assert objects.annotations(made)["pv.kubernetes.io/provisioned-by"] == LOCAL
        told_of = 'External provisioner is provisioning volume for claim "default/data"'
        assert await told(world, "Provisioning") == told_of
        told_of = f"Successfully provisioned volume {name}"
        assert await told(world, "ProvisioningSucceeded") == told_of
        await world.client.delete(CLAIMS, "data", "default")
        await gone(world, VOLUMES, name, "")

    run(story)


def test_a_volume_of_a_class_that_retains_is_kept():
    async def story(world):
        await world.create(CLASSES, local_class(reclaimPolicy="Retain"))
        await world.create(CLAIMS, claim(storageClassName="now"))
        name = await bound(world)
        await world.client.delete(CLAIMS, "data", "default")

        async def released():
            return (await world.get(VOLUMES, name, ""))["status"]["phase"] == "Released"

        await world.until(released)

    run(story)


REFUSED = [
    ({"modes": ("ReadWriteMany",)},
     "kubemu.dev/local only supports ReadWriteOnce and ReadWriteOncePod access modes, not "
     "ReadWriteMany"),
    ({"volumeMode": "Block"}, "kubemu.dev/local only supports the volume mode Filesystem"),
    ({"selector": {"matchLabels": {"a": "b"}}}, "claim.Spec.Selector is not supported"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "why"), REFUSED)
def test_what_a_directory_cannot_be_is_refused(fields, why):
    async def story(world):
        await world.create(CLASSES, local_class())
        await world.create(CLAIMS, claim(storageClassName="now", **fields))
        text = f'failed to provision volume with StorageClass "now": {why}'
        assert await told(world, "ProvisioningFailed") == text
        assert not await world.all(VOLUMES)

    run(story)


def test_a_node_that_is_gone_is_given_back_to_the_scheduler():
    async def story(world):
        await world.create(CLAIMS, claim())
        await select(world, "nowhere")
        text = (
            'failed to provision volume with StorageClass "standard": failed to get target node: '
            'nodes "nowhere" not found'
        )
        assert await told(world, "ProvisioningFailed") == text

        async def deselected():
            return SELECTED not in objects.annotations(await world.get(CLAIMS, "data"))

        await world.until(deselected)

    run(story)


def test_a_claim_that_asks_for_more_gets_it():
    async def story(world):
        await world.create(CLASSES, local_class())
        await world.create(CLAIMS, claim(storageClassName="now"))
        name = await bound(world)
        await grow(world, "data", "5Gi")

        async def larger():
            status = objects.status(await world.get(CLAIMS, "data"))
            return status["capacity"] == {"storage": "5Gi"} and not status.get("conditions")

        await world.until(larger)
        assert (await world.get(VOLUMES, name, ""))["spec"]["capacity"] == {"storage": "5Gi"}
        status = objects.status(await world.get(CLAIMS, "data"))
        assert status["allocatedResources"] == {"storage": "5Gi"}
        assert "allocatedResourceStatuses" not in status
        told_of = f"External resizer is resizing volume {name}"
        assert await told(world, "Resizing") == told_of
        assert await told(world, "VolumeResizeSuccessful") == "Resize volume succeeded"
        told_of = "waiting for an external controller to expand this PVC"
        assert await told(world, "ExternalExpanding") == told_of

    run(story)


async def grow(world, name, size):
    patch = {"spec": {"resources": {"requests": {"storage": size}}}}
    await world.client.patch(CLAIMS, name, patch, "default")


def ephemeral_pod(name="web", **spec):
    made = pod(name)
    template = {"metadata": {"labels": {"of": "web"}}, "spec": claim(**spec)["spec"]}
    made["spec"]["volumes"] = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}]
    return made


def test_an_ephemeral_volume_has_a_claim_that_lives_with_its_pod():
    async def story(world):
        await world.create(CLASSES, local_class())
        await world.create("pods", ephemeral_pod(storageClassName="now"))
        await world.until(lambda: world.exists(CLAIMS, "web-scratch"))
        name = await bound(world, "web-scratch")
        made = await world.get(CLAIMS, "web-scratch")
        (owner,) = made["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["controller"]) == ("Pod", "web", True)
        assert objects.labels(made) == {"of": "web"}
        await world.client.delete("pods", "web", "default")
        await gone(world, CLAIMS, "web-scratch")
        await gone(world, VOLUMES, name, "")

    run(story)


def test_a_claim_of_the_name_that_is_anothers_is_not_taken():
    async def story(world):
        await world.create(CLAIMS, claim("web-scratch", storageClassName="x"))
        await world.create("pods", ephemeral_pod())
        text = (
            "ephemeral volume scratch: PVC default/web-scratch was not created for pod default/web "
            "(pod is not owner)"
        )
        assert await told(world, "FailedBinding") == text
        await world.client.delete(CLAIMS, "web-scratch", "default")

        async def own():
            if not await world.exists(CLAIMS, "web-scratch"):
                return False
            return bool((await world.get(CLAIMS, "web-scratch"))["metadata"].get("ownerReferences"))

        await world.until(own)

    run(story)


def test_volumes_that_nobody_here_made_are_not_made_larger():
    async def story(world):
        await world.create(CLASSES, storage_class(allowVolumeExpansion=True))
        await world.create(VOLUMES, volume(storageClassName="slow"))
        await world.create(CLAIMS, claim(storageClassName="slow"))
        await bound(world)
        await grow(world, "data", "2Gi")
        await told(world, "ExternalExpanding")
        assert (await world.get(VOLUMES, "v", ""))["spec"]["capacity"] == {"storage": "1Gi"}

    run(story)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_made_twice_and_nothing_is_left_whenever_the_manager_dies(seed):
    async def story(world):
        for number in range(6):
            await world.create(CLAIMS, claim(f"c{number}"))
            await select(world, f"n{number % 2}", f"c{number}")
            await world.create("pods", ephemeral_pod(f"p{number}"))
            await select_when_made(world, f"p{number}-scratch")
        for number in range(0, 6, 2):
            await bound(world, f"c{number + 1}")
            await grow(world, f"c{number + 1}", "2Gi")
            await world.client.delete(CLAIMS, f"c{number}", "default")
            await world.client.delete("pods", f"p{number}", "default")

        async def at_rest():
            claims, volumes = await world.all(CLAIMS), await world.all(VOLUMES)
            named = sorted(c["spec"].get("volumeName", "") for c in claims)
            grown = all(
                c["status"]["phase"] == "Bound"
                and c["status"]["capacity"] == c["spec"]["resources"]["requests"]
                for c in claims
            )
            return grown and len(claims) == 6 and named == sorted(map(objects.name, volumes))

        await world.until(at_rest, within=900)
        for one in await world.all(VOLUMES):
            expected = "2Gi" if one["spec"]["claimRef"]["name"].startswith("c") else "1Gi"
            assert quantity.parse(one["spec"]["capacity"]["storage"]) == quantity.parse(expected)

    run(story, crash_every=seed)


async def select_when_made(world, name):
    await world.until(lambda: world.exists(CLAIMS, name))
    await select(world, "n0", name)
