"""The server that a container is by default."""

import ssl

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


def over_tls(server: Connection, request: bytes, version: ssl.TLSVersion) -> bytes:
    """What a client that checks no certificate is answered, when its bytes come in small pieces."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = version
    back, forth = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(back, forth)
    answer, sent = b"", False
    while True:
        try:
            if not sent:
                client.do_handshake()
                client.write(request)
                sent = True
            while piece := client.read(1000):
                answer += piece
            return answer
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            data = forth.read()
            got = b"".join(server.receive(data[at : at + 100]) for at in range(0, len(data), 100))
            back.write(got)
            if not got:
                return answer


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_who_begins_with_tls_is_answered_in_it(version: ssl.TLSVersion) -> None:
    server, lines = connection()
    answer = over_tls(server, b"GET /healthz HTTP/1.1\r\n\r\n", version)
    assert answer.endswith(b"\r\n\r\nweb-0\nGET /healthz\n")
    assert lines == ['127.0.0.1 "GET /healthz HTTP/1.1" 200 19']
    assert not server.closed
    more = over_tls(connection()[0], b"GET / HTTP/1.0\r\n\r\n", version)
    assert more.startswith(b"HTTP/1.1 200 OK\r\n")


@given(st.lists(st.binary(max_size=300), max_size=4))
def test_what_is_no_tls_ends_the_connection_with_an_alert(pieces: list[bytes]) -> None:
    server, lines = connection()
    said = server.receive(b"\x16nonsense")
    for piece in pieces:
        if not server.closed:
            said += server.receive(piece)
    assert said[:1] in (b"", b"\x15")
    assert lines == []


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
    b"\x80\x2e\x01\x02\x00\r\n\r\n",
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
