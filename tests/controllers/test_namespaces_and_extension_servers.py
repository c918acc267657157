"""A namespace does not end while an extension server may have, or has, something in it."""

from typing import Any

import pytest
from controllerworld import World, running

from cluster.aio import virtual
from cluster.api import errors, objects
from cluster.client.client import Client

SERVICES = "apiservices.apiregistration.k8s.io"
PLACE = "stuff.example.com/v1"


def service(available: str) -> dict[str, Any]:
    spec = {
        "group": "stuff.example.com", "version": "v1", "groupPriorityMinimum": 1,
        "versionPriority": 1, "service": {"name": "s", "namespace": "default"},
        "insecureSkipTLSVerify": True,
    }  # fmt: skip
    condition = {
        "type": "Available", "status": available, "reason": "X", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    return {
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": "v1.stuff.example.com"}, "spec": spec,
        "status": {"conditions": [condition]},
    }  # fmt: skip


async def doomed(world: World, available: str) -> None:
    made = await world.create(SERVICES, service(available))
    await world.client.update(
        SERVICES, made | {"status": service(available)["status"]}, subresource="status"
    )
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "doomed"}}
    await world.create("namespaces", space)
    config = {"metadata": {"name": "c", "namespace": "doomed"}}
    await world.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap"} | config)
    await world.client.delete("namespaces", "doomed")


async def condition(world: World, kind: str, reason: str) -> str:
    found: dict[str, Any] = {}

    async def told() -> bool:
        status = objects.status(await world.get("namespaces", "doomed", ""))
        for each in status.get("conditions") or ():
            if each["type"] == kind and each["reason"] == reason:
                found.update(each)
        return bool(found)

    await world.until(told)
    assert found["status"] == "True"
    return str(found["message"])


async def gone(world: World) -> None:
    async def absent() -> bool:
        return not await world.exists("namespaces", "doomed", "")

    await world.until(absent, within=20)


def test_a_server_that_cannot_be_asked_holds_a_namespace_up() -> None:
    async def main() -> None:
        async with running() as world:
            await doomed(world, "False")
            said = await condition(world, "NamespaceDeletionDiscoveryFailure", "DiscoveryFailed")
            assert said == (
                "Discovery failed for some groups, 1 failing: unable to retrieve the complete "
                f"list of server APIs: {PLACE}: stale GroupVersion discovery: {PLACE}"
            )
            assert not await world.exists("configmaps", "c", "doomed")  # what can go, goes
            await world.client.delete(SERVICES, "v1.stuff.example.com")
            await gone(world)

    virtual.run(main())


@pytest.mark.parametrize(
    "resources",
    [
        None,
        "text",
        [1, {"name": 1, "namespaced": True, "verbs": ["delete", "list"]}],
        [{"name": "things", "namespaced": True, "verbs": ["get", "list"]}],
        [{"name": "things", "namespaced": False, "verbs": ["delete", "list"]}],
        [{"name": "things/status", "namespaced": True, "verbs": ["delete", "list"]}],
    ],
)
def test_a_server_with_nothing_to_delete_holds_nothing_up(
    resources: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(_client: Client, path: str) -> objects.Object:
        assert path == f"/apis/{PLACE}"
        return {"resources": resources}

    monkeypatch.setattr(Client, "read", read)

    async def main() -> None:
        async with running() as world:
            await doomed(world, "True")
            await gone(world)

    virtual.run(main())


def test_what_a_server_has_is_told_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    things: list[objects.Object] = [{"metadata": {"name": "one"}}]

    async def read(_client: Client, path: str) -> objects.Object:
        verbs = ["list", "delete"]
        if path == f"/apis/{PLACE}":
            names = ("things", "others")
            return {"resources": [{"name": n, "namespaced": True, "verbs": verbs} for n in names]}
        if path.endswith("/others"):
            raise errors.NotFound("no others")
        assert path == f"/apis/{PLACE}/namespaces/doomed/things"
        return {"items": things}

    monkeypatch.setattr(Client, "read", read)

    async def main() -> None:
        async with running() as world:
            await doomed(world, "True")
            said = await condition(world, "NamespaceContentRemaining", "SomeResourcesRemain")
            assert "things.stuff.example.com has 1 resource instances" in said
            said = await condition(
                world, "NamespaceDeletionContentFailure", "ContentDeletionFailed"
            )
            assert "things.stuff.example.com: it is served by another server" in said
            things.clear()
            await gone(world)

    virtual.run(main())
