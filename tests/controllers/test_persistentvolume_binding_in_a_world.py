"""Claims and volumes find each other, in a world with a real registry."""

import pytest
from controllerworld import running

from cluster.aio import virtual
from cluster.api import objects, quantity
from cluster.controllers.config import Config

VOLUMES = "persistentvolumes"
CLAIMS = "persistentvolumeclaims"
CLASSES = "storageclasses.storage.k8s.io"
WITHOUT_PROVISIONER = ("*", "-local-volume-provisioner")


def volume(name="v", size="1Gi", modes=("ReadWriteOnce",), labels=None, **spec):
    meta = {"name": name} | ({"labels": labels} if labels else {})
    spec = {"capacity": {"storage": size}, "accessModes": [*modes], "hostPath": {"path": "/x"}
            } | spec  # fmt: skip
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": spec}


def claim(name="data", size="1Gi", modes=("ReadWriteOnce",), space="default", **spec):
    spec = {"accessModes": [*modes], "resources": {"requests": {"storage": size}}} | spec
    meta = {"name": name, "namespace": space}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


def storage_class(name="slow", provisioner="example.com/disks", mode="Immediate", **more):
    meta = {"name": name} | (
        {"annotations": more.pop("annotations")} if "annotations" in more else {}
    )
    return {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": meta,
            "provisioner": provisioner, "volumeBindingMode": mode} | more  # fmt: skip


DEFAULT = {"storageclass.kubernetes.io/is-default-class": "true"}


def run(story, **options):
    async def main():
        async with running(Config(controllers=WITHOUT_PROVISIONER), **options) as world:
            await world.until(lambda: world.exists("serviceaccounts", "default"))
            await world.client.delete(CLASSES, "standard")
            await story(world)

    virtual.run(main())


async def claim_phase(world, name="data"):
    return objects.status(await world.get(CLAIMS, name)).get("phase")


async def volume_phase(world, name="v"):
    return objects.status(await world.get(VOLUMES, name, "")).get("phase")


async def bound(world, name="data"):
    async def is_bound():
        return await claim_phase(world, name) == "Bound"

    await world.until(is_bound)
    return objects.spec(await world.get(CLAIMS, name))["volumeName"]


async def phase(world, wanted, name="v"):
    async def reached():
        return await volume_phase(world, name) == wanted

    await world.until(reached)


async def told(world, reason):
    await world.until(lambda: world.events(reason))
    return (await world.events(reason))[0]


def test_a_claim_gets_the_smallest_volume_that_will_do_and_both_say_so():
    async def story(world):
        for name, size in (("big", "10Gi"), ("small", "2Gi"), ("tiny", "1Mi")):
            await world.create(VOLUMES, volume(name, size))
        await world.create(CLAIMS, claim(size="1Gi"))
        assert await bound(world) == "small"
        found = await world.get(CLAIMS, "data")
        assert objects.annotations(found) == {
            "pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes",
        }  # fmt: skip
        assert found["status"] == {
            "phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "2Gi"},
        }  # fmt: skip
        chosen = await world.get(VOLUMES, "small", "")
        reference = chosen["spec"]["claimRef"]
        assert (reference["namespace"], reference["name"]) == ("default", "data")
        assert reference["uid"] == objects.uid(found)
        assert objects.annotations(chosen) == {"pv.kubernetes.io/bound-by-controller": "yes"}
        assert chosen["status"]["phase"] == "Bound"
        assert chosen["status"]["lastPhaseTransitionTime"]
        assert await volume_phase(world, "big") == "Available"

    run(story)


def test_a_claim_that_waits_gets_a_volume_that_comes():
    async def story(world):
        await world.create(CLAIMS, claim(storageClassName=""))
        text = "no persistent volumes available for this claim and no storage class is set"
        assert await told(world, "FailedBinding") == text
        await world.create(VOLUMES, volume())
        assert await bound(world) == "v"

    run(story)


def test_what_is_reserved_for_each_other_is_bound_and_stays_the_users():
    async def story(world):
        reserved = {"namespace": "default", "name": "data"}
        await world.create(VOLUMES, volume("mine", "5Gi", claimRef=reserved))
        await world.create(VOLUMES, volume("other"))
        await phase(world, "Available", "mine")
        await world.create(CLAIMS, claim())
        assert await bound(world) == "mine"
        assert not objects.annotations(await world.get(VOLUMES, "mine", ""))
        await world.create(CLAIMS, claim("second", volumeName="other"))
        assert await bound(world, "second") == "other"
        notes = objects.annotations(await world.get(CLAIMS, "second"))
        assert notes == {"pv.kubernetes.io/bind-completed": "yes"}

    run(story)


REFUSED = [
    ({"size": "2Gi"}, "requested PV is too small"),
    ({"storageClassName": "x"}, "storageClassName does not match"),
    ({"volumeMode": "Block"}, "incompatible volumeMode"),
    ({"modes": ("ReadWriteMany",)}, "incompatible accessMode"),
]


@pytest.mark.parametrize(("fields", "why"), REFUSED)
def test_a_volume_asked_for_by_name_must_suit(fields, why):
    async def story(world):
        await world.create(VOLUMES, volume())
        await world.create(CLAIMS, claim(volumeName="v", **fields))
        assert await told(world, "VolumeMismatch") == f'Cannot bind to requested volume "v": {why}'
        assert await claim_phase(world) == "Pending"

    run(story)


def test_a_retained_volume_is_released_and_no_new_claim_of_the_name_gets_it():
    async def story(world):
        await world.create(VOLUMES, volume())
        await world.create(CLAIMS, claim())
        await bound(world)
        await world.client.delete(CLAIMS, "data", "default")
        await phase(world, "Released")
        await world.create(CLAIMS, claim())
        await told(world, "FailedBinding")
        assert await volume_phase(world) == "Released"
        kept = await world.get(VOLUMES, "v", "")
        del kept["spec"]["claimRef"]
        await world.client.update(VOLUMES, kept)
        assert await bound(world) == "v"

    run(story)


RECLAIMED = [
    ("Delete", "/x", "VolumeFailedDelete",
     "host_path deleter only supports /tmp/.+ but received provided /x"),
    ("Recycle", "/tmp/x", "VolumeFailedRecycle",
     "Recycle is deprecated, and not built in kubemu: use Retain or Delete, or a provisioner"),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "path", "reason", "text"), RECLAIMED)
def test_what_cannot_be_reclaimed_has_failed_and_says_why(policy, path, reason, text):
    async def story(world):
        made = volume(persistentVolumeReclaimPolicy=policy, hostPath={"path": path})
        await world.create(VOLUMES, made)
        await world.create(CLAIMS, claim())
        await bound(world)
        await world.client.delete(CLAIMS, "data", "default")
        await phase(world, "Failed")
        assert await told(world, reason) == text
        assert (await world.get(VOLUMES, "v", ""))["status"]["message"] == text

    run(story)


def test_a_volume_in_tmp_is_deleted_with_its_claim():
    async def story(world):
        made = volume(persistentVolumeReclaimPolicy="Delete", hostPath={"path": "/tmp/x"})
        await world.create(VOLUMES, made)
        await world.create(CLAIMS, claim())
        await bound(world)
        await world.client.delete(CLAIMS, "data", "default")

        async def gone():
            return not await world.exists(VOLUMES, "v", "")

        await world.until(gone)

    run(story)


def test_a_claim_whose_volume_is_gone_is_lost_and_found_again_with_it():
    async def story(world):
        await world.create(VOLUMES, volume())
        await world.create(CLAIMS, claim())
        await bound(world)
        old = await world.get(VOLUMES, "v", "")
        old["metadata"]["finalizers"] = []
        await world.client.delete(VOLUMES, "v")
        going = await world.get(VOLUMES, "v", "")
        going["metadata"]["finalizers"] = []
        await world.client.update(VOLUMES, going)
        text = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
        assert await told(world, "ClaimLost") == text
        assert await claim_phase(world) == "Lost"
        await world.create(VOLUMES, volume())
        await bound(world)
        assert (await world.get(VOLUMES, "v", ""))["status"]["phase"] == "Bound"

    run(story)


def test_a_claim_gets_the_default_class_that_comes_after_it():
    async def story(world):
        await world.create(CLAIMS, claim())
        await told(world, "FailedBinding")
        await world.create(CLASSES, storage_class(annotations=DEFAULT))

        async def has_class():
            return objects.spec(await world.get(CLAIMS, "data")).get("storageClassName") == "slow"

        await world.until(has_class)

    run(story)


def test_an_external_provisioner_is_named_and_what_it_makes_is_bound():
    async def story(world):
        await world.create(CLASSES, storage_class())
        await world.create(CLAIMS, claim(storageClassName="slow"))
        assert (await told(world, "ExternalProvisioning")).startswith(
            "Waiting for a volume to be created either by the external provisioner "
            "'example.com/disks' or manually by the system administrator."
        )
        found = await world.get(CLAIMS, "data")
        assert objects.annotations(found) == {
            "volume.kubernetes.io/storage-provisioner": "example.com/disks",
            "volume.beta.kubernetes.io/storage-provisioner": "example.com/disks",
        }
        reference = {"namespace": "default", "name": "data", "uid": objects.uid(found)}
        await world.create(VOLUMES, volume(storageClassName="slow", claimRef=reference))
        assert await bound(world) == "v"

    run(story)


WRONG_CLASSES = [
    (None, 'storageclass.storage.k8s.io "slow" not found'),
    ("kubernetes.io/no-provisioner", "no volume plugin matched name: kubernetes.io/no-provisioner"),
]


@pytest.mark.parametrize(("provisioner", "text"), WRONG_CLASSES)
def test_a_class_that_can_provision_nothing_is_told_of(provisioner, text):
    async def story(world):
        if provisioner:
            await world.create(CLASSES, storage_class(provisioner=provisioner))
        await world.create(CLAIMS, claim(storageClassName="slow"))
        assert await told(world, "ProvisioningFailed") == text

    run(story)


def test_a_claim_that_waits_for_its_consumer_is_left_to_the_scheduler():
    async def story(world):
        await world.create(CLASSES, storage_class(mode="WaitForFirstConsumer"))
        await world.create(VOLUMES, volume(storageClassName="slow"))
        await world.create(CLAIMS, claim(storageClassName="slow"))
        text = "waiting for first consumer to be created before binding"
        assert await told(world, "WaitForFirstConsumer") == text
        assert await claim_phase(world) == "Pending"
        world.kubelet.silent.update(world.kubelet.nodes)
        await world.create("pods", pod("web", "data"))
        assert await told(world, "WaitForPodScheduled") == "waiting for pod web to be scheduled"

    run(story)


def pod(name, *claims):
    volumes = [{"name": each, "persistentVolumeClaim": {"claimName": each}} for each in claims]
    spec = {"containers": [{"name": "c", "image": "i"}], "volumes": volumes}
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


@pytest.mark.parametrize("seed", range(6))
def test_no_volume_has_two_claims_and_no_claim_two_volumes_whenever_the_manager_dies(seed):
    """Some claims go again at once, and come back when their volumes may be bound already."""

    async def story(world):
        for number in range(12):
            await world.create(VOLUMES, volume(f"v{number}", size(number)))
            # A manager that hears late may take a class for the default that is gone already.
            await world.create(CLAIMS, claim(f"c{number}", size(number), storageClassName=""))
        for number in range(0, 12, 3):
            await world.client.delete(CLAIMS, f"c{number}", "default")

        async def at_rest():
            claims, volumes = await world.all(CLAIMS), await world.all(VOLUMES)
            taken = [c["spec"]["volumeName"] for c in claims if c["spec"].get("volumeName")]
            assert len(taken) == len({*taken})  # at every moment
            return not [*unsettled(claims, volumes)]

        await world.until(at_rest, within=600)
        assert len(await world.all(CLAIMS)) == 8

    run(story, crash_every=seed)


def size(number):
    return "1Gi" if number % 2 else "3Gi"


def unsettled(claims, volumes):
    """What is not as it has to be in the end."""
    has = {objects.uid(c): c["spec"].get("volumeName") for c in claims}
    for one in volumes:
        reference, phase = one["spec"].get("claimRef"), one["status"]["phase"]
        if reference is None:
            yield from [one] if phase != "Available" else []
        elif has.get(reference["uid"]) != objects.name(one):
            yield from [one] if phase != "Released" or reference["uid"] in has else []
        elif phase != "Bound":
            yield one
    free = [quantity.parse(v["spec"]["capacity"]["storage"]) for v in volumes
            if not v["spec"].get("claimRef")]  # fmt: skip
    for one in claims:
        wanted = quantity.parse(one["spec"]["resources"]["requests"]["storage"])
        waits = one["status"]["phase"] != "Bound"
        if objects.deleting(one) or (waits and any(found >= wanted for found in free)):
            yield one
