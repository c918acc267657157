"""Certificates of a client that are exchanged while it runs."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from cluster.aio.clock import SystemClock
from cluster.aio.grpcserver import GrpcServer, ServerTls
from cluster.api import errors
from cluster.cli.followedfiles import Followed
from cluster.client import channel, renewing
from cluster.launcher import kubeconfig, pki

NOW = SystemClock().now()


def _who(context: Any) -> bytes:
    return context.auth_context()["x509_common_name"][0]


async def _told(request: bytes, context: Any) -> bytes:
    return _who(context)


async def _telling(request: bytes, context: Any) -> AsyncIterator[bytes]:
    yield _who(context)
    await asyncio.get_running_loop().create_future()


def _register(_: object, server: Any) -> None:
    methods = {
        "Who": grpc.unary_unary_rpc_method_handler(_told),
        "Watch": grpc.unary_stream_rpc_method_handler(_telling),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.T", methods),))


def test_calls_go_by_the_new_certificate_and_what_was_under_way_is_cut_and_goes_on(monkeypatch):
    monkeypatch.setattr(renewing, "GRACE_SECONDS", 0.05)

    async def story() -> None:
        authority = pki.Authority.create(NOW)
        own = authority.serving("s", ["localhost", "127.0.0.1"], NOW)
        server = GrpcServer(tls=ServerTls(own.certificate, own.key, authority.pem), grace=0.1)
        server.add("t.T", _register, object())
        port = server.listen("127.0.0.1:0")
        names = iter(("first", "second"))

        def made() -> Any:
            pair = authority.client(pki.Subject(next(names)), NOW)
            tls = channel.ChannelTls(authority.pem, pair.certificate, pair.key)
            return channel.connect([f"localhost:{port}"], tls)

        seen: list[bytes] = []

        async def watched(call: Any) -> None:
            try:
                async for each in call:
                    seen.append(each)  # noqa: PERF401 - what came before it is cut counts
            except asyncio.CancelledError:
                raise renewing.cut() from None

        async with server, renewing.RenewingChannel(made) as renewed:
            who, watch = renewed.unary_unary("/t.T/Who"), renewed.unary_stream("/t.T/Watch")
            assert await who(b"", timeout=5) == b"first"
            open_ = watch(b"")
            watching = asyncio.ensure_future(watched(open_))  # noqa: TID251
            assert await who(b"", timeout=5) == b"first"
            renewed.renew()
            assert await who(b"", timeout=5) == b"second"
            with pytest.raises(errors.ServiceUnavailable):
                await asyncio.wait_for(watching, 5)
            assert seen == [b"first"]
            again = watch(b"")
            assert await again.read() == b"second"
            again.cancel()

    asyncio.run(story())


def test_a_task_that_is_cancelled_stays_cancelled():
    async def story() -> None:
        async def waiting() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                raise renewing.cut() from None

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await waiting()

    asyncio.run(story())


def test_a_kubeconfig_that_is_written_anew_is_taken_over_and_a_broken_one_is_not(tmp_path: Path):
    authority = pki.Authority.create(NOW)
    path = tmp_path / "kubelet.conf"

    def write(name: str) -> None:
        pair = authority.client(pki.Subject(name), NOW)
        access = kubeconfig.Access("https://x", "x:1", authority.pem, pair.certificate, pair.key)
        kubeconfig.write(path, kubeconfig.document("c", "u", access))

    def read() -> channel.ChannelTls:
        found = kubeconfig.access(path)
        return channel.ChannelTls(found.authority, found.certificate, found.key)

    async def story() -> None:
        write("first")
        first = read()
        followed, changes = Followed([path], read, first), []
        assert not followed.look()
        path.write_text("{")
        assert not followed.look()
        assert followed.present == first
        task = asyncio.create_task(  # noqa: TID251
            followed.run(lambda: changes.append(followed.present), 0.01)
        )
        write("second")
        async with asyncio.timeout(5):
            while not changes:
                await asyncio.sleep(0.01)
        task.cancel()
        assert changes == [read()]
        assert changes[0] != first

    asyncio.run(story())
