"""ServiceAccount admission: the account, its pull secrets, its token's volume."""

import asyncio

import pytest
import registry_world as rw

from cluster.aio import virtual
from cluster.api import errors

PATH = "/var/run/secrets/kubernetes.io/serviceaccount"


def run(story):
    async def main():
        async with rw.world() as world:
            await story(world)

    virtual.run(main())


def pod(name="web", containers=1, **spec):
    found = rw.pod(name)
    found["spec"] |= spec
    found["spec"]["containers"] = [
        {"name": f"c{number}", "image": "i"} for number in range(containers)
    ]
    return found


async def account(world, name="robot", **more):
    return await world.create("serviceaccounts", {"metadata": {"name": name}, **more})


def mounts(container):
    return [(each["mountPath"], each.get("readOnly")) for each in container["volumeMounts"]]


def test_each_container_finds_the_token_in_a_projected_volume():
    async def story(world):
        made = await world.create(
            "pods", pod(containers=2, initContainers=[{"name": "i", "image": "i"}])
        )
        (volume,) = made["spec"]["volumes"]
        assert volume["name"].startswith("kube-api-access-")
        assert len(volume["name"]) == len("kube-api-access-") + 5
        assert volume["projected"] == {
            "defaultMode": 420,
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {
                    "configMap": {
                        "name": "kube-root-ca.crt",
                        "items": [{"key": "ca.crt", "path": "ca.crt"}],
                    }
                },
                {
                    "downwardAPI": {
                        "items": [
                            {
                                "path": "namespace",
                                "fieldRef": {
                                    "apiVersion": "v1", "fieldPath": "metadata.namespace",
                                },
                            }
                        ]
                    }
                },
            ],
        }  # fmt: skip
        for kind in ("initContainers", "containers"):
            for container in made["spec"][kind]:
                (mount,) = container["volumeMounts"]
                assert mount == {"name": volume["name"], "readOnly": True, "mountPath": PATH}

    run(story)


@pytest.mark.parametrize(
    ("by_account", "by_pod", "mounted"),
    [
        (None, None, True), (True, None, True), (False, None, False), (False, True, True),
        (True, False, False), (None, False, False),
    ],
)  # fmt: skip
def test_pod_and_account_say_whether_it_is_mounted(by_account, by_pod, mounted):
    async def story(world):
        said = {} if by_account is None else {"automountServiceAccountToken": by_account}
        await account(world, **said)
        wanted = {} if by_pod is None else {"automountServiceAccountToken": by_pod}
        made = await world.create("pods", pod(serviceAccountName="robot", **wanted))
        assert bool(made["spec"].get("volumes")) is mounted
        assert bool(made["spec"]["containers"][0].get("volumeMounts")) is mounted

    run(story)


def test_what_is_mounted_there_already_stays():
    async def story(world):
        wanted = pod(volumes=[{"name": "mine", "emptyDir": {}}])
        wanted["spec"]["containers"][0]["volumeMounts"] = [{"name": "mine", "mountPath": PATH}]
        made = await world.create("pods", wanted)
        assert [volume["name"] for volume in made["spec"]["volumes"]] == ["mine"]
        assert mounts(made["spec"]["containers"][0]) == [(PATH, None)]

    run(story)


def test_pull_secrets_come_from_the_account_unless_the_pod_has_its_own():
    async def story(world):
        await account(world, imagePullSecrets=[{"name": "registry"}])
        made = await world.create("pods", pod("a", serviceAccountName="robot"))
        assert made["spec"]["imagePullSecrets"] == [{"name": "registry"}]
        own = pod("b", serviceAccountName="robot", imagePullSecrets=[{"name": "own"}])
        made = await world.create("pods", own)
        assert made["spec"]["imagePullSecrets"] == [{"name": "own"}]
        await world.patch("serviceaccounts", "robot", {"imagePullSecrets": [{"name": "new"}]})
        made = await world.create("pods", pod("c", serviceAccountName="robot"))
        assert made["spec"]["imagePullSecrets"] == [{"name": "new"}]

    run(story)


def test_an_account_that_is_not_there_is_refused_at_once():
    async def story(world):
        with pytest.raises(errors.Forbidden) as refusal:
            await world.create("pods", pod(serviceAccountName="nobody"))
        assert refusal.value.message == (
            'pods "web" is forbidden: error looking up service account default/nobody: '
            'serviceaccount "nobody" not found'
        )
        assert asyncio.get_running_loop().time() < 0.1

    run(story)


def test_the_default_account_of_a_new_namespace_is_waited_for():
    async def story(world):
        await world.create("namespaces", {"metadata": {"name": "new"}}, "")
        making = world.group.spawn(world.create("pods", pod(), "new"), "pod")
        await asyncio.sleep(0.25)
        assert not making.done()
        await world.create("serviceaccounts", {"metadata": {"name": "default"}}, "new")
        made = await making
        assert made["spec"]["serviceAccountName"] == "default"
        assert asyncio.get_running_loop().time() < 0.5

    run(story)


def test_a_default_account_that_never_comes_is_not_waited_for_long():
    async def story(world):
        await world.create("namespaces", {"metadata": {"name": "new"}}, "")
        with pytest.raises(errors.Forbidden, match="error looking up service account new/default"):
            await world.create("pods", pod(), "new")
        assert asyncio.get_running_loop().time() < 2

    run(story)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (
            {"volumes": [{"name": "v", "secret": {"secretName": "other"}}]},
            'volume with secret.secretName="other" is not allowed because service account robot '
            "does not reference that secret",
        ),
        (
            {"imagePullSecrets": [{"name": "other"}]},
            'imagePullSecrets[0].name="other" is not allowed because service account robot does '
            "not reference that imagePullSecret",
        ),
        ({"volumes": [{"name": "v", "secret": {"secretName": "known"}}]}, ""),
    ],
)
def test_an_account_may_list_the_secrets_that_its_pods_use(spec, why):
    async def story(world):
        notes = {"kubernetes.io/enforce-mountable-secrets": "true"}
        body = {"metadata": {"name": "robot", "annotations": notes}, "secrets": [{"name": "known"}]}
        await world.create("serviceaccounts", body)
        wanted = pod(serviceAccountName="robot", **spec)
        if not why:
            await world.create("pods", wanted)
            return
        with pytest.raises(errors.Forbidden) as refusal:
            await world.create("pods", wanted)
        assert refusal.value.message == f'pods "web" is forbidden: {why}'

    run(story)


def test_mirror_pods_have_no_account():
    async def story(world):
        mirror = pod()
        mirror["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
        made = await world.create("pods", mirror)
        assert not made["spec"].get("serviceAccountName")
        assert not made["spec"].get("volumes")
        mirror["spec"]["serviceAccountName"] = "default"
        mirror["metadata"]["name"] = "other"
        with pytest.raises(errors.Forbidden, match="a mirror pod may not reference service acc"):
            await world.create("pods", mirror)

    run(story)
