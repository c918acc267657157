"""Small pages over HTTP: answered, bounded, and gone with their server."""

import asyncio

from cluster.aio import pages, tasks
from cluster.aio.pages import Asked, Page


async def _answer(asked: Asked) -> Page:
    if asked.path == "/fault":
        raise RuntimeError("a page's own fault")
    return Page(200, f"{asked.path} {asked.headers.get('x-one', '')}".encode())


async def _exchange(port: int, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


def _ask(*requests: bytes) -> list[bytes]:
    async def story() -> list[bytes]:
        served = pages.Pages("127.0.0.1", 0, _answer)
        async with tasks.Group("test") as group:
            running = group.spawn(served.run(), "pages")
            await served.ready.wait()
            answers = [await _exchange(served.port, request) for request in requests]
            running.cancel()
        return answers

    return asyncio.run(story())


def _request(line: str, *headers: str) -> bytes:
    return "\r\n".join((line, "Host: x", "Connection: close", *headers, "", "")).encode()


def test_a_page_is_answered_with_what_was_asked() -> None:
    (found,) = _ask(_request("GET /metrics?a=b HTTP/1.1", "X-One: 1"))
    assert found.startswith(b"HTTP/1.1 200 ")
    assert found.endswith(b"\r\n\r\n/metrics 1")


def test_head_has_no_body_and_other_methods_are_refused() -> None:
    head, post = _ask(_request("HEAD /a HTTP/1.1"), _request("POST /a HTTP/1.1"))
    assert head.startswith(b"HTTP/1.1 200 ")
    assert head.endswith(b"\r\n\r\n")
    assert post.startswith(b"HTTP/1.1 405 ")


def test_a_connection_serves_several_requests() -> None:
    first = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
    (found,) = _ask(first + _request("GET /b HTTP/1.1"))
    assert found.count(b"HTTP/1.1 200 ") == 2
    assert found.endswith(b"/b ")


def test_a_fault_of_a_page_is_a_500_and_the_next_is_answered() -> None:
    fault, after = _ask(_request("GET /fault HTTP/1.1"), _request("GET /a HTTP/1.1"))
    assert fault.startswith(b"HTTP/1.1 500 ")
    assert after.startswith(b"HTTP/1.1 200 ")


def test_what_is_no_http_or_too_long_ends_the_connection() -> None:
    long = _request("GET / HTTP/1.1", "X-Long: " + "a" * 70_000)
    noise, endless, after = _ask(b"\x16\x03\x01nonsense\r\n\r\n", long, _request("GET /a HTTP/1.1"))
    assert b" 200 " not in noise + endless
    assert after.startswith(b"HTTP/1.1 200 ")
