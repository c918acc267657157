"""The server that a container is by default."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.api.httpanswers import Answer
from cluster.runtime.httpserving import MAX_HEAD, Connection, Site


def connection() -> tuple[Connection, list[str]]:
    lines: list[str] = []
    return Connection(Site("web-0", "web", lines.append)), lines


def test_a_request_is_answered_and_noted() -> None:
    server, lines = connection()
    answer = server.receive(b"GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert body == b"web-0\nGET /a?b\n"
    assert lines == ['127.0.0.1 "GET /a?b HTTP/1.1" 200 15']
    assert not server.closed


@given(st.integers(1, 60))
def test_pieces_make_no_difference(size: int) -> None:
    data = (
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
        b"PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        b"GET /last HTTP/1.1\r\nConnection: close\r\n\r\n"
    )
    server, lines = connection()
    answer = b"".join(server.receive(data[at : at + size]) for at in range(0, len(data), size))
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert len(lines) == 3
    assert server.closed


def test_who_asks_for_very_much_at_once_is_cut_off() -> None:
    site = Site("web-0", "web", lambda _line: None, (Answer("/*", body="x" * 200_000),))
    request = b"GET / HTTP/1.1\r\n\r\n"
    server = Connection(site)
    assert len(server.receive(request * 5)) > 1_000_000
    assert not server.closed
    assert len(server.receive(request * 3000)) < 2_000_000
    assert server.closed


def test_head_has_no_body_and_http_1_0_closes() -> None:
    server, _ = connection()
    assert server.receive(b"HEAD / HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\n")
    assert not server.closed
    server.receive(b"GET / HTTP/1.0\r\n\r\n")
    assert server.closed


BAD = [
    b"hello\r\n\r\n",
    b"GET  HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"GET / HTTP/2.0\r\n\r\n",
    b"\x16\x03\x01\x02\x00\r\n\r\n",
]


@pytest.mark.parametrize("data", BAD)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    server, lines = connection()
    assert server.receive(data).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert server.closed
    assert lines == []
    assert server.receive(b"GET / HTTP/1.1\r\n\r\n") == b""


def test_an_endless_head_is_refused() -> None:
    server, _ = connection()
    assert server.receive(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * MAX_HEAD).startswith(
        b"HTTP/1.1 431"
    )
    assert server.closed


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_no_bytes_are_a_fault(pieces: list[bytes]) -> None:
    server, _ = connection()
    for piece in pieces:
        server.receive(piece + b"\r\n")
