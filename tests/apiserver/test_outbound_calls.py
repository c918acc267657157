"""Requests of the API server to servers outside, over real TLS on loopback."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from aiohttp import web
from registry_world import World, world

from cluster.aio import clock
from cluster.apiserver.kubelets.protocol import Nowhere
from cluster.apiserver.outbound.caller import HttpCaller
from cluster.apiserver.outbound.protocol import Answer, Nobody, Outgoing, Service, Unreachable
from cluster.launcher import pki

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


def run(folder: Path, test) -> None:
    async def main() -> None:
        async with serving(folder) as port, world() as cluster:
            caller = HttpCaller(cluster.registry.cache, Nowhere(), Random(1))
            async with caller:
                await test(caller, port, cluster)

    asyncio.run(main())


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


def test_without_a_way_out_the_message_says_so():
    async def main() -> None:
        with pytest.raises(Unreachable, match="was given no way to reach"):
            await Nobody().call(Outgoing(service=Service("b", "a")), 1)

    asyncio.run(main())
