"""The gRPC face over a real loopback port: what it answers, and to whom."""

import asyncio
import random
from contextlib import asynccontextmanager

import grpc
import msgspec
import pytest
import registry_world as rw
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cluster.aio import clock, grpcserver, tasks
from cluster.api import errors, identity
from cluster.api.operations import Operation, Verb
from cluster.apiserver import wire
from cluster.apiserver.component import ApiServer
from cluster.apiserver.config import Config
from cluster.apiserver.pages import Page
from cluster.apiserver.watchcache.entry import Entry, Shape
from cluster.apiserver.watchcache.events import Event
from cluster.client import channel
from cluster.client.grpc_transport import GrpcTransport
from cluster.launcher import pki
from cluster.pb.cluster.v1 import resources_pb2 as pb
from cluster.pb.cluster.v1 import resources_pb2_grpc as pb_grpc
from cluster.storage.memory import MemoryStorage

NOW = clock.SystemClock().now()
TOKENS = {"secret": identity.User("visitor", ("guests",))}


@asynccontextmanager
async def serving(**settings):
    config = Config(port=0, grpc_address="127.0.0.1:0", tokens=TOKENS, **settings)
    server = ApiServer(
        config, storage=MemoryStorage(), clock=clock.SystemClock(), random=random.Random(1)
    )
    async with tasks.Group("test") as group:
        task = group.spawn(server.run(), "apiserver")
        async with asyncio.timeout(20):
            await server.ready.wait()
        try:
            yield server, group
        finally:
            task.cancel()


@asynccontextmanager
async def stub_of(server):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as wire_channel:
        yield pb_grpc.ResourcesStub(wire_channel)


BEARER = (("authorization", "Bearer secret"),)


def run(main):
    asyncio.run(asyncio.wait_for(main(), 60))


def create(name, size=1):
    body = msgspec.json.encode(rw.config_map(name, k="v" * size))
    return Operation(Verb.CREATE, "configmaps", "default", name, body=body)


def test_the_client_seam_works_over_mutual_tls():
    authority = pki.Authority.create(NOW)
    serving_pair = authority.serving("kube-apiserver", ["127.0.0.1"], NOW)
    subject = pki.Subject("system:kube-scheduler", ("system:masters",))
    own = authority.client(subject, NOW)
    ca = authority.pem
    tls = grpcserver.ServerTls(serving_pair.certificate, serving_pair.key, ca)

    async def main():
        async with serving(grpc_tls=tls) as (server, _):
            address = f"127.0.0.1:{server.grpc_port}"
            connected = channel.connect([address], channel.ChannelTls(ca, own.certificate, own.key))
            async with connected:
                await drive(GrpcTransport(connected), server)
            facts = server.registry.ledger.of("configmaps", "default/a")
            assert {fact.actor for fact in facts} == {"system:kube-scheduler"}
            stranger = pki.Authority.create(NOW, "other").client(subject, NOW)
            connected = channel.connect(
                [address], channel.ChannelTls(ca, stranger.certificate, stranger.key)
            )
            async with connected:
                transport = GrpcTransport(connected, deadline=0.5)
                with pytest.raises((errors.Timeout, errors.ServiceUnavailable)):
                    await transport.get("services", "default", "kubernetes")

    run(main)


async def drive(transport, server):
    revision = server.registry.revision
    services = msgspec.json.decode(await transport.read("/api/v1/namespaces/default/services"))
    assert [item["metadata"]["name"] for item in services["items"]] == ["kubernetes"]
    with pytest.raises(errors.NotFound):
        await transport.read("/api/v1/namespaces/default/nothings")
    stream = transport.watch("configmaps", "", revision=revision, labels="", fields="")
    results = await transport.write(
        [
            create("a"),
            create("a"),
            Operation(Verb.DELETE, "configmaps", "default", "none"),
            Operation(Verb.DELETE, "configmaps", "default", "a", want_object=False),
        ]
    )
    assert results[0].revision == revision + 1
    assert isinstance(results[1], errors.AlreadyExists)
    assert results[2].details == {"name": "none", "kind": "configmaps"}
    assert results[3] is None
    seen = []
    async for events in stream:
        seen += [(event.type, event.revision) for event in events]
        if len(seen) == 2:
            break
    await stream.aclose()
    assert seen == [("ADDED", revision + 1), ("DELETED", revision + 2)]
    raw = await transport.get("services", "default", "kubernetes")
    assert msgspec.json.decode(raw.json)["spec"]["clusterIP"] == "10.96.0.1"


def test_a_failed_call_carries_its_status():
    async def main():
        async with serving() as (server, _group), stub_of(server) as stub:
            request = pb.GetRequest(resource="pods", namespace="default", name="web")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Get(request, metadata=BEARER)
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND
            status = msgspec.json.decode(dict(caught.value.trailing_metadata())["status-bin"])
            assert (status["reason"], status["code"]) == ("NotFound", 404)
            for metadata in ((), (("authorization", "Bearer wrong"),)):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stub.Get(request, metadata=metadata)
                assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
            old = pb.WatchRequest(resource="pods", revision=-1)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Watch(old, metadata=BEARER).read()
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            bad = pb.WriteRequest(operations=[pb.Operation(resource="pods")])
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Write(bad, metadata=BEARER)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT

    run(main)


def test_who_may_not_is_refused_each_operation_by_itself():
    async def main():
        async with serving(authorization=("RBAC",)) as (server, _group), stub_of(server) as stub:
            for call in (
                stub.Get(
                    pb.GetRequest(resource="pods", namespace="default", name="web"), metadata=BEARER
                ),
                stub.List(pb.ListRequest(resource="pods"), metadata=BEARER).read(),
                stub.Watch(pb.WatchRequest(resource="pods"), metadata=BEARER).read(),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call
                assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
            review = "selfsubjectreviews.authentication.k8s.io"
            batch = [
                pb.Operation(verb="CREATE", resource=review, body=b"{}"),
                pb.Operation(verb="DELETE", resource="pods", namespace="default", name="web"),
            ]
            answer = await stub.Write(pb.WriteRequest(operations=batch), metadata=BEARER)
            allowed, refused = answer.results
            told = msgspec.json.decode(allowed.object.json)["status"]["userInfo"]
            assert told == {"username": "visitor", "groups": ["guests", "system:authenticated"]}
            assert msgspec.json.decode(refused.status)["message"] == (
                'pods "web" is forbidden: User "visitor" cannot delete resource "pods" in API '
                'group "" in the namespace "default"'
            )

    run(main)


def test_lists_come_in_chunks_of_one_revision():
    async def main():
        async with serving() as (server, _group), stub_of(server) as stub:
            await server.registry.write([create(f"c{n}", 300_000) for n in range(8)], rw.USER)
            stream = stub.List(pb.ListRequest(resource="configmaps"), metadata=BEARER)
            chunks = [chunk async for chunk in stream]
            assert len(chunks) > 1
            assert all(chunk.ByteSize() < 1 << 20 for chunk in chunks)
            assert {chunk.revision for chunk in chunks} == {server.registry.revision}
            assert sum(len(chunk.items) for chunk in chunks) == 8
            empty = [c async for c in stub.List(pb.ListRequest(resource="pods"), metadata=BEARER)]
            assert [(len(c.items), c.revision) for c in empty] == [(0, server.registry.revision)]

    run(main)


def test_a_server_that_stops_ends_its_watches_at_once():
    async def main():
        loop = asyncio.get_running_loop()
        async with serving() as (server, group):
            connected = grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}")
            stub = pb_grpc.ResourcesStub(connected)
            call = stub.Watch(pb.WatchRequest(resource="pods", revision=1), metadata=BEARER)
            reading = group.spawn(call.read(), "watch")
            while not server.registry.cache.of("pods").watchers:
                await asyncio.sleep(0.01)
            stopping = loop.time()
        assert loop.time() - stopping < 1.5
        assert await reading is grpc.aio.EOF
        await connected.close()

    run(main)


def test_a_watch_is_forgotten_when_its_client_leaves():
    async def main():
        async with serving() as (server, group), stub_of(server) as stub:
            call = stub.Watch(pb.WatchRequest(resource="pods", revision=1), metadata=BEARER)
            cache = server.registry.cache.of("pods")
            reading = group.spawn(call.read(), "watch")
            while not cache.watchers:
                await asyncio.sleep(0.01)
            call.cancel()
            async with asyncio.timeout(20):
                while cache.watchers:
                    await asyncio.sleep(0.01)
            await asyncio.gather(reading, return_exceptions=True)

    run(main)


def test_health_says_serving():
    async def main():
        async with (
            serving() as (server, _group),
            grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as wire_channel,
        ):
            stub = health_pb2_grpc.HealthStub(wire_channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest())
            assert answer.status == health_pb2.HealthCheckResponse.SERVING

    run(main)


ROW = Shape("configmaps", None)


def entry(name, size, revision):
    return Entry(ROW, f"/registry/configmaps/default/{name}", b"x" * size, revision, 1)


@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 20_000])
@pytest.mark.parametrize("revision", [1, 127, 128, 1 << 40])
def test_hand_written_messages_read_as_protobuf(size, revision):
    one = entry("a", size, revision)
    response = pb.GetResponse.FromString(wire.get_response(one))
    assert (response.object.json, response.object.revision) == (one.json, revision)
    events = [
        Event("ADDED", one.json, revision), Event("MODIFIED", one.json, revision),
        Event("DELETED", one.json, revision), Event("BOOKMARK", b"", revision),
    ]  # fmt: skip
    watched = pb.WatchResponse.FromString(wire.watch_response(events))
    assert [(e.type, e.json, e.revision) for e in watched.events] == [
        (number, event.json, revision) for number, event in enumerate(events, 1)
    ]
    failure = errors.not_found("pods", "web")
    written = pb.WriteResponse.FromString(wire.write_response([one, None, failure]))
    assert [result.WhichOneof("outcome") for result in written.results] == [
        "object", "done", "status",
    ]  # fmt: skip
    assert written.results[0].object.json == one.json
    assert msgspec.json.decode(written.results[2].status) == failure.status()
    (page,) = wire.list_responses(Page([one, one], revision, "next"))
    listed = pb.ListResponse.FromString(page)
    assert [item.json for item in listed.items] == [one.json, one.json]
    assert (listed.revision, getattr(listed, "continue")) == (revision, "next")
