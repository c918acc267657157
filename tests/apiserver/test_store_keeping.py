"""The store as a whole: what is found in a damaged one, and who may save and compact it."""

import asyncio
import contextlib
import random

import grpc
import msgspec
import pytest
import registry_world as rw

from cluster.aio import clock, tasks, virtual
from cluster.api import identity, resources
from cluster.apiserver.component import ApiServer
from cluster.apiserver.config import Config
from cluster.apiserver.storekeeping.verifying import Verifier
from cluster.pb.cluster.v1 import store_pb2 as pb
from cluster.pb.cluster.v1.store_pb2_grpc import StoreStub
from cluster.storage.interface import Record
from cluster.storage.memory import MemoryStorage

TOKENS = {
    "admin": identity.User("admin", (identity.MASTERS,)),
    "guest": identity.User("guest", (identity.AUTHENTICATED,)),
}


def stored() -> list[Record]:
    """What a registry stores: namespaces, a ReplicaSet and its pod, and what it makes by itself."""

    async def main():
        async with rw.world() as world:
            pod = {
                "metadata": {"name": "web"},
                "spec": {"containers": [{"name": "c", "image": "nginx"}]},
            }
            owner = await world.create("configmaps", {"metadata": {"name": "owner"}})
            meta = owner["metadata"]
            pod["metadata"]["ownerReferences"] = [
                {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": meta["uid"]}
            ]
            await world.create("pods", pod)
            return list((await world.store.range("/registry/")).records)

    return virtual.run(main())


RECORDS = stored()
NEWEST = max(record.revision for record in RECORDS)
POD = "/registry/pods/default/web"
OWNER = "/registry/configmaps/default/owner"


def findings(records) -> list[tuple[str, str]]:
    verifier = Verifier(resources.built_in(), NEWEST, rw.EPOCH)
    told = [one for record in records for one in verifier.take(record)]
    found = [(one.key, one.what) for one in (*told, *verifier.rest())]
    assert verifier.records == len(records)
    return found


def changed(key, edit) -> list[Record]:
    """The records, one of them edited: its document, by a function."""

    def edited(record):
        document = msgspec.json.decode(record.value)
        edit(document)
        return record._replace(value=msgspec.json.encode(document))

    return [edited(record) if record.key == key else record for record in RECORDS]


def test_a_store_that_is_whole_has_no_findings():
    assert len(RECORDS) > 5
    assert findings(RECORDS) == []
    servers = Record("/registry/masterleases/127.0.0.1:6443", b'{"metadata":{}}', 1, 1)
    assert findings([servers, *RECORDS[-1:]]) == findings(RECORDS[-1:])


def put(*path, value):
    def edit(document):
        for part in path[:-1]:
            document = document[part]
        document[path[-1]] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (put("metadata", "name", value="other"), "the object says that it is default/other"),
        (put("metadata", "namespace", value="x"), "the object says that it is x/web"),
        (put("metadata", "resourceVersion", value="1"), "has a resourceVersion of its own"),
        (put("metadata", "uid", value=""), "it has no uid"),
        (put("kind", value="Node"), "it is a Node, not a Pod"),
        (put("apiVersion", value="v2"), "it is stored as v2, not v1"),
        (put("spec", "containers", value=[]), "it breaks the rules: spec.containers"),
        (put("spec", "containers", value=7), "rules"),
        (put("metadata", "ownerReferences", 0, "uid", value="gone"), "its owner ConfigMap owner"),
        (put("metadata", value=3), "its value is no object"),
    ],
)
def test_damage_to_one_object_is_found(edit, what):
    found = findings(changed(POD, edit))
    assert any(key == POD and what in said for key, said in found), found


def test_damage_between_objects_and_to_revisions_is_found():
    owner = next(record for record in RECORDS if record.key == OWNER)
    uid = msgspec.json.decode(owner.value)["metadata"]["uid"]
    twice = findings(changed(POD, put("metadata", "uid", value=uid)))
    assert (POD, f"its uid {uid} is that of {OWNER}, too") in twice
    without = [record for record in RECORDS if record.key != "/registry/namespaces/default"]
    assert any("its namespace default is not there" in what for _, what in findings(without))
    ahead = [one._replace(revision=NEWEST + 9) if one.key == POD else one for one in RECORDS]
    assert any("its revisions cannot be" in what for _, what in findings(ahead))
    assert any("the store gives it after" in what for _, what in findings(RECORDS[::-1]))
    foreign = [Record("/elsewhere", b"{}", 1, 1), Record("/registry/pods/default/z", b"\xff", 1, 1)]
    told = dict(findings(foreign))
    assert "no key of an object" in told["/elsewhere"]
    assert "its value is no JSON" in told["/registry/pods/default/z"]
    unknown = [Record("/registry/things.example/a", RECORDS[0].value, 1, 1)]
    assert any("nothing serves the resource" in what for _, what in findings(unknown))


@contextlib.asynccontextmanager
async def serving():
    config = Config(port=0, grpc_address="127.0.0.1:0", tokens=TOKENS)
    wall = clock.SystemClock()
    server = ApiServer(config, storage=MemoryStorage(wall), clock=wall, random=random.Random(1))
    async with tasks.Group("test") as group:
        task = group.spawn(server.run(), "apiserver")
        async with asyncio.timeout(20):
            await server.ready.wait()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            yield server, StoreStub(channel)
        task.cancel()


def bearer(token):
    return (("authorization", f"Bearer {token}"),)


def test_a_running_server_saves_verifies_and_compacts_for_administrators_alone():
    async def main():
        admin, guest = bearer("admin"), bearer("guest")
        async with serving() as (server, stub):
            for call in (
                stub.Save(pb.SaveRequest(), metadata=guest).read(),
                stub.Verify(pb.VerifyRequest(), metadata=guest).read(),
                stub.Compact(pb.CompactRequest(), metadata=guest),
                stub.Defragment(pb.DefragmentRequest(), metadata=guest),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await call
                assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
            saved = [one async for one in stub.Save(pb.SaveRequest(), metadata=admin)]
            records = [record for one in saved for record in one.records]
            assert saved[0].header.revision <= server.registry.revision
            assert len(records) > 50
            assert [one.key for one in records] == sorted(one.key for one in records)
            checked = [one async for one in stub.Verify(pb.VerifyRequest(), metadata=admin)]
            assert [found.what for one in checked for found in one.findings if found.serious] == []
            assert checked[-1].records >= len(records)
            past = await stub.Past(pb.PastRequest(), metadata=guest)
            assert (past.revision, past.oldest) == (0, 1)
            now = clock.SystemClock().now()
            present = await stub.Past(pb.PastRequest(seconds=now), metadata=guest)
            assert present.revision == present.newest
            with pytest.raises(grpc.aio.AioRpcError, match="the oldest time that is kept is"):
                await stub.Past(pb.PastRequest(seconds=now - 3600), metadata=guest)
            await stub.Compact(pb.CompactRequest(), metadata=admin)
            kept = await stub.Past(pb.PastRequest(), metadata=guest)
            assert kept.oldest > past.newest - 5
            with pytest.raises(grpc.aio.AioRpcError, match="is in the future"):
                await stub.Compact(pb.CompactRequest(revision=1_000_000), metadata=admin)

    asyncio.run(asyncio.wait_for(main(), 60))


def test_what_is_encrypted_is_told_of_where_nobody_has_keys() -> None:
    sealed = [
        one._replace(value=b"k8s:enc:secretbox:v1:key1:\x00\xff")
        if one.key in (POD, "/registry/namespaces/default") else one for one in RECORDS
    ]  # fmt: skip
    for keyless in (True, False):
        verifier = Verifier(resources.built_in(), NEWEST, rw.EPOCH, sealed=keyless)
        found = [finding for record in sealed for finding in verifier.take(record)]
        found += verifier.rest()
        assert (POD, "it is encrypted (secretbox), and was not looked into", False) in found or (
            not keyless
        )
        assert any(each.serious for each in found) is not keyless
