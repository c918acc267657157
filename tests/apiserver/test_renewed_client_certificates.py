"""The API server as a client: of kubelets, and of webhooks and extension servers. What it shows to
them is exchanged in its files, and it goes on without a restart.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Any

import click
import pytest
from aiohttp import web
from click.testing import CliRunner
from registry_world import world

from cluster.aio import clock
from cluster.aio.grpcserver import GrpcServer, ServerTls
from cluster.apiserver.kubelets.grpc_kubelets import GrpcConnector
from cluster.apiserver.kubelets.protocol import Nowhere
from cluster.apiserver.outbound.caller import HttpCaller
from cluster.apiserver.outbound.protocol import Outgoing
from cluster.cli import kubeletflags
from cluster.launcher import pki
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.pb.cluster.v1 import kubelet_pb2_grpc

NOW = clock.SystemClock().now()
AUTHORITY = pki.Authority.create(NOW)


class Files:
    """A client certificate in two files, and who signed the servers' in a third."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.key = folder / "client.crt", folder / "client.key"
        self.authority = folder / "ca.crt"
        self.authority.write_bytes(AUTHORITY.pem)
        self.show("first")

    def show(self, name: str) -> None:
        pair = AUTHORITY.client(pki.Subject(name), NOW)
        self.certificate.write_bytes(pair.certificate)
        self.key.write_bytes(pair.key)

    def half(self) -> None:
        """Another certificate, whose key is still on its way."""
        self.certificate.write_bytes(AUTHORITY.client(pki.Subject("half"), NOW).certificate)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


class Kubelet(kubelet_pb2_grpc.KubeletServicer):
    """Tells who asks it; its log never ends."""

    async def Page(self, _request: Any, context: Any) -> pb.PageResponse:
        return pb.PageResponse(status=200, body=_name(context))

    async def Logs(self, _request: Any, context: Any) -> AsyncIterator[pb.LogsResponse]:
        while True:
            yield pb.LogsResponse(data=_name(context))
            await asyncio.sleep(0.02)


def _name(context: Any) -> bytes:
    return bytes(context.auth_context()["x509_common_name"][0])


@contextlib.asynccontextmanager
async def kubelet() -> AsyncIterator[dict[str, Any]]:
    """The Node of a kubelet that wants certificates."""
    own = AUTHORITY.serving("n1", ["127.0.0.1"], NOW)
    server = GrpcServer(tls=ServerTls(own.certificate, own.key, AUTHORITY.pem), grace=0)
    register = kubelet_pb2_grpc.add_KubeletServicer_to_server
    server.add("cluster.v1.Kubelet", register, Kubelet())
    port = server.listen("127.0.0.1:0")
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    async with server:
        yield {"metadata": {"name": "n1"}, "status": status}


def connector(files: Files) -> GrpcConnector:
    """As the API server's flags make it."""
    found: dict[str, Any] = {}

    @click.command()
    @kubeletflags.options
    def command(**values: Any) -> None:
        found.update(kubeletflags.from_flags(values))

    arguments = {
        "kubelet-client-certificate": files.certificate, "kubelet-client-key": files.key,
        "kubelet-certificate-authority": files.authority,
    }  # fmt: skip
    given = [f"--{name}={path}" for name, path in arguments.items()]
    assert CliRunner().invoke(command, given).exit_code == 0
    return GrpcConnector(found["kubelet_tls"], renewed=found["kubelet_tls_renewed"])


def run(story: Callable[[], Any]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20):
            await story()

    asyncio.run(whole())


async def asks(connected: GrpcConnector, node: dict[str, Any]) -> bytes:
    """As whom the kubelet sees it."""
    async with connected.kubelet(node) as one:
        return (await one.page(pb.PageRequest(path="/"))).body


def test_kubelets_are_shown_the_new_certificate_and_what_was_under_way_goes_on(files: Files):
    async def story() -> None:
        async with kubelet() as node, connector(files) as connected:
            assert await asks(connected, node) == b"first"
            async with connected.kubelet(node) as one:
                log = one.logs(pb.LogsRequest(follow=True))
                assert (await anext(log)).data == b"first"
                files.show("second")
                assert await asks(connected, node) == b"second"
                assert (await anext(log)).data == b"first"
                await log.aclose()
            assert await asks(connected, node) == b"second"
            # Nothing of the first is kept.
            assert len(connected._links) == 1
            assert connected._retired == {}

    run(story)


def test_half_of_a_new_pair_changes_nothing_for_kubelets(files: Files):
    async def story() -> None:
        async with kubelet() as node, connector(files) as connected:
            files.half()
            assert await asks(connected, node) == b"first"
            files.show("third")
            assert await asks(connected, node) == b"third"

    run(story)


@contextlib.asynccontextmanager
async def webhook(folder: Path) -> AsyncIterator[str]:
    """The URL of a server that wants certificates, and tells who asks."""
    pair = AUTHORITY.serving("hook", ["localhost"], NOW)
    (folder / "hook.pem").write_bytes(pair.certificate + pair.key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=AUTHORITY.pem.decode())
    context.load_cert_chain(folder / "hook.pem")
    context.verify_mode = ssl.CERT_REQUIRED

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        subject = request.transport.get_extra_info("peercert")["subject"]
        return web.Response(text=subject[-1][0][1])

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield f"https://localhost:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def test_webhooks_are_shown_the_new_certificate(files: Files, tmp_path: Path):
    async def story() -> None:
        shown = str(files.certificate), str(files.key)
        async with (
            webhook(tmp_path) as url,
            world() as cluster,
            HttpCaller(cluster.registry.cache, Nowhere(), Random(1), client=shown) as caller,
        ):

            async def asked() -> bytes:
                return (await caller.call(Outgoing(url=url, ca=AUTHORITY.pem), 5)).body

            assert await asked() == b"first"
            files.half()
            assert await asked() == b"first"
            files.show("second")
            assert await asked() == b"second"

    run(story)
