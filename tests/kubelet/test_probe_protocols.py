"""The HTTP and gRPC of probes against whatever answers."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.kubelet.probes import health, http
from cluster.kubelet.probes.tls import Tls
from cluster.runtime.httpserving import Connection, Site

HERE = http.Target("http", "10.0.0.2", 8080, "/a")


def exchanged(*pieces, target=HERE):
    exchange = http.Exchange(target, "kube-probe/1.34")
    for piece in pieces:
        if not exchange.complete:
            exchange.feed(piece)
    return exchange


def test_a_request_says_who_asks_and_the_pods_headers_win():
    target = http.Target("http", "fd00::2", 80, "/a b?c=1", (("Host", "x.org"), ("X-A", "1"),
                                                              ("Accept", "")))  # fmt: skip
    lines = http.Exchange(target, "kube-probe/1.34").outgoing.decode().split("\r\n")
    assert lines[0] == "GET /a%20b?c=1 HTTP/1.1"
    assert sorted(lines[1:-2]) == [
        "Connection: close", "Host: x.org", "User-Agent: kube-probe/1.34", "X-A: 1",
    ]  # fmt: skip
    assert target.url == "http://[fd00::2]:80/a b?c=1"


@pytest.mark.parametrize(
    ("pieces", "status", "body"),
    [
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"], 200, b"ok"),
        ([b"HTTP/1.1 200 OK\r\nContent-", b"Length: 2\r\n\r\no", b"k"], 200, b"ok"),
        ([b"HTTP/1.0 503 No\r\n\r\nsorry", b""], 503, b"sorry"),
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"],
            200,
            b"ok",
        ),
        ([b"HTTP/1.1 500 Oh\r\nContent-Length: 99\r\n\r\nok", b""], 500, b"ok"),
        ([b"HTTP/1.1 204 \r\n\r\n"], 204, b""),
    ],
)
def test_a_response_is_read_as_it_comes(pieces, status, body):
    found = exchanged(*pieces)
    assert (found.complete, found.status, found.body) == (True, status, body)


@pytest.mark.parametrize("pieces", [[b""], [b"SSH-2.0-x\r\n\r\n"], [b"HTTP/1.1 abc\r\n\r\n"],
                                    [b"HTTP/1.1 200 OK\r\n", b""], [b"x" * 70_000]])  # fmt: skip
def test_what_is_no_http_says_so(pieces):
    with pytest.raises(http.Malformed):
        exchanged(*pieces)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "http: server gave HTTP response to HTTPS client"),
        (b"SSH-2.0-OpenSSH\r\n", "tls: first record does not look like a TLS handshake"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "remote error: tls: handshake failure"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "remote error: tls: protocol version not supported"),
        (b"", "EOF"),
    ],
)
def test_a_server_that_speaks_no_tls_is_told_of_as_go_does(answer, why):
    class Server:
        """Answers whatever it is asked, and hangs up."""

        def __init__(self):
            self.pieces = [answer] if answer else []

        def send(self, data):
            pass

        async def receive(self):
            return self.pieces.pop() if self.pieces else b""

    with pytest.raises(http.Malformed) as raised:
        asyncio.run(Tls.over(Server()))
    assert str(raised.value) == why


def test_a_body_without_end_is_cut():
    found = exchanged(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 4096] * 9)
    assert found.complete
    assert len(found.body) == http.MAX_BODY


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("/login?x=1", "http://10.0.0.2:8080/login?x=1"),
        ("b", "http://10.0.0.2:8080/b"),
        ("https://10.0.0.2/x", "https://10.0.0.2:443/x"),
        ("http://other.example/x", None),
        ("ftp://10.0.0.2/x", None),
    ],
)
def test_redirects_stay_on_the_host(location, leads_to):
    found = HERE.redirected(location)
    assert (found.url if found else None) == leads_to


def served(service="", path=None):
    """A health check against the simulated server."""
    check = health.Check("10.0.0.2:80", service, "kube-probe/1.34")
    server = Connection(Site("p", "c", lambda _line: None))
    for _ in range(5):
        out = check.outgoing()
        if check.complete or not out:
            break
        for at in range(0, len(out), 7):  # however it is cut
            answer = server.receive(out[at : at + 7])
            if answer:
                check.feed(answer)
    return check


@pytest.mark.parametrize("service", ["", "liveness", "x" * 300])
def test_the_simulated_server_is_healthy(service):
    check = served(service)
    assert check.complete
    assert check.failure() == ""


@given(st.binary(max_size=200))
def test_whatever_answers_a_health_check_nothing_breaks(data):
    check = health.Check("a:1", "", "x")
    check.outgoing()
    try:
        check.feed(data)
    except health.Malformed:
        return
    assert check.failure()


@given(st.binary(max_size=200))
def test_whatever_comes_after_the_preface_the_server_stands(data):
    server = Connection(Site("p", "c", lambda _line: None))
    server.receive(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    server.receive(data)


@pytest.mark.parametrize(("length", "fits"), [(16_384, True), (65_000, True), (65_536, False)])
def test_the_name_of_a_service_may_be_as_long_as_can_be_sent_at_once(length, fits):
    if fits:
        sent = health.Check("a:1", "x" * length, "test").outgoing()
        assert sent.count(b"x") >= length
        return
    with pytest.raises(health.Malformed, match="too long"):
        health.Check("a:1", "x" * length, "test")
