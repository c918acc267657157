"""What a client may take of the server: times, connections, watches; counted and logged."""

import asyncio
import contextlib
import gzip
from urllib.parse import urlsplit

import pytest
from rest_world import MAPS, TOKEN, serving
from structlog.testing import capture_logs

from cluster.api import errors, identity
from cluster.apiserver.limits import Limits, Refusals, WatchBounds
from cluster.apiserver.rest import server as servers


@contextlib.asynccontextmanager
async def limited(monkeypatch, **limits):
    """A REST server with these limits, its address, and what it has refused."""
    made = []
    build = servers.RestServer.__init__

    def built(self, *args, **kwargs):
        refusals = Refusals()
        made.append(refusals)
        build(self, *args, **kwargs, limits=Limits(**limits), refusals=refusals)

    monkeypatch.setattr(servers.RestServer, "__init__", built)
    async with serving() as api, asyncio.timeout(10):
        url = urlsplit(api.url)
        yield (url.hostname, url.port), made[0], api


def test_a_body_without_end_is_not_read_for_long(monkeypatch):
    monkeypatch.setattr(servers, "_LINGER_SECONDS", 0.1)

    async def story():
        async with limited(monkeypatch) as (place, _, _):
            _, writer = await asyncio.open_connection(*place)
            writer.write(
                f"POST {MAPS} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            )
            with pytest.raises(ConnectionError):  # the deadline is that of `limited`
                await send_without_end(writer)
            writer.close()

    async def send_without_end(writer):
        while True:
            writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
            await writer.drain()

    asyncio.run(story())


@pytest.mark.parametrize("head", [b"", b"GET /api HTTP/1.1\r\nHost: x\r\nX-A: "])
def test_a_head_that_does_not_come_ends_the_connection(monkeypatch, head):
    async def story():
        async with limited(monkeypatch, head_seconds=0.05) as (place, refusals, _):
            reader, writer = await asyncio.open_connection(*place)
            writer.write(head)
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            assert refusals.counts == {"slow headers": 1}
            writer.close()

    asyncio.run(story())


def test_whoever_has_asked_once_is_not_cut_off_for_its_head(monkeypatch):
    async def story():
        async with limited(monkeypatch, head_seconds=0.05) as (place, refusals, _):
            reader, writer = await asyncio.open_connection(*place)
            asked = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"
            writer.write(asked)
            assert b"200 OK" in await reader.readline()
            await asyncio.sleep(0.1)
            writer.write(asked)
            await reader.readuntil(b"200 OK")
            assert refusals.counts == {}
            writer.close()

    asyncio.run(story())


def test_a_slow_body_is_504_and_a_large_one_413_both_counted(monkeypatch):
    async def story():
        async with limited(monkeypatch, body_seconds=0.05) as (place, refusals, _):
            for length, status in ((100, b" 504 "), (1 << 30, b" 413 ")):
                reader, writer = await asyncio.open_connection(*place)
                writer.write(
                    f"POST {MAPS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
                    f"Content-Length: {length}\r\n\r\n{{".encode()
                )
                assert status in await reader.readline()
                writer.close()
            assert refusals.counts == {"slow request": 1, "body too large": 1}

    asyncio.run(story())


@pytest.mark.parametrize(
    ("request_", "status", "reason"),
    [
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"431", "headers too large"),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
            b"431", "headers too large",
        ),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 5_000 + b"\r\n",
            b"431", "headers too large",
        ),
        (b"GET / HTTP/1.1\r\nHost: x\r\nSecret \r\n\r\n", b"400", "malformed request"),
    ],
)  # fmt: skip
def test_a_head_that_cannot_be_is_refused_and_not_told_back(monkeypatch, request_, status, reason):
    async def story():
        async with limited(monkeypatch) as (place, refusals, _):
            reader, writer = await asyncio.open_connection(*place)
            writer.write(request_)
            answer = await reader.read()
            assert answer.split()[1] == status
            assert b"Secret" not in answer
            assert b"aaaa" not in answer
            assert refusals.counts == {reason: 1}
            writer.close()

    asyncio.run(story())


@pytest.mark.parametrize("version", ["0.9", "2.0"])
def test_another_version_of_http_is_not_spoken(monkeypatch, version):
    async def story():
        async with limited(monkeypatch) as (place, _, _):
            reader, writer = await asyncio.open_connection(*place)
            writer.write(f"GET /version HTTP/{version}\r\nHost: x\r\n\r\n".encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            assert head.split()[1] == b"505"
            assert body == b"505 HTTP Version Not Supported: unsupported protocol version"
            writer.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://else.where:1/version", b"200"), ("HTTPS://x/version?timeout=1s", b"200"),
        ("http://x", b"401"), ("http://x?x=/version", b"401"), ("ftp://x/version", b"401"),
        ("/http://x/version", b"401"),
    ],
)  # fmt: skip
def test_a_target_may_be_absolute(monkeypatch, target, status):
    async def story():
        async with limited(monkeypatch) as (place, _, _):
            reader, writer = await asyncio.open_connection(*place)
            writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.split()[1] == status
            assert b"\r\nserver:" not in head.lower()
            writer.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("method", "path", "encoding", "sent"),
    [
        ("POST", MAPS, "gzip", b""), ("POST", MAPS, "identity, gzip", b"{}"),
        ("POST", MAPS, "foo", b"{}"), ("PATCH", f"{MAPS}/x", "br", b"{}"),
    ],
)  # fmt: skip
def test_a_body_in_an_encoding_is_refused_unread(monkeypatch, method, path, encoding, sent):
    async def story():
        async with limited(monkeypatch) as (place, refusals, _):
            reader, writer = await asyncio.open_connection(*place)
            writer.write(
                f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
                "Content-Type: application/merge-patch+json\r\n"
                f"Content-Encoding: {encoding}\r\nContent-Length: 2\r\n\r\n".encode()
                + sent
            )
            assert b" 400 " in await reader.readline()
            assert refusals.counts == {"compressed body": 1}
            writer.close()

    asyncio.run(story())


def test_a_bomb_of_a_stranger_is_never_unpacked(monkeypatch):
    def unpacked(*_args, **_more):
        raise AssertionError("a body was unpacked")

    monkeypatch.setattr("aiohttp.compression_utils.ZLibDecompressor.decompress_sync", unpacked)
    bomb = gzip.compress(bytes(8 << 20))

    async def story():
        async with limited(monkeypatch) as (place, _, _):
            for token in ("", f"Authorization: Bearer {TOKEN}\r\n"):
                reader, writer = await asyncio.open_connection(*place)
                head = f"POST {MAPS} HTTP/1.1\r\nHost: x\r\n{token}Content-Encoding: gzip\r\n"
                writer.write(f"{head}Content-Length: {len(bomb)}\r\n\r\n".encode() + bomb)
                assert await reader.readline() in (
                    b"HTTP/1.1 401 Unauthorized\r\n", b"HTTP/1.1 400 Bad Request\r\n",
                )  # fmt: skip
                await reader.readuntil(b"\r\n\r\n{")
                writer.write(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
                await reader.readuntil(b"200 OK")
                writer.close()

    asyncio.run(story())


def test_one_connection_more_than_are_allowed_is_closed(monkeypatch):
    async def story():
        async with limited(monkeypatch, connections=2) as (place, refusals, _):
            held = [await asyncio.open_connection(*place) for _ in range(2)]
            await asyncio.sleep(0)
            reader, writer = await asyncio.open_connection(*place)
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            assert refusals.counts == {"too many connections": 1}
            for _, each in [*held, (reader, writer)]:
                each.close()

    asyncio.run(story())


def test_watches_are_bounded_for_each_user_and_for_all():
    async def story():
        refusals = Refusals()
        bounds = WatchBounds(Limits(watches=3, watches_of_one=2), refusals)
        jane, joe = identity.User("jane"), identity.User("joe")
        leave = [bounds.enter(jane), bounds.enter(jane)]
        with pytest.raises(errors.TooManyRequests):
            bounds.enter(jane)
        leave.append(bounds.enter(joe))
        with pytest.raises(errors.TooManyRequests):
            bounds.enter(joe)
        leave.pop(0)()
        assert bounds.open == 2
        bounds.enter(jane)
        assert refusals.counts == {"too many watches": 2}

    asyncio.run(story())


def test_a_flood_of_refusals_is_counted_and_not_logged_line_by_line():
    async def story():
        refusals = Refusals()
        with capture_logs() as logged:
            for number in range(1000):
                refusals.note("slow headers", ("127.0.0.1", number))
        assert refusals.counts == {"slow headers": 1000}
        assert [(each["reason"], each["peer"]) for each in logged] == [
            ("slow headers", "127.0.0.1:0")
        ]

    asyncio.run(story())
