"""Requests of the API server to servers outside, over real TLS on loopback."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from registry_world import World, world

from cluster.aio import clock, tasks
from cluster.apiserver.kubelets.protocol import Connector, Nowhere
from cluster.apiserver.outbound.caller import HttpCaller
from cluster.apiserver.outbound.protocol import Answer, Nobody, Outgoing, Service, Unreachable
from cluster.launcher import pki
from cluster.pb.cluster.v1 import kubelet_pb2 as pb

NOW = clock.SystemClock().now()
AUTHORITY = pki.Authority.create(NOW)
STRANGER = pki.Authority.create(NOW)


@contextlib.asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[int]:
    """A server that tells what it was asked, on a free port."""
    pair = AUTHORITY.serving("hook", ["hook.default.svc", "localhost", "127.0.0.1"], NOW)
    (folder / "crt").write_bytes(pair.certificate)
    (folder / "key").write_bytes(pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "crt", folder / "key")

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/slow":
            await asyncio.sleep(60)
        if request.path == "/late":
            await asyncio.sleep(0.2)
        if request.path == "/large":
            return web.Response(body=b"x" * (17 << 20))
        body = await request.read()
        return web.Response(text=f"{request.method} {request.path_qs} {body.decode()}", status=202)

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def run(folder: Path, test, connector: Connector | None = None) -> None:
    async def main() -> None:
        async with serving(folder) as port, world() as cluster:
            caller = HttpCaller(cluster.registry.cache, connector or Nowhere(), Random(1))
            async with caller:
                await test(caller, port, cluster)

    asyncio.run(main())


class Machine:
    """A node whose pods' ports are those of this machine; `fault` is why it cannot be reached."""

    def __init__(self) -> None:
        self.fault: Exception | None = None

    @contextlib.asynccontextmanager
    async def kubelet(self, _node: Any) -> AsyncIterator[Any]:
        if self.fault is not None:
            raise self.fault
        yield self

    async def port_forward(
        self, inputs: AsyncIterator[pb.PortForwardInput]
    ) -> AsyncIterator[pb.PortForwardOutput]:
        start = (await anext(inputs)).start
        reader, writer = await asyncio.open_connection("127.0.0.1", start.port)
        yield pb.PortForwardOutput(connected=True)

        async def there() -> None:
            async for item in inputs:
                writer.write(item.data)

        async with tasks.Group("machine") as group:
            group.spawn(there(), "input")
            while data := await reader.read(1 << 16):
                yield pb.PortForwardOutput(data=data)
            group.cancel()
        writer.close()


async def behind_a_pod(cluster: World, port: int) -> Service:
    """A service whose one endpoint is a port of a pod."""
    await cluster.create("nodes", {"metadata": {"name": "n"}}, "")
    spec = {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}
    await cluster.create("pods", {"metadata": {"name": "p"}, "spec": spec})
    ports = [{"port": 443, "targetPort": port}]
    await cluster.create("services", {"metadata": {"name": "hook"}, "spec": {"ports": ports}})
    labels = {"kubernetes.io/service-name": "hook"}
    endpoint = {"addresses": ["10.0.0.1"], "targetRef": {"kind": "Pod", "name": "p"}}
    endpoints = {
        "metadata": {"name": "hook-1", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [endpoint],
        "ports": [{"port": port}],
    }
    await cluster.create("endpointslices.discovery.k8s.io", endpoints)
    return Service("default", "hook")


def test_a_url_is_called_and_its_certificate_checked(tmp_path):
    async def test(caller: HttpCaller, port: int, _cluster: World) -> None:
        url = f"https://localhost:{port}/hook?timeout=5s"
        request = Outgoing(url=url, body=b"{}", ca=AUTHORITY.pem)
        answer = await caller.call(request, 5)
        assert (answer.status, answer.body) == (202, b"POST /hook?timeout=5s {}")
        stranger = Outgoing(url=url, ca=STRANGER.pem)
        with pytest.raises(Unreachable, match="x509: certificate signed by unknown authority"):
            await caller.call(stranger, 5)
        trusting = Outgoing(method="GET", url=url, ca=b"", verify=False)
        assert isinstance(await caller.call(trusting, 5), Answer)

    run(tmp_path, test)


def test_what_goes_wrong_is_worded_as_go_does(tmp_path):
    async def test(caller: HttpCaller, port: int, _cluster: World) -> None:
        base = f"https://localhost:{port}"
        with pytest.raises(Unreachable, match=r'^Post "https://localhost:\d+/slow": context dead'):
            await caller.call(Outgoing(url=f"{base}/slow", ca=AUTHORITY.pem), 0.2)
        with pytest.raises(Unreachable, match="larger than"):
            await caller.call(Outgoing(url=f"{base}/large", ca=AUTHORITY.pem), 5)
        with pytest.raises(Unreachable, match="connect: connection refused"):
            await caller.call(Outgoing(url="https://127.0.0.1:1/", ca=AUTHORITY.pem), 5)
        with pytest.raises(Unreachable, match="unable to load root certificates"):
            await caller.call(Outgoing(url=base, ca=b"nonsense"), 5)

    run(tmp_path, test)


def test_a_service_leads_to_its_external_name_under_its_own_name(tmp_path):
    async def test(caller: HttpCaller, port: int, cluster: World) -> None:
        service = {
            "metadata": {"name": "hook"},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        }
        await cluster.create("services", service)
        to = Service("default", "hook", port)
        answer = await caller.call(Outgoing(service=to, path="/x", ca=AUTHORITY.pem), 5)
        assert answer.body == b"POST /x "
        with pytest.raises(Unreachable, match='services "none" not found'):
            await caller.call(Outgoing(service=Service("default", "none")), 5)
        with pytest.raises(Unreachable, match="no service port 444 found for service"):
            await caller.call(Outgoing(service=Service("default", "kubernetes", 444)), 5)

    run(tmp_path, test)


def test_an_answer_by_way_of_a_pod_may_last_longer_than_aiohttp_would_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(aiohttp.client, "DEFAULT_TIMEOUT", aiohttp.ClientTimeout(total=0.1))

    async def test(caller: HttpCaller, port: int, cluster: World) -> None:
        to = await behind_a_pod(cluster, port)
        answer = await caller.call(Outgoing(service=to, path="/late", ca=AUTHORITY.pem), 10)
        assert answer.body == b"POST /late "

    run(tmp_path, test, Machine())


def test_a_fault_of_one_tunnel_ends_nothing_else(tmp_path):
    machine = Machine()

    async def test(caller: HttpCaller, port: int, cluster: World) -> None:
        to = await behind_a_pod(cluster, port)
        machine.fault = RuntimeError("nobody thought of this")
        with pytest.raises(Unreachable):
            await caller.call(Outgoing(service=to, ca=AUTHORITY.pem), 10)
        machine.fault = None
        assert (await caller.call(Outgoing(service=to, ca=AUTHORITY.pem), 10)).status == 202

    run(tmp_path, test, machine)


def test_without_a_way_out_the_message_says_so():
    async def main() -> None:
        with pytest.raises(Unreachable, match="was given no way to reach"):
            await Nobody().call(Outgoing(service=Service("b", "a")), 1)

    asyncio.run(main())
