"""The kubelet's server over gRPC with mutual TLS: whom it serves, and how errors come back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest

from cluster.aio import rpc, tasks
from cluster.aio.grpcserver import ServerTls
from cluster.api import errors
from cluster.client import channel, grpc_transport
from cluster.kubelet.serving.server import CLIENT, Server, Serving
from cluster.launcher import pki
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.pb.cluster.v1 import kubelet_pb2_grpc

NOW = 1_790_000_000.0


class Service:
    """Stands for the service: its errors, and an echo."""

    async def logs(self, request: pb.LogsRequest) -> AsyncIterator[pb.LogsResponse]:
        if request.previous:
            raise errors.BadRequest("no previous one")
        yield pb.LogsResponse(data=b"one\n")

    async def exec(self, inputs: AsyncIterator[pb.StreamInput]) -> AsyncIterator[pb.StreamOutput]:
        async for one in inputs:
            if one.stdin == b"fail":
                raise rpc.Failure("UNKNOWN", "the runtime says no")
            if one.stdin == b"fault":
                raise KeyError("x")
            yield pb.StreamOutput(stdout=one.stdin)

    async def page(self, request: pb.PageRequest) -> pb.PageResponse:
        return pb.PageResponse(status=200, body=request.path.encode())


@pytest.fixture(scope="module")
def authority() -> pki.Authority:
    import time

    return pki.Authority.create(time.time())  # noqa: TID251


def served(
    authority: pki.Authority, subject: pki.Subject | None, story: Callable[[Any], Awaitable[None]]
) -> None:
    """Run `story` on a stub of a client with a certificate of `subject`."""
    import time

    now = time.time()  # noqa: TID251

    async def main() -> None:
        pair = authority.serving("kubelet", ["127.0.0.1"], now)
        tls = ServerTls(pair.certificate, pair.key, authority.pem)
        server = Server(Serving("127.0.0.1:0", tls), Service())  # type: ignore[arg-type]
        port = server.listen()
        async with tasks.Group("test") as group:
            group.spawn(server.run(), "server")
            shown = channel.ChannelTls(authority.pem)
            if subject is not None:
                client = authority.client(subject, now)
                shown = channel.ChannelTls(authority.pem, client.certificate, client.key)
            async with channel.connect([f"127.0.0.1:{port}"], shown) as opened:
                async with asyncio.timeout(20):
                    await story(kubelet_pb2_grpc.KubeletStub(opened))
            group.cancel()

    asyncio.run(main())


ALLOWED = [pki.Subject(CLIENT), pki.Subject("admin", ("system:masters",))]
REFUSED = [
    pki.Subject("system:node:node-1", ("system:nodes",)),
    pki.Subject("system:kube-scheduler"),
    pki.Subject("anyone", ("system:mastersx",)),
]


@pytest.mark.parametrize("subject", ALLOWED, ids=lambda one: one.user)
def test_the_api_server_and_masters_are_served(authority, subject) -> None:  # type: ignore[no-untyped-def]
    async def story(stub: Any) -> None:
        assert (await stub.Page(pb.PageRequest(path="/x"))).body == b"/x"
        assert [one.data async for one in stub.Logs(pb.LogsRequest())] == [b"one\n"]

    served(authority, subject, story)


@pytest.mark.parametrize("subject", REFUSED, ids=lambda one: one.user)
def test_other_certificates_of_the_cluster_are_forbidden(authority, subject) -> None:  # type: ignore[no-untyped-def]
    async def story(stub: Any) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as page:
            await stub.Page(pb.PageRequest(path="/pods"))
        assert isinstance(grpc_transport.status_error(page.value), errors.Forbidden)
        with pytest.raises(grpc.aio.AioRpcError) as command:
            async for _ in stub.Exec(iter([pb.StreamInput(stdin=b"x")])):
                pass
        assert command.value.code() is grpc.StatusCode.PERMISSION_DENIED

    served(authority, subject, story)


def test_a_stranger_does_not_get_through_tls(authority) -> None:  # type: ignore[no-untyped-def]
    async def story(stub: Any) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Page(pb.PageRequest(path="/healthz"), timeout=5)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE

    served(authority, None, story)
    import time

    other = pki.Authority.create(time.time())  # noqa: TID251

    class Mixed:
        pem = authority.pem

        def serving(self, *args: Any) -> pki.Pair:
            return authority.serving(*args)

        def client(self, *args: Any) -> pki.Pair:
            return other.client(*args)

    served(Mixed(), pki.Subject(CLIENT), story)  # type: ignore[arg-type]


def test_errors_come_back_as_statuses(authority) -> None:  # type: ignore[no-untyped-def]
    async def story(stub: Any) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as bad:
            async for _ in stub.Logs(pb.LogsRequest(previous=True)):
                pass
        error = grpc_transport.status_error(bad.value)
        assert isinstance(error, errors.BadRequest)
        assert error.message == "no previous one"
        for said, expected in ((b"fail", "the runtime says no"), (b"fault", "'x'")):
            outputs = stub.Exec(iter([pb.StreamInput(stdin=b"a"), pb.StreamInput(stdin=said)]))
            assert (await anext(aiter(outputs))).stdout == b"a"
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await anext(aiter(outputs))
            found = grpc_transport.status_error(failed.value)
            assert isinstance(found, errors.InternalError)
            assert expected in found.message

    served(authority, pki.Subject(CLIENT), story)
