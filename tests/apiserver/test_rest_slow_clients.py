"""Clients that stall: nobody waits for them for ever. And headers that are no text."""

import asyncio
import contextlib
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
