"""Clients that stall: nobody waits for them for ever. And headers that are no text."""

import asyncio
import contextlib
import logging
from urllib.parse import urlsplit

import msgspec
import pytest
import registry_world as rw
from rest_world import MAPS, TOKEN, Api, serving

from cluster.apiserver.rest import answers, requests


async def _connected(
    api: Api, head: bytes, limit: int = 1 << 16
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    url = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port, limit=limit)
    writer.write(head + b"\r\nHost: x\r\n")
    return reader, writer


def test_a_body_that_does_not_come_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.05)

    async def scenario() -> None:
        async with serving() as api, asyncio.timeout(10):
            reader, writer = await _connected(api, f"POST {MAPS} HTTP/1.1".encode())
            writer.write(f"Authorization: Bearer {TOKEN}\r\nContent-Length: 100\r\n\r\n".encode())
            writer.write(b'{"metadata":')
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 504 ")
            length = int(head.lower().partition(b"content-length: ")[2].split()[0])
            said = msgspec.json.decode(await reader.readexactly(length))
            assert said["reason"] == "Timeout"
            writer.close()

    asyncio.run(scenario())


def test_a_long_list_that_nobody_reads_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "ANSWER_SECONDS", 0.1)

    async def scenario() -> None:
        async with serving() as api, asyncio.timeout(20):
            text = "x" * 900_000
            batch = [rw.create("configmaps", rw.config_map(f"c{n}", k=text)) for n in range(30)]
            await api.registry.write(batch, rw.USER)
            reader, writer = await _connected(api, f"GET {MAPS} HTTP/1.1".encode(), limit=1024)
            writer.write(f"Authorization: Bearer {TOKEN}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            await asyncio.sleep(0.3)
            got = 0
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(1 << 20):
                    got += len(data)
            assert got < 30 * len(text)
            writer.close()

    asyncio.run(scenario())


def test_a_token_that_is_no_text_is_unauthorized() -> None:
    async def scenario() -> None:
        async with serving() as api, asyncio.timeout(10):
            reader, writer = await _connected(api, f"GET {MAPS} HTTP/1.1".encode())
            writer.write(b"Authorization: Bearer \xff\xfe\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
            writer.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("line", ["BREW /api/v1", "get /api/v1/namespaces", "X-Y.Z /?a='b'"])
def test_a_method_that_nobody_knows_is_told_in_a_status(line: str) -> None:
    async def scenario() -> None:
        async with serving() as api, asyncio.timeout(10):
            reader, writer = await _connected(api, f"{line} HTTP/1.1".encode())
            writer.write(b"\r\n")
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            assert head.split()[1] == b"405"
            assert b"application/json" in head
            said = msgspec.json.decode(body)
            assert (said["kind"], said["code"], said["reason"]) == (
                "Status", 405, "MethodNotAllowed",
            )  # fmt: skip
            writer.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("line", ["garbage", "(x) / HTTP/1.1", "GET /a b HTTP/1.1", "\x16\x03\x01"])
def test_what_is_no_http_is_a_bad_request_and_nothing_else_is_lost(line: str) -> None:
    async def scenario() -> None:
        async with serving() as api, asyncio.timeout(10):
            reader, writer = await _connected(api, line.encode())
            writer.write(b"\r\n")
            assert (await reader.read()).split()[1] == b"400"
            writer.close()
            assert (await api.get(MAPS)).status == 200

    asyncio.run(scenario())


def test_a_client_that_has_hung_up_is_nothing_to_warn_of(caplog: pytest.LogCaptureFixture) -> None:
    """asyncio warns of each write after the fifth to a TLS connection that is closed."""
    log = logging.getLogger("asyncio")
    log.warning("SSL connection is closed")
    log.warning("something else")
    assert [record.getMessage() for record in caplog.records] == ["something else"]
