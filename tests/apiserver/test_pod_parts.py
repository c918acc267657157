"""Ephemeral containers and resizing: what these paths of a pod may change, and what not."""

import pytest
from registry_world import world

from cluster.aio import virtual
from cluster.api import errors, resources

DEBUG = {"name": "debug", "image": "busybox", "targetContainerName": "main"}
AMOUNTS = {"requests": {"cpu": "100m"}, "limits": {"cpu": "200m"}}


def run(scenario):
    async def main():
        async with world() as at:
            main = {"name": "main", "image": "nginx", "resources": AMOUNTS}
            await at.create("pods", {"metadata": {"name": "web"}, "spec": {"containers": [main]}})
            await scenario(at)

    virtual.run(main())


async def given(at, **spec):
    return await at.patch("pods", "web", {"spec": spec}, subresource="ephemeralcontainers")


def test_a_container_is_added_to_a_pod_that_runs_and_stays():
    async def scenario(at):
        pod = await given(at, ephemeralContainers=[DEBUG], hostname="other")
        (made,) = pod["spec"]["ephemeralContainers"]
        assert (made["name"], made["imagePullPolicy"]) == ("debug", "Always")
        assert "hostname" not in pod["spec"]
        with pytest.raises(errors.Invalid, match=r'"debug.*" may not be removed'):
            await given(at, ephemeralContainers=[])
        with pytest.raises(errors.Invalid, match=r'"debug.*" may not be changed'):
            await given(at, ephemeralContainers=[DEBUG | {"image": "other"}])
        await at.update("pods", await at.get("pods", "web"))

    run(scenario)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"targetContainerName": "x"}, r'\[0\].targetContainerName: Not found: "x"'),
        ({"name": "main"}, r'\[0\].name: Duplicate value: "main"'),
        ({"name": ""}, r"\[0\]: Required value: ephemeralContainer requires a name"),
        ({"ports": [{"containerPort": 1}]}, r"\[0\].ports: Forbidden: cannot be set for an Eph"),
        ({"resources": AMOUNTS}, r"\[0\].resources: Forbidden: cannot be set for an Ephemeral"),
    ],
)
def test_an_ephemeral_container_is_not_a_part_of_the_pod(more, message):
    async def scenario(at):
        with pytest.raises(errors.Invalid, match=message):
            await given(at, ephemeralContainers=[DEBUG | more])

    run(scenario)


def resized(**amounts):
    main = {"name": "main", "image": "other", "resources": amounts}
    return {"spec": {"containers": [main]}}


def test_resizing_changes_what_containers_may_use_and_nothing_else():
    async def scenario(at):
        patch = resized(requests={"cpu": "150m"}, limits={"cpu": "300m"})
        pod = await at.patch("pods", "web", patch, subresource="resize")
        (container,) = pod["spec"]["containers"]
        assert container["resources"] == patch["spec"]["containers"][0]["resources"]
        assert container["image"] == "nginx"

    run(scenario)


@pytest.mark.parametrize(
    ("amounts", "message"),
    [
        ({"requests": {"cpu": "200m"}, "limits": {"cpu": "200m"}}, None),
        ({"requests": {"cpu": "300m"}, "limits": {"cpu": "200m"}}, "must be less than or equal to"),
        ({"requests": {"cpu": "1"}}, "limits: Forbidden: resource limits cannot be removed"),
        ({"requests": {"cpu": "1", "a.b/c": "1"}, "limits": {"cpu": "2", "a.b/c": "1"}},
         "spec: Forbidden: only cpu and memory resources are mutable"),
    ],
)  # fmt: skip
def test_what_cannot_be_resized_is_told(amounts, message):
    async def scenario(at):
        if message is None:
            await at.patch("pods", "web", resized(**amounts), subresource="resize")
            return
        with pytest.raises(errors.Invalid, match=message):
            await at.patch("pods", "web", resized(**amounts), subresource="resize")

    run(scenario)


def test_resizing_does_not_change_the_class_of_service():
    async def scenario(at):
        amounts = {"cpu": "1", "memory": "1Gi"}
        patch = resized(requests=amounts, limits=amounts)
        with pytest.raises(errors.Invalid, match="QOS Class may not change as a result"):
            await at.patch("pods", "web", patch, subresource="resize")

    run(scenario)


@pytest.mark.parametrize(("version", "served"), [("1.32", False), ("1.33", True), ("", True)])
def test_pods_are_resized_since_it_came(version, served):
    assert ("resize" in resources.built_in(version).get("pods").subresources) is served
