"""Kubelets over real gRPC: reached, reused, let go, and missed in plain words."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from fake_kubelet import FakeKubelet

from cluster.aio import rpc
from cluster.aio.grpcserver import GrpcServer
from cluster.api import errors
from cluster.apiserver.kubelets import grpc_kubelets, location
from cluster.apiserver.kubelets.grpc_kubelets import GrpcConnector
from cluster.apiserver.kubelets.protocol import Unreachable
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.pb.cluster.v1 import kubelet_pb2_grpc


class Servicer:
    """Serves a fake kubelet under the names of the RPCs; refuses as the proto says."""

    def __init__(self, kubelet: FakeKubelet) -> None:
        self._kubelet = kubelet

    async def Logs(self, request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            async for answer in self._kubelet.logs(request):
                yield answer
        except errors.StatusError as error:
            status = b'{"message":"%b","reason":"BadRequest","code":400}' % error.message.encode()
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no", (("status-bin", status),))

    async def Exec(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async for answer in self._kubelet.exec(requests):
            yield answer

    async def Attach(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async for answer in self._kubelet.attach(requests):
            yield answer

    async def PortForward(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async for answer in self._kubelet.port_forward(requests):
            yield answer

    async def Page(self, request: Any, context: Any) -> Any:
        return await self._kubelet.page(request)


def node(port: int, *addresses: tuple[str, str]) -> dict[str, Any]:
    shown = addresses or (("InternalIP", "127.0.0.1"),)
    return {
        "metadata": {"name": "n1"},
        "status": {
            "addresses": [{"type": kind, "address": address} for kind, address in shown],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        },
    }


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[tuple[FakeKubelet, int]]:
    kubelet, server = FakeKubelet(), GrpcServer(grace=0)
    register = kubelet_pb2_grpc.add_KubeletServicer_to_server
    server.add("cluster.v1.Kubelet", register, Servicer(kubelet))
    port = server.listen("127.0.0.1:0")
    async with server:
        yield kubelet, port


def run(story: Any) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20):
            await story()

    asyncio.run(whole())


async def inputs(*items: Any) -> AsyncIterator[Any]:
    for item in items:
        yield item


def test_every_call_goes_across() -> None:
    async def story() -> None:
        async with serving() as (fake, port), GrpcConnector() as connector:
            async with connector.kubelet(node(port)) as kubelet:
                log = [each.data async for each in kubelet.logs(pb.LogsRequest())]
                assert log == [b"one\n", b"two\n"]
                start = pb.StreamInput(start=pb.StreamStart(command=["echo", "x"]))
                said = [each async for each in kubelet.exec(inputs(start))]
                assert (said[0].stdout, said[1].exit.code) == (b"x\n", 0)
                begun = pb.PortForwardInput(start=pb.PortForwardStart(port=80))
                sent = inputs(begun, pb.PortForwardInput(data=b"y"))
                got = [each.data async for each in kubelet.port_forward(sent)]
                assert got == [b"", b"y", b""]
                page = await kubelet.page(pb.PageRequest(path="/healthz"))
                assert page.body == b"ok"
            assert fake.pages[0].path == "/healthz"

    run(story)


def test_the_status_of_a_refusal_comes_across() -> None:
    async def story() -> None:
        async with serving() as (fake, port), GrpcConnector() as connector:
            fake.refusal = errors.BadRequest("container is waiting to start")
            async with connector.kubelet(node(port)) as kubelet:
                with pytest.raises(errors.BadRequest, match="container is waiting to start"):
                    await anext(kubelet.logs(pb.LogsRequest()))

    run(story)


COMMAND = pb.StreamInput(start=pb.StreamStart(command=["cat"], stdin=True))


@pytest.mark.parametrize(
    ("called", "inputs"),
    [
        ("exec", [COMMAND, pb.StreamInput(stdin=b"x")]),
        ("attach", [COMMAND, pb.StreamInput(stdin=b"x")]),
        ("port_forward", [pb.PortForwardInput(start=pb.PortForwardStart(port=80))]),
    ],
)
def test_a_kubelet_that_stops_during_a_stream_is_told_of_in_words(
    called: str, inputs: list[Any]
) -> None:
    async def story() -> None:
        async with GrpcConnector() as connector, contextlib.AsyncExitStack() as stack:
            async with serving() as (_, port):
                kubelet = await stack.enter_async_context(connector.kubelet(node(port)))
                answers = getattr(kubelet, called)(endless(*inputs))
                await anext(answers)
            with pytest.raises(rpc.Failure, match="the connection to the kubelet was lost"):
                await anext(answers)

    run(story)


async def endless(*items: Any) -> AsyncIterator[Any]:
    for item in items:
        yield item
    await asyncio.Event().wait()


def test_leaving_a_call_early_ends_it_over_there() -> None:
    async def story() -> None:
        async with (
            serving() as (fake, port),
            GrpcConnector() as connector,
            connector.kubelet(node(port)) as kubelet,
        ):
            log: Any = kubelet.logs(pb.LogsRequest(follow=True))
            await anext(log)
            await log.aclose()
            await fake.idle.wait()

    run(story)


def test_a_channel_is_kept_for_the_next_and_closed_when_nobody_comes() -> None:
    async def story() -> None:
        async with serving() as (_, port), GrpcConnector(idle_seconds=0.05) as connector:
            async with connector.kubelet(node(port)):
                (first,) = connector._links.values()
            async with connector.kubelet(node(port)):
                assert list(connector._links.values()) == [first]
            while connector._links:
                await asyncio.sleep(0.01)
            async with connector.kubelet(node(port)) as kubelet:
                assert (await kubelet.page(pb.PageRequest())).status == 200

    run(story)


def test_channels_that_nobody_uses_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_kubelets, "MAX_IDLE", 1)

    async def story() -> None:
        async with serving() as (_, one), serving() as (_, two), GrpcConnector() as connector:
            for port in (one, two):
                async with connector.kubelet(node(port)):
                    pass
            assert list(connector._links) == [f"127.0.0.1:{two}"]

    run(story)


def test_nobody_listens() -> None:
    async def story() -> None:
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            port = held.getsockname()[1]
            async with GrpcConnector() as connector:
                with pytest.raises(Unreachable) as caught:
                    async with connector.kubelet(node(port)):
                        pytest.fail("nobody listens there")
        expected = f"dial tcp 127.0.0.1:{port}: connect: connection refused"
        assert str(caught.value) == expected

    run(story)


def test_who_listens_and_says_nothing_is_left() -> None:
    async def story() -> None:
        with socket.create_server(("127.0.0.1", 0)) as mute:
            port = mute.getsockname()[1]
            async with GrpcConnector(connect_seconds=0.2) as connector:
                with pytest.raises(Unreachable, match=f"dial tcp 127.0.0.1:{port}: i/o timeout"):
                    async with connector.kubelet(node(port)):
                        pytest.fail("nobody speaks gRPC there")

    run(story)


async def asked(connector: GrpcConnector, port: int) -> None:
    async with connector.kubelet(node(port)) as kubelet:
        await kubelet.page(pb.PageRequest())


def test_a_kubelet_that_comes_back_is_found_again() -> None:
    async def story() -> None:
        async with GrpcConnector() as connector:
            async with serving() as (_, port), connector.kubelet(node(port)):
                pass
            # The channel may not have heard of it yet; then the call does.
            with pytest.raises((Unreachable, errors.ServiceUnavailable)):
                await asked(connector, port)
            server = GrpcServer(grace=0)
            register = kubelet_pb2_grpc.add_KubeletServicer_to_server
            server.add("cluster.v1.Kubelet", register, Servicer(FakeKubelet()))
            server.listen(f"127.0.0.1:{port}")
            async with server, connector.kubelet(node(port)) as kubelet:
                assert (await kubelet.page(pb.PageRequest())).status == 200

    run(story)


ADDRESSES = [
    (((("InternalIP", "10.0.0.1")),), location.PREFERRED, "10.0.0.1:1"),
    ((("Hostname", "n1"), ("InternalIP", "10.0.0.1")), location.PREFERRED, "10.0.0.1:1"),
    ((("Hostname", "n1"), ("InternalIP", "10.0.0.1")), ("Hostname",), "n1:1"),
    ((("InternalIP", "fd00::1"),), location.PREFERRED, "[fd00::1]:1"),
]


@pytest.mark.parametrize(("addresses", "preferred", "wanted"), ADDRESSES)
def test_which_address_is_taken(
    addresses: tuple[tuple[str, str], ...], preferred: tuple[str, ...], wanted: str
) -> None:
    assert location.address(node(1, *addresses), preferred) == wanted


def test_a_hollow_node_says_where_its_kubelet_is() -> None:
    hollow = node(7, ("InternalIP", "10.128.0.1"))
    hollow["metadata"]["annotations"] = {"kubemu.dev/kubelet-address": "127.0.0.1"}
    assert location.address(hollow) == "127.0.0.1:7"


def test_a_node_without_an_address() -> None:
    with pytest.raises(errors.InternalError, match="no preferred addresses found"):
        location.address({"metadata": {"name": "n"}, "status": {}})
