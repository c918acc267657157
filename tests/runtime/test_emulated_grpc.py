"""gRPC health checks of emulated servers, and the HTTP that some have at the same port."""

import asyncio
from collections.abc import Awaitable, Callable

import h2.connection
import pytest
from h2.events import ResponseReceived
from hypothesis import given
from hypothesis import strategies as st
from podworld import Node, on_a_node
from webworld import Box, World

from cluster.aio import virtual
from cluster.kubelet.probes import health
from cluster.runtime import grpcserving
from cluster.runtime.emulated import catalog

UNBUILT = "error: this server does not implement the grpc health protocol"


def serve(image: str, check: Callable[[World, Box], Awaitable[None]], *args: str) -> Box:
    kept: list[Box] = []

    async def main() -> None:
        world = World()
        found = catalog.find(image)
        assert found is not None
        kept.append(world.box(found, "3.5.1-0"))
        await kept[0].begin(*args)
        await check(world, kept[0])

    virtual.run(main())
    return kept[0]


async def asked(world: World, box: Box, port: int, service: str = "") -> str:
    """Why a health check fails; "" where it does not."""
    check = health.Check("pod", service, "test")
    stream = await world.client.connect(box.address, port)
    async with asyncio.timeout(10):
        while not check.complete:
            data = check.outgoing()
            if data:
                await stream.send(data)
            got = await stream.receive()
            if not got:
                break
            check.feed(got)
    stream.close()
    return check.failure()


@pytest.mark.parametrize(
    ("args", "port"),
    [
        ((), 2379),
        (("/usr/local/bin/etcd", "--data-dir", "/var/lib/etcd", "--listen-client-urls",
          "http://0.0.0.0:2390", "--log-level", "debug"), 2390),
        (("etcd", "--listen-client-urls=http://[::]:1,http://0.0.0.0:2391/"), 2391),
    ],
)  # fmt: skip
def test_etcd_is_asked_for_its_health_over_both(args: tuple[str, ...], port: int) -> None:
    async def check(world: World, box: Box) -> None:
        assert await asked(world, box, port) == ""
        assert "unknown service" in await asked(world, box, port, "x" * 300)
        got = await world.get(box, "/health", port=port)
        assert got.text == '{"health":"true","reason":""}'

    serve("etcd", check, *args)


def test_the_probe_of_the_documentation_finds_etcd_well() -> None:
    async def story(node: Node) -> None:
        await node.run("etcd", "registry.k8s.io/etcd:3.5.1-0", "/usr/local/bin/etcd",
                       "--data-dir", "/var/lib/etcd", "--listen-client-urls",
                       "http://0.0.0.0:2379", ports=(2379,))  # fmt: skip
        check = health.Check("etcd", "", "kube-probe")
        for output in await node.forward("etcd", 2379, check.outgoing()):
            check.feed(output.data)
        assert check.complete
        assert check.failure() == ""

    on_a_node(story)


def test_agnhost_is_as_healthy_as_it_is_told_to_be() -> None:
    async def check(world: World, box: Box) -> None:
        for page, said in (("", ""), ("/make-not-serving", "NOT_SERVING"), ("/make-serving", "")):
            if page:
                got = await world.get(box, page, port=8080)
                assert (got.status, got.text[-1:]) == (200, "s")
            failure = await asked(world, box, 5001, "liveness")
            assert said in failure
            assert bool(failure) is bool(said)
        assert "unknown service" in await asked(world, box, 5001)
        await asyncio.sleep(30)
        assert "NOT_SERVING" in await asked(world, box, 5001, "liveness")
        assert (await world.get(box, "/", port=8080)).status == 404
        stream = await world.client.connect(box.address, 5001)
        await stream.send(b"GET / HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(1):
            assert await stream.receive() == b""

    box = serve(
        "agnhost", check, "grpc-health-checking", "--port=5001", "--service", "liveness",
        "--delay-unhealthy-sec=30",
    )  # fmt: skip
    assert "gRPC server starting to listen on :5001\n" in box.errors
    assert "Mark as unhealthy\n" in box.errors


@pytest.mark.parametrize(
    ("path", "message", "code", "said"),
    [
        ("/grpc.health.v1.Health/Check", b"", 0, ""),
        ("/grpc.health.v1.Health/Check", b"\n\x01x", 5, "unknown service"),
        ("/grpc.health.v1.Health/Check", b"\n\x05x", 13, "cannot parse"),
        ("/grpc.health.v1.Health/Check", b"\n\xff\xff\xff\xff", 13, "cannot parse"),
        ("/grpc.health.v1.Health/Watch", b"", 12, "unimplemented"),
        ("/etcdserverpb.KV/Range", b"x", 12, "unknown method Range for service etcdserverpb.KV"),
        ("nonsense", b"", 12, "malformed method name"),
    ],
)
def test_a_call_is_answered(path: str, message: bytes, code: int, said: str) -> None:
    service = grpcserving.Health(lambda name: None if name else grpcserving.SERVING)
    told = service.call(path, message)
    assert told.code == code
    assert said in told.message
    assert told.body == (b"" if code else b"\x08\x01")


@given(st.text(max_size=3000))
def test_a_name_of_any_length_is_read(name: str) -> None:
    heard: list[str] = []
    check = health.Check("pod", name, "test")
    http = grpcserving.Http2(grpcserving.Health(lambda one: heard.append(one) or 1))
    while not check.complete:
        answer = http.receive(check.outgoing())
        assert answer
        check.feed(answer)
    assert (heard, check.failure()) == ([name], "")


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_whatever_comes_after_the_preface_is_no_fault(pieces: list[bytes]) -> None:
    http = grpcserving.Http2(grpcserving.Health(lambda _name: 1))
    http.receive(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    for piece in pieces:
        if not http.closed:
            http.receive(piece)


def test_a_message_that_is_too_long_is_refused() -> None:
    client = h2.connection.H2Connection()
    client.initiate_connection()
    headers = {":method": "POST", ":scheme": "http", ":authority": "a", ":path": "/a/b",
               "content-type": "application/grpc"}  # fmt: skip
    client.send_headers(1, list(headers.items()))
    for part in range(4):
        client.send_data(1, b"x" * 16000, end_stream=part == 3)
    http = grpcserving.Http2(grpcserving.Health(lambda _name: 1))
    events = client.receive_data(http.receive(client.data_to_send()))
    told = [dict(one.headers or ()) for one in events if isinstance(one, ResponseReceived)]
    assert told[0][b"grpc-message"] == b"grpc: received message larger than max"
