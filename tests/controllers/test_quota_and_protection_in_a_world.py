"""The controllers that recount quotas, and those that keep volumes in use."""

import asyncio

import pytest
from controllerworld import running

from cluster.aio import virtual
from cluster.api import errors, objects
from cluster.client.client import Client
from cluster.controllers.config import Config
from cluster.controllers.resourcequota import decision as counting
from cluster.controllers.volumeprotection import decision as protection

PVC = "kubernetes.io/pvc-protection"


def run(story):
    async def main():
        async with running(Config()) as world:
            await world.until(lambda: world.exists("serviceaccounts", "default"))
            await story(world)

    virtual.run(main())


def quota(name="q", **hard):
    meta = {"name": name, "namespace": "default"}
    hard = {key.replace("_", "."): value for key, value in hard.items()}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard}}


def config_map(name):
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}


def claim(name="data", **more):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "default"}, "spec": spec,
    } | more  # fmt: skip


def pod(name="web", claims=(), **status):
    volumes = [{"name": c, "persistentVolumeClaim": {"claimName": c}} for c in claims]
    spec = {"containers": [{"name": "c", "image": "i"}], "volumes": volumes, "nodeName": "n1"}
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}


def test_a_new_quota_is_told_what_it_holds_and_what_goes_is_given_back():
    async def story(world):
        await world.create("configmaps", config_map("before"))
        await world.create("resourcequotas", quota(configmaps="5", pods="3"))

        async def says(**used):
            found = await world.get("resourcequotas", "q")
            status = objects.status(found)
            hard = {"configmaps": "5", "pods": "3"}
            return status.get("hard") == hard and status.get("used") == used

        there = len(await world.all("configmaps", "default"))
        await world.until(lambda: says(configmaps=str(there), pods="0"))
        await world.client.delete("configmaps", "before", "default")
        await world.until(lambda: says(configmaps=str(there - 1), pods="0"))

    run(story)


def test_every_five_minutes_all_is_counted_again():
    async def story(world):
        await world.create("resourcequotas", quota(pods="3"))

        async def right():
            return objects.status(await world.get("resourcequotas", "q")).get("used") == {
                "pods": "0"
            }

        await world.until(right)
        wrong = await world.get("resourcequotas", "q")
        wrong["status"]["used"] = {"pods": "2"}
        await world.client.update("resourcequotas", wrong, subresource="status")
        assert not await right()
        await world.until(right, within=301, every=1.0)

    run(story)


COUNTED = [
    ({"pods": "1", "count/pods": "9"}, "pods", [pod(), pod("done", phase="Succeeded")],
     {"pods": "1", "count/pods": "2"}),
    ({"secrets": "1"}, "secrets", [{}, {}], {"secrets": "2"}),
    ({"requests.storage": "9Gi"}, "persistentvolumeclaims", [claim(), claim("b")],
     {"requests.storage": "2Gi"}),
    ({"count/widgets.example.com": "9"}, "widgets.example.com", [{}],
     {"count/widgets.example.com": "1"}),
]  # fmt: skip


@pytest.mark.parametrize(("hard", "resource", "present", "used"), COUNTED)
def test_what_a_quota_says_is_counted_from_what_is_there(hard, resource, present, used):
    found = {"metadata": {"name": "q"}, "spec": {"hard": hard}}
    status = counting.status(found, lambda asked: present if asked == resource else (), 0.0)
    assert status == {"hard": hard, "used": used}
    assert counting.differs(found, status)
    assert not counting.differs(found | {"status": status}, status)


def test_a_claim_in_use_outlives_its_deletion():
    async def story(world):
        await world.create("persistentvolumeclaims", claim())
        await world.create("persistentvolumeclaims", claim("idle"))
        made = await world.get("persistentvolumeclaims", "data")
        assert made["metadata"]["finalizers"] == [PVC]
        await world.create("pods", pod(claims=["data"]))
        for name in ("data", "idle"):
            await world.client.delete("persistentvolumeclaims", name, "default")

        async def gone(name):
            return not await world.exists("persistentvolumeclaims", name)

        await world.until(lambda: gone("idle"))
        assert not await gone("data")
        await world.client.delete("pods", "web", "default", grace=0)
        await world.until(lambda: gone("data"))

    run(story)


def test_many_claims_go_after_one_look_at_the_pods(monkeypatch):
    looks = []
    whole = Client.list

    async def noted(self, resource, *args, **options):
        looks.append(resource)
        return await whole(self, resource, *args, **options)

    async def story(world):
        names = [f"idle-{number}" for number in range(40)]
        for name in names:
            await world.create("persistentvolumeclaims", claim(name))
        monkeypatch.setattr(Client, "list", noted)
        await asyncio.gather(
            *(world.client.delete("persistentvolumeclaims", name, "default") for name in names)
        )

        async def gone():
            kept = [await world.exists("persistentvolumeclaims", name) for name in names]
            return not any(kept)

        await world.until(gone)

    run(story)
    assert 1 <= looks.count("pods") < 10


USES = [
    (pod(claims=["data"]), True),
    (pod(claims=["other"]), False),
    (pod(claims=["data"], phase="Failed"), True),
    (pod(claims=["data"]) | {"spec": {"volumes": [
        {"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]}}, False),
]  # fmt: skip


@pytest.mark.parametrize(("user", "used"), USES)
def test_a_claim_is_used_by_pods_on_nodes_finished_or_not(user, used):
    assert protection.claim_in_use(claim(), [user]) is used


OWN = {"controller": True, "kind": "Pod", "uid": "u"}
EPHEMERAL = [
    ({"uid": "u"}, [OWN], True),
    ({"uid": "u"}, [], False),
    ({"uid": "u", "deletionTimestamp": "x", "deletionGracePeriodSeconds": 30}, [OWN], True),
    ({"uid": "u", "deletionTimestamp": "x", "deletionGracePeriodSeconds": 0}, [OWN], False),
]


@pytest.mark.parametrize(("meta", "owners", "used"), EPHEMERAL)
def test_an_ephemeral_claim_is_used_by_its_own_pod_until_that_is_shut_down(meta, owners, used):
    user = pod()
    user["metadata"] |= meta
    user["spec"]["volumes"] = [{"name": "v", "ephemeral": {}}]
    asked = claim("web-v")
    asked["metadata"]["ownerReferences"] = owners
    assert protection.claim_in_use(asked, [user]) is used


FINALIZERS = [
    ({}, False, ["f"]),
    ({"finalizers": ["f"]}, False, None),
    ({"finalizers": ["f"], "deletionTimestamp": "x"}, True, None),
    ({"finalizers": ["a", "f"], "deletionTimestamp": "x"}, False, ["a"]),
    ({"finalizers": ["a"], "deletionTimestamp": "x"}, False, None),
]


@pytest.mark.parametrize(("meta", "used", "wanted"), FINALIZERS)
def test_finalizers_come_and_go(meta, used, wanted):
    assert protection.finalizers({"metadata": meta}, "f", used=used) == wanted


def test_a_volume_is_let_go_when_it_is_free():
    async def story(world):
        spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                "hostPath": {"path": "/x"}}  # fmt: skip
        volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "v"},
                  "spec": spec}  # fmt: skip
        made = await world.create("persistentvolumes", volume)
        assert made["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]
        bound = made | {"status": {"phase": "Bound"}}
        await world.client.update("persistentvolumes", bound, subresource="status")
        await world.client.delete("persistentvolumes", "v")
        free = await world.get("persistentvolumes", "v", "")
        free["status"]["phase"] = "Released"
        await world.client.update("persistentvolumes", free, subresource="status")

        async def gone():
            with pytest.raises(errors.NotFound):
                await world.get("persistentvolumes", "v", "")
            return True

        async def looked():
            return not await world.exists("persistentvolumes", "v", "")

        await world.until(looked)
        assert await gone()

    run(story)
