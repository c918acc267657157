"""Add-ons: made once, at the first start that asks for them, and then the user's."""

import asyncio

import pytest
from rest_world import serving

from cluster.api import objects, resources
from cluster.apiserver import addons, bootstrap

SYSTEM = "/api/v1/namespaces/kube-system"
DEPLOYMENT = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"


@pytest.mark.parametrize("name", addons.NAMES)
def test_every_object_is_made_as_it_is_written(name: str) -> None:
    async def scenario() -> None:
        async with serving() as api:
            await addons.ensure(api.registry, [name], "10.96.0.0/12", bootstrap.USER)
            table = resources.built_in()
            for wanted in addons.manifests(name, "10.96.0.0/12"):
                row = table.of_kind(wanted["apiVersion"], wanted["kind"])
                assert row is not None
                namespace = objects.namespace(wanted)
                assert api.registry.cache.get(row.id, namespace, objects.name(wanted)) is not None

    asyncio.run(scenario())


def test_dns_has_the_tenth_address_of_the_range() -> None:
    async def scenario() -> None:
        async with serving() as api:
            await addons.ensure(api.registry, ["dns"], "10.96.0.0/12", bootstrap.USER)
            service = (await api.get(f"{SYSTEM}/services/kube-dns")).json
            assert service["spec"]["clusterIP"] == "10.96.0.10"

    asyncio.run(scenario())


def test_what_a_user_deletes_stays_deleted_and_another_addon_can_come_later() -> None:
    async def scenario() -> None:
        async with serving() as api:
            await addons.ensure(api.registry, ["dns"], "10.96.0.0/12", bootstrap.USER)
            assert (await api.call("DELETE", DEPLOYMENT)).status == 200
            await addons.ensure(api.registry, ["dns", "ingress"], "10.96.0.0/12", bootstrap.USER)
            assert (await api.get(DEPLOYMENT)).status == 404
            assert (await api.get("/api/v1/namespaces/ingress-nginx")).status == 200
            made = (await api.get(f"{SYSTEM}/configmaps/kubemu-addons")).json["data"]
            assert list(made) == ["dns", "ingress"]

    asyncio.run(scenario())


def test_what_a_user_has_made_by_himself_is_his() -> None:
    async def scenario() -> None:
        async with serving() as api:
            mine = {"metadata": {"name": "coredns"}, "data": {"Corefile": ". {\n whoami\n}"}}
            assert (await api.create(f"{SYSTEM}/configmaps", mine)).status == 201
            await addons.ensure(api.registry, ["dns"], "10.96.0.0/12", bootstrap.USER)
            found = (await api.get(f"{SYSTEM}/configmaps/coredns")).json
            assert found["data"] == mine["data"]
            assert (await api.get(DEPLOYMENT)).status == 200

    asyncio.run(scenario())


def test_there_are_no_others() -> None:
    with pytest.raises(ValueError, match="there is no addon 'dashboard': there are dns, ingress"):
        addons.checked(["dashboard"])


@pytest.mark.parametrize("name", addons.NAMES)
def test_nothing_of_it_is_warned_of(name: str) -> None:
    async def scenario() -> None:
        async with serving() as api:
            for wanted in addons.manifests(name, "10.96.0.0/12"):
                if wanted["kind"] != "Deployment":
                    continue
                namespace = objects.namespace(wanted)
                space = {"metadata": {"name": namespace}}
                await api.create("/api/v1/namespaces", space)
                path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
                made = await api.create(path, dict(wanted))
                assert made.status == 201, made.text
                assert "Warning" not in made.headers

    asyncio.run(scenario())
