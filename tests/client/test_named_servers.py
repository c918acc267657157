"""Several API servers by name: they are looked up, and again when none of them can be reached."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import click
import grpc
import pytest
from click.testing import CliRunner

from cluster.aio import tasks
from cluster.aio.clock import SystemClock
from cluster.aio.grpcserver import GrpcServer, ServerTls
from cluster.cli import connection
from cluster.client import channel, named
from cluster.client.renewing import RenewingChannel
from cluster.launcher import pki

NOW = SystemClock().now()
AUTHORITY = pki.Authority.create(NOW)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"a": ["10.0.0.1"], "b": ["10.0.0.2"]}, ["10.0.0.1:1", "10.0.0.2:2", "10.0.0.9:3"]),
        (
            {"a": ["10.0.0.1", "10.0.0.7", "fd00::1"], "b": ["10.0.0.1"]},
            ["10.0.0.1:1", "10.0.0.7:1", "10.0.0.1:2", "10.0.0.9:3"],
        ),
        ({"b": ["10.0.0.2", "10.0.0.2"]}, ["10.0.0.2:2", "10.0.0.9:3"]),
        ({"a": ["fd00::1"]}, ["10.0.0.9:3"]),
    ],
)
def test_addresses_are_in_the_order_of_the_names(known, expected):
    async def lookup(name: str, _port: int) -> Sequence[str]:
        if name not in known:
            raise OSError(f"{name} is not known")
        return known[name]

    async def story() -> None:
        servers = named.Servers(["a:1", "b:2", "10.0.0.9:3"], lookup)
        assert await servers.look()
        assert servers.addresses == expected
        assert not await servers.look()

    asyncio.run(story())


def test_ipv6_is_taken_where_there_is_nothing_else_and_what_was_known_stays():
    answers = [["fd00::1"], []]

    async def lookup(_name: str, _port: int) -> Sequence[str]:
        return answers[0]

    async def story() -> None:
        servers = named.Servers(["a:1", "b:2"], lookup)
        assert servers.addresses == ["a:1"]
        assert await servers.look()
        assert servers.addresses == ["[fd00::1]:1", "[fd00::1]:2"]
        answers.pop(0)
        assert not await servers.look()
        assert servers.addresses == ["[fd00::1]:1", "[fd00::1]:2"]

    asyncio.run(story())


@contextlib.asynccontextmanager
async def serving(word: bytes) -> AsyncIterator[int]:
    """A server that says a word, with a certificate for `localhost` alone."""

    async def say(_request: bytes, _context: Any) -> bytes:
        return word

    def register(_: object, server: Any) -> None:
        methods = {"Say": grpc.unary_unary_rpc_method_handler(say)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.T", methods),))

    pair = AUTHORITY.serving("s", ["localhost"], NOW)
    server = GrpcServer(tls=ServerTls(pair.certificate, pair.key), grace=0)
    server.add("t.T", register, object())
    port = server.listen("127.0.0.1:0")
    async with server:
        yield port


async def said(connected: Any) -> bytes:
    """What is answered: asked again when the connection was lost beneath the question."""
    call = connected.unary_unary("/t.T/Say")
    while True:
        try:
            return bytes(await call(b"", timeout=10, wait_for_ready=True))
        except grpc.aio.AioRpcError as lost:
            if lost.code() is not grpc.StatusCode.UNAVAILABLE:
                raise


def run(story: Any) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20):
            await story()

    asyncio.run(whole())


def test_a_client_goes_on_at_the_next_name():
    async def story() -> None:
        async with contextlib.AsyncExitStack() as stack:
            second = await stack.enter_async_context(serving(b"second"))
            first = contextlib.AsyncExitStack()
            port = await first.enter_async_context(serving(b"first"))
            servers = (f"localhost:{port}", f"localhost:{second}")
            reached = connection.Connection(servers, channel.ChannelTls(AUTHORITY.pem))
            connected = await stack.enter_async_context(reached.connected())
            assert await said(connected) == b"first"
            await first.aclose()
            assert await said(connected) == b"second"

    run(story)


def test_servers_that_are_elsewhere_now_are_found():
    async def story() -> None:
        async with serving(b"old") as gone:
            pass
        where = ["127.0.0.1"]

        async def lookup(_name: str, _port: int) -> Sequence[str]:
            return where

        async with serving(b"new") as port:
            servers = named.Servers([f"localhost:{gone}", f"other:{port}"], lookup)
            where[:] = ["127.0.0.2"]
            await servers.look()
            tls = channel.ChannelTls(AUTHORITY.pem, server_name=servers.name)
            made = RenewingChannel(lambda: channel.connect(servers.addresses, tls, others=True))
            async with made as connected, tasks.Group("test") as group:
                group.spawn(servers.run(connected, 0.05), "names")
                asked = group.spawn(said(connected), "asked")
                await asyncio.sleep(0.3)
                assert not asked.done()
                where[:] = ["127.0.0.1"]
                while connected.generation == 0:
                    await asyncio.sleep(0.02)
                assert await said(connected) == b"new"
                asked.cancel()
                group.cancel()

    run(story)


@pytest.mark.parametrize(
    ("servers", "wrong"),
    [
        ("a:1,b", "'b' is not host:port"),
        ("unix:/x,a:1", "'unix:/x' is not host:port"),
        ("10.0.0.1:1,[::1]:1", "all at IPv4 addresses or all at IPv6"),
    ],
)
def test_what_is_no_place_is_a_usage_error(servers, wrong):
    @click.command()
    @connection.options
    def command(**values: Any) -> None:
        connection.from_flags(values)

    found = CliRunner().invoke(command, ["--server", servers])
    assert found.exit_code == 2
    assert wrong in found.output
    assert CliRunner().invoke(command, ["--server", "a:1,10.0.0.1:2"]).exit_code == 0
