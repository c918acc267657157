"""What others wrote into the store (`etcdctl put`): read if it is an object, and nothing else
suffers if it is none.
"""

import asyncio
import json
import random

import msgspec
import pytest
import registry_world as rw

from cluster.aio import clock, tasks, virtual
from cluster.api import errors, resources
from cluster.apiserver import codec
from cluster.apiserver.component import ApiServer
from cluster.apiserver.config import Config
from cluster.apiserver.storekeeping.verifying import Verifier
from cluster.storage.interface import Change, Record
from cluster.storage.memory import MemoryStorage

TEMPLATE = {"metadata": {"labels": {"app": "x"}}}
OBJECT = {
    "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}, "template": TEMPLATE,
    "metadata": {"name": "odd", "namespace": "default", "uid": "u", "resourceVersion": "7"},
}  # fmt: skip
SPELLINGS = [
    json.dumps(OBJECT).encode(),
    json.dumps(OBJECT, indent=1).encode(),
    # The first metadata is not that of the object.
    json.dumps(OBJECT, separators=(",", ":")).encode(),
    json.dumps(dict(reversed(OBJECT.items()))).encode(),
    # As kubemu spells it, but for a resourceVersion of its own.
    codec.encode(OBJECT).replace(b'"metadata":{', b'"metadata":{"resourceVersion":"7",', 1),
]
BROKEN = [
    b"", b"[]", b"null", b"{", b"{}", b'{"apiVersion":"v1","kind":"ConfigMap"}',
    b'{"apiVersion":"v1","kind":"ConfigMap","metadata":[]}',
    b'{"apiVersion":"v1","kind":"ConfigMap", "metadata":{}}',
    b'{"apiVersion":1,"kind":"ConfigMap","metadata":{"name":"odd"}}', b"{" * 100_000,
    b'{"a":' * 100_000, b"\xff\xfe",
    # Its beginning is as kubemu spells it.
    codec.encode(OBJECT)[:-1], codec.encode(OBJECT)[:90], codec.encode(OBJECT) + b"}",
    codec.encode(OBJECT).replace(b"odd", b"\xff\xfe"),
    codec.encode({**OBJECT, "metadata": {"name": "odd", "labels": {"a": 7}}}),
    codec.encode({**OBJECT, "metadata": {"name": "odd", "ownerReferences": [None]}}),
]  # fmt: skip
KEY = codec.key("configmaps", "default", "odd")


@pytest.mark.parametrize("value", SPELLINGS)
def test_an_object_is_read_however_it_is_spelled(value: bytes) -> None:
    spelled = codec.spelled(value)
    assert spelled is not None
    seen = msgspec.json.decode(codec.with_revision(spelled, 9))
    assert seen == OBJECT | {"metadata": OBJECT["metadata"] | {"resourceVersion": "9"}}
    assert codec.spelled(spelled) is spelled


@pytest.mark.parametrize("value", BROKEN)
def test_what_is_no_object_is_none(value: bytes) -> None:
    assert codec.spelled(value) is None


@pytest.mark.parametrize("running", [False, True], ids=["at the start", "while it runs"])
@pytest.mark.parametrize("value", [*SPELLINGS[:1], *BROKEN[2:6], *BROKEN[-6:]])
def test_a_server_lives_with_what_others_wrote(value: bytes, running: bool) -> None:
    async def story() -> None:
        store = MemoryStorage()
        await store.open()
        if not running:
            await store.write([Change(KEY, value, 0)])
        async with rw.world(store=store) as world:
            if running:
                await store.write([Change(KEY, value, 0)])
            if value in SPELLINGS:
                entry = await world.registry.get("configmaps", "default", "odd")
                assert msgspec.json.decode(entry.json)["data"] == OBJECT["data"]
            else:
                with pytest.raises(errors.InternalError, match=f'transform key "{KEY}"'):
                    await world.registry.list("configmaps", "default")
            assert (await world.registry.list("configmaps", "kube-system")).items == []
            assert (await world.registry.list("secrets", "default")).items == []

    virtual.run(story())


SERVED = [
    "clusterrolebindings.rbac.authorization.k8s.io", "clusterroles.rbac.authorization.k8s.io",
    "customresourcedefinitions.apiextensions.k8s.io", "flowschemas.flowcontrol.apiserver.k8s.io",
    "validatingadmissionpolicies.admissionregistration.k8s.io", "priorityclasses.scheduling.k8s.io",
    "namespaces", "nodes", "apiservices.apiregistration.k8s.io", "storageclasses.storage.k8s.io",
]  # fmt: skip


def test_a_server_starts_beside_them() -> None:
    async def story() -> None:
        wall = clock.SystemClock()
        store = MemoryStorage(wall)
        await store.open()
        keys = [codec.key(resource, "", "odd") for resource in SERVED]
        keys += [codec.key(resource, "default", "odd") for resource in ("services", "secrets")]
        await store.write([Change(key, BROKEN[-1], 0) for key in keys])
        config = Config(port=0, grpc_address="127.0.0.1:0", authorization=("Node", "RBAC"))
        server = ApiServer(config, storage=store, clock=wall, random=random.Random(1))
        async with tasks.Group("test") as group:
            task = group.spawn(server.run(), "apiserver")
            async with asyncio.timeout(20):
                await server.ready.wait()
            assert set(keys) <= set(server.registry.cache.unreadable())
            role = await server.registry.get(SERVED[1], "", "cluster-admin")
            assert role.document()["rules"]
            assert (await server.registry.list("services", "kube-system")).items == []
            task.cancel()

    asyncio.run(asyncio.wait_for(story(), 60))


@pytest.mark.parametrize("value", [*SPELLINGS, *BROKEN])
def test_verifying_tells_of_them(value: bytes) -> None:
    verifier = Verifier(resources.built_in(), 9, rw.EPOCH)
    found = list(verifier.take(Record(KEY, value, 9, 9)))
    assert any(one.serious for one in found) is (value in BROKEN or b'"7"' in value)
    if value in SPELLINGS:
        assert "otherwise than API servers write" in found[0].what
