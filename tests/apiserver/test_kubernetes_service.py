"""The `kubernetes` Service comes back, addresses stay, and bodies that fit nothing are told so."""

import asyncio

import pytest
from rest_world import serving

from cluster.aio import tasks
from cluster.apiserver import bootstrap

SERVICES = "/api/v1/namespaces/default/services"
ENDPOINTS = "/api/v1/namespaces/default/endpoints"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
MERGE = {"Content_Type": "application/merge-patch+json"}


def test_what_is_deleted_of_it_comes_back() -> None:
    async def scenario() -> None:
        async with serving() as api:
            initial = bootstrap.Initial(advertise="192.0.2.1")
            before = (await api.get(f"{SERVICES}/kubernetes")).json
            await bootstrap.restore(api.registry, initial)
            same = (await api.get(f"{SERVICES}/kubernetes")).json
            assert same["metadata"]["uid"] == before["metadata"]["uid"]

            assert (await api.call("DELETE", f"{SERVICES}/kubernetes")).status == 200
            assert (await api.call("DELETE", f"{SLICES}/kubernetes")).status == 200
            assert (await api.call("DELETE", f"{ENDPOINTS}/kubernetes")).status == 200
            await bootstrap.restore(api.registry, initial)
            after = (await api.get(f"{SERVICES}/kubernetes")).json
            assert after["metadata"]["uid"] != before["metadata"]["uid"]
            assert after["spec"] == before["spec"]
            endpoints = (await api.get(f"{SLICES}/kubernetes")).json["endpoints"]
            assert endpoints[0]["addresses"] == ["192.0.2.1"]
            subsets = (await api.get(f"{ENDPOINTS}/kubernetes")).json["subsets"]
            assert subsets[0]["addresses"] == [{"ip": "192.0.2.1"}]

    asyncio.run(scenario())


@pytest.mark.parametrize(("address", "status"), [("127.0.0.1", 404), ("127.9.0.1", 200)])
def test_endpoints_name_no_loopback_but_a_cluster_s_own_range(address: str, status: int) -> None:
    async def scenario() -> None:
        async with serving() as api:
            await bootstrap.restore(api.registry, bootstrap.Initial(advertise=address))
            assert (await api.get(f"{ENDPOINTS}/kubernetes")).status == status
            assert (await api.get(f"{SLICES}/kubernetes")).status == 200

    asyncio.run(scenario())


def test_it_is_looked_after_every_few_seconds(monkeypatch) -> None:
    monkeypatch.setattr(bootstrap, "RESTORE_SECONDS", 0.01)

    async def scenario() -> None:
        async with serving() as api, tasks.Group("test") as group:
            group.spawn(bootstrap.keep(api.registry, bootstrap.Initial()), "keep")
            await api.call("DELETE", f"{SERVICES}/kubernetes")
            async with asyncio.timeout(20):
                while (await api.get(f"{SERVICES}/kubernetes")).status != 200:
                    await asyncio.sleep(0.01)
            group.cancel()

    asyncio.run(scenario())


def test_an_address_that_may_not_change_is_told_as_it_would_be() -> None:
    async def scenario() -> None:
        async with serving() as api:
            spec = {"clusterIP": "10.96.7.7", "ports": [{"port": 80}]}
            made = await api.create(SERVICES, {"metadata": {"name": "s"}, "spec": spec})
            assert made.status == 201, made.text
            changed = {"spec": {"clusterIP": "10.96.7.8"}}
            refused = await api.call("PATCH", f"{SERVICES}/s", changed, **MERGE)
            assert refused.status == 422
            (cause,) = refused.json["details"]["causes"]
            assert cause == {
                "reason": "FieldValueInvalid",
                "message": 'Invalid value: ["10.96.7.8"]: may not change once set',
                "field": "spec.clusterIPs[0]",
            }

    asyncio.run(scenario())


def test_metadata_that_is_no_object_is_told_by_its_type() -> None:
    async def scenario() -> None:
        async with serving() as api:
            for wrong, kind in ((5, "number"), ("x", "string"), ([1], "array")):
                refused = await api.call(
                    "PATCH", f"{SERVICES}/kubernetes", {"metadata": wrong}, **MERGE
                )
                assert refused.status == 422, refused.text
                assert f"cannot unmarshal {kind} into Go" in refused.json["message"]
                assert "metadata" in refused.json["message"]

    asyncio.run(scenario())


def test_a_yaml_body_of_very_many_values_is_refused() -> None:
    async def scenario() -> None:
        async with serving() as api:
            body = b"metadata: {name: a}\ndata:\n" + b"".join(
                b"  k%d: v\n" % number for number in range(50_000)
            )
            headers = {"Content_Type": "application/yaml"}
            path = "/api/v1/namespaces/default/configmaps"
            refused = await api.call("POST", path, body, **headers)
            assert (refused.status, refused.json["reason"]) == (413, "RequestEntityTooLarge")
            assert "send this one as JSON" in refused.json["message"]
            long = b"metadata: {name: a}\ndata: {k: " + b"v" * 900_000 + b"}\n"
            assert (await api.call("POST", path, long, **headers)).status == 201

    asyncio.run(scenario())
