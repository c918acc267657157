"""The gRPC seam against a real server on mutual TLS."""

import asyncio
import datetime
import json
import socket

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from cluster.aio import grpcserver
from cluster.api import errors
from cluster.api.operations import Operation, Verb
from cluster.client import channel
from cluster.client.grpc_transport import GrpcTransport
from cluster.client.transport import Raw, RawEvent
from cluster.pb.cluster.v1 import resources_pb2 as pb
from cluster.pb.cluster.v1 import resources_pb2_grpc as pb_grpc

SERVICE = "cluster.v1.Resources"


def _pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


class Authority:
    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test CA")])
        self.certificate = self._sign(self.name, self.key.public_key(), ca=True)

    def _sign(self, subject, public, *, ca=False):
        start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        built = x509.CertificateBuilder(
            issuer_name=self.name,
            subject_name=subject,
            public_key=public,
            serial_number=x509.random_serial_number(),
            not_valid_before=start,
            not_valid_after=start + datetime.timedelta(days=36500),
        ).add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        if not ca:
            names = x509.SubjectAlternativeName([x509.DNSName("apiserver")])
            built = built.add_extension(names, critical=False)
        signed = built.sign(self.key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)

    def issue(self, name):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        return self._sign(subject, key.public_key()), _pem(key)


class Servicer(pb_grpc.ResourcesServicer):
    """Answers as an apiserver does on the wire."""

    def __init__(self):
        self.users = []
        self.written = []

    async def Get(self, request, context):
        auth = context.auth_context()
        self.users += auth.get("x509_common_name", [])
        if request.name == "broken":
            await context.abort(grpc.StatusCode.UNAVAILABLE, "shutting down")
        if request.name != "web":
            status = errors.not_found(request.resource, request.name).status()
            body = json.dumps(status).encode()
            await context.abort(grpc.StatusCode.NOT_FOUND, "x", (("status-bin", body),))
        return pb.GetResponse(object=pb.Object(json=b'{"a":1}', revision=7))

    async def List(self, request, context):
        yield pb.ListResponse(items=[pb.Object(json=b"1", revision=1)], revision=9)
        last = pb.ListResponse(items=[pb.Object(json=b"2", revision=2)], revision=9)
        setattr(last, "continue", f"after-{getattr(request, 'continue')}")
        yield last

    async def Watch(self, request, context):
        added = pb.Event(type=pb.Event.ADDED, json=b"{}", revision=request.revision + 1)
        yield pb.WatchResponse(events=[added])
        yield pb.WatchResponse(events=[pb.Event(type=pb.Event.BOOKMARK, revision=50)])
        status = json.dumps(errors.expired().status()).encode()
        await context.abort(grpc.StatusCode.OUT_OF_RANGE, "x", (("status-bin", status),))

    async def Write(self, request, context):
        self.written += request.operations
        refused = errors.already_exists("pods", "b").status()
        return pb.WriteResponse(
            results=[
                pb.Result(object=pb.Object(json=b"{}", revision=3)),
                pb.Result(status=json.dumps(refused).encode()),
                pb.Result(done=pb.Done()),
            ]
        )


@pytest.fixture(scope="module")
def authority():
    return Authority()


def _server(authority, servicer):
    certificate, key = authority.issue("apiserver")
    tls = grpcserver.ServerTls(certificate, key, client_ca=authority.certificate)
    server = grpcserver.GrpcServer(tls=tls, grace=0.2)
    server.add(SERVICE, pb_grpc.add_ResourcesServicer_to_server, servicer)
    return server


def _tls(authority):
    certificate, key = authority.issue("system:kube-scheduler")
    return channel.ChannelTls(authority.certificate, certificate, key, server_name="apiserver")


def _with_server(authority, scenario):
    async def main():
        servicer = Servicer()
        server = _server(authority, servicer)
        port = server.listen("127.0.0.1:0")
        async with asyncio.timeout(20), server:
            await server.set_serving(True)
            connection = channel.connect([f"127.0.0.1:{port}"], _tls(authority))
            async with connection:
                await scenario(connection, servicer)

    asyncio.run(main())


def test_reads_cross_mutual_tls_with_the_clients_identity(authority):
    async def scenario(connection, servicer):
        transport = GrpcTransport(connection)
        assert await transport.get("pods", "default", "web") == Raw(b'{"a":1}', 7)
        assert servicer.users == [b"system:kube-scheduler"]
        page = await transport.list("pods", "", labels="", fields="", limit=1, token="x")
        assert page.items == [Raw(b"1", 1), Raw(b"2", 2)]
        assert (page.revision, page.token) == (9, "after-x")

    _with_server(authority, scenario)


def test_a_status_in_the_trailing_metadata_becomes_its_error(authority):
    async def scenario(connection, servicer):
        transport = GrpcTransport(connection)
        with pytest.raises(errors.NotFound) as caught:
            await transport.get("pods", "default", "gone")
        assert caught.value.message == 'pods "gone" not found'
        assert caught.value.details == {"name": "gone", "kind": "pods"}

    _with_server(authority, scenario)


def test_an_unavailable_server_is_service_unavailable(authority):
    async def scenario(connection, servicer):
        with pytest.raises(errors.ServiceUnavailable, match="shutting down"):
            await GrpcTransport(connection).get("pods", "default", "broken")

    _with_server(authority, scenario)


def test_a_watch_gives_batches_then_its_error(authority):
    async def scenario(connection, servicer):
        seen = []
        stream = GrpcTransport(connection).watch("pods", "", revision=4, labels="", fields="")

        async def read():
            async for batch in stream:
                seen.extend(batch)

        with pytest.raises(errors.Expired):
            await read()
        assert seen == [RawEvent("ADDED", b"{}", 5), RawEvent("BOOKMARK", b"", 50)]

    _with_server(authority, scenario)


def test_each_operation_of_a_batch_has_its_own_outcome(authority):
    async def scenario(connection, servicer):
        first = Operation(
            Verb.PATCH, "pods", "ns", "a", "status", b"{}", "p", 12, True, "me", "Strict"
        )
        last = Operation(Verb.DELETE, "pods", "ns", "c", want_object=False)
        outcomes = await GrpcTransport(connection).write([first, first, last])
        assert outcomes[0] == Raw(b"{}", 3)
        assert isinstance(outcomes[1], errors.AlreadyExists)
        assert outcomes[2] is None
        sent = servicer.written[0]
        assert (sent.verb, sent.subresource, sent.cause) == (pb.Operation.PATCH, "status", 12)
        assert (sent.dry_run, sent.field_manager, sent.field_validation) == (True, "me", "Strict")
        assert not sent.omit_object
        assert servicer.written[2].omit_object

    _with_server(authority, scenario)


def test_health_and_reflection_are_served(authority):
    async def scenario(connection, servicer):
        check = health_pb2_grpc.HealthStub(connection).Check
        for name in ("", SERVICE):
            answer = await check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        ask = reflection_pb2_grpc.ServerReflectionStub(connection).ServerReflectionInfo
        requests = [reflection_pb2.ServerReflectionRequest(list_services="")]
        names = []
        async for answer in ask(requests):
            names += [service.name for service in answer.list_services_response.service]
        assert SERVICE in names
        assert "grpc.health.v1.Health" in names

    _with_server(authority, scenario)


def test_a_client_without_certificate_is_not_let_in(authority):
    async def main():
        server = _server(authority, Servicer())
        port = server.listen("127.0.0.1:0")
        tls = channel.ChannelTls(authority.certificate, server_name="apiserver")
        async with server, channel.connect([f"127.0.0.1:{port}"], tls) as connection:
            with pytest.raises((errors.Timeout, errors.ServiceUnavailable)):
                await GrpcTransport(connection, deadline=0.5).get("pods", "", "web")

    asyncio.run(main())


def test_calls_wait_for_a_server_that_starts_late(authority, tmp_path):
    async def main():
        address = f"unix:{tmp_path}/api.sock"
        async with asyncio.timeout(20), channel.connect([address]) as connection:
            waiting = asyncio.get_running_loop().create_task(
                GrpcTransport(connection).get("pods", "", "web")
            )
            connection.get_state(try_to_connect=True)
            await connection.wait_for_state_change(grpc.ChannelConnectivity.IDLE)
            server = grpcserver.GrpcServer(grace=0.1)
            server.add(SERVICE, pb_grpc.add_ResourcesServicer_to_server, Servicer())
            server.listen(address)
            async with server:
                assert (await waiting).revision == 7

    asyncio.run(main())


def test_a_busy_process_beside_has_time_to_answer_a_connection_and_a_dead_one_has_not(tmp_path):
    path = tmp_path / "mute.sock"

    async def asked():
        async with channel.connect([f"unix:{path}"]) as connection:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await connection.unary_unary("/a/B")(b"", timeout=0.5)
        return caught.value.code()

    async def main():
        with socket.socket(socket.AF_UNIX) as mute:
            mute.bind(str(path))
            mute.listen()
            assert await asked() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert await asked() is grpc.StatusCode.UNAVAILABLE

    asyncio.run(main())


def test_the_second_server_of_an_address_is_refused(authority):
    async def main():
        first, second = grpcserver.GrpcServer(), grpcserver.GrpcServer()
        port = first.listen("127.0.0.1:0")
        async with first:
            with pytest.raises(grpcserver.AddressInUse, match=f"127.0.0.1:{port}"):
                second.listen(f"127.0.0.1:{port}")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("addresses", "sentence"),
    [
        ([], "needs the address"),
        (["10.0.0.1:1", "apiserver:1"], "'apiserver:1' is not an IP address"),
        (["10.0.0.1:1", "10.0.0.2"], "'10.0.0.2' is not an IP address with a port"),
        (["10.0.0.1:1", "[::1]:1"], "all IPv4 or all IPv6"),
    ],
)
def test_bad_addresses_are_named(addresses, sentence):
    with pytest.raises(ValueError, match=sentence):
        channel.connect(addresses)


def test_the_second_address_is_tried_when_the_first_is_dead(authority):
    async def main():
        dead = grpcserver.GrpcServer()
        gone = dead.listen("127.0.0.1:0")
        async with dead:
            pass
        server = _server(authority, Servicer())
        port = server.listen("127.0.0.1:0")
        addresses = [f"127.0.0.1:{gone}", f"127.0.0.1:{port}"]
        async with (
            asyncio.timeout(20),
            server,
            channel.connect(addresses, _tls(authority)) as connection,
        ):
            assert (await GrpcTransport(connection).get("pods", "", "web")).revision == 7

    asyncio.run(main())


def test_a_server_that_comes_back_is_met_again_within_seconds(authority):
    async def main():
        first = _server(authority, Servicer())
        port = first.listen("127.0.0.1:0")
        async with channel.connect([f"127.0.0.1:{port}"], _tls(authority)) as connection:
            transport = GrpcTransport(connection, deadline=10)
            async with first:
                assert (await transport.get("pods", "", "web")).revision == 7
            waiting = asyncio.get_running_loop().create_task(transport.get("pods", "", "web"))
            second = _server(authority, Servicer())
            second.listen(f"127.0.0.1:{port}")
            async with second, asyncio.timeout(5):
                assert (await waiting).revision == 7

    asyncio.run(main())
