"""Requests that nobody means: smuggled, oversized, slow; and documents that explode."""

import base64
import gzip
import json
import time

import pytest
from realcluster import until
from securityworld import Outside, answer

MAPS = "/api/v1/namespaces/default/configmaps"
POST = f"POST {MAPS} HTTP/1.1\r\nHost: x\r\n"
GET = "GET /healthz HTTP/1.1\r\nHost: x\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"

SMUGGLED = {
    "a length and chunks": f"{POST}Content-Length: 6\r\n{CHUNKED}\r\n0\r\n\r\nG",
    "chunks and a length": f"{POST}{CHUNKED}Content-Length: 4\r\n\r\n0\r\n\r\n",
    "two encodings": f"{POST}{CHUNKED}Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "an unknown encoding": f"{POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks within gzip": f"{POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "two lengths": f"{POST}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}} ",
    "two equal lengths": f"{POST}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{{}}",
    "a list of lengths": f"{POST}Content-Length: 2, 2\r\n\r\n{{}}",
    "a signed length": f"{POST}Content-Length: +2\r\n\r\n{{}}",
    "a negative length": f"{POST}Content-Length: -1\r\n\r\n{{}}",
    "a hexadecimal length": f"{POST}Content-Length: 0x2\r\n\r\n{{}}",
    "an underlined length": f"{POST}Content-Length: 0_2\r\n\r\n{{}}",
    "a folded header": f"{GET}X-A: b\r\n c\r\n\r\n",
    "bare line feeds": "GET /healthz HTTP/1.1\nHost: x\n\n",
    "a bare line feed": f"{GET}X: y\nZ: w\r\n\r\n",
    "a bare carriage return": f"{GET}X: a\rContent-Length: 5\r\n\r\n",
    "a space before the colon": f"{GET}Content-Length : 0\r\n\r\n",
    "a null in a header": f"{GET}X: a\0b\r\n\r\n",
    "a null in the path": "GET /healthz\0 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a space in the path": "GET /api v1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a line feed in a chunk's extension": f"{POST}{CHUNKED}\r\n2;a\nb\r\n{{}}\r\n0\r\n\r\n",
    "a negative chunk": f"{POST}{CHUNKED}\r\n-1\r\n{{}}\r\n0\r\n\r\n",
    "a hexadecimal chunk": f"{POST}{CHUNKED}\r\n0x2\r\n{{}}\r\n0\r\n\r\n",
    "an endless chunk": f"{POST}{CHUNKED}\r\n{'f' * 18}\r\n{{}}\r\n0\r\n\r\n",
    "a chunk without an end": f"{POST}{CHUNKED}\r\n2\r\n{{}}XX0\r\n\r\n",
    "no host": "GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": f"{GET}Host: y\r\n\r\n",
    "HTTP/2 without TLS' word for it": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.fixture(scope="module", autouse=True)
def server(outside: Outside) -> int:
    """The process that serves before all of this."""
    return int(outside.cluster.process("apiserver").pid)


@pytest.mark.parametrize("what", SMUGGLED)
def test_what_two_servers_could_read_in_two_ways_is_read_in_none(
    outside: Outside, what: str
) -> None:
    before = outside.refused().get("malformed request", 0)
    found = outside.raw(SMUGGLED[what].encode(), "admin")
    assert found.status == 400
    assert "close" in found.head.lower() or "http/1.0" in found.head.lower()
    if b"apiVersion" not in found.body:  # refused before anybody looked who asks
        assert outside.refused()["malformed request"] == before + 1


def test_no_second_request_is_read_out_of_a_body(outside: Outside) -> None:
    inner = b"GET /api/v1/secrets HTTP/1.1\r\nHost: x\r\n\r\n"
    sent = f"POST {MAPS} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(inner)}\r\n\r\n".encode()
    with outside.connect("admin") as tls:
        tls.sendall(sent + inner)
        assert answer(tls).status == 400
        tls.settimeout(0.3)
        with pytest.raises(TimeoutError):
            tls.recv(1)


def test_absolute_addresses_lead_nowhere_else(outside: Outside) -> None:
    for line in (
        "GET http://169.254.169.254/latest HTTP/1.1",
        "CONNECT 169.254.169.254:80 HTTP/1.1",
    ):
        assert outside.raw(f"{line}\r\nHost: x\r\n\r\n".encode(), "admin").status in (403, 404, 405)
    stranger = outside.raw(b"GET http://x/api/v1/secrets HTTP/1.1\r\nHost: x\r\n\r\n")
    assert stranger.status == 403


def test_headers_that_belong_to_one_hop_do_not_hide_others(outside: Outside) -> None:
    found = outside.ask("GET", "/api/v1/secrets", Connection="close, Authorization, X-Remote-User")
    assert found.status == 403


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (f"GET /{'a' * 70_000} HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (f"{GET}X: {'a' * 70_000}\r\n\r\n", 431),
        (GET + "X: a\r\n" * 5_000 + "\r\n", 431),
        (GET + f"X: {'a' * 8_000}\r\n" * 260 + "\r\n", 431),
        (f"{POST}Content-Length: {4 << 20}\r\n\r\n", 413),
        (f"{POST}Content-Length: {1 << 62}\r\nExpect: 100-continue\r\n\r\n", 413),
    ],
)
def test_what_is_too_large_is_refused_before_it_is_read(
    outside: Outside, sent: str, status: int
) -> None:
    before = sum(outside.refused().values())
    assert outside.raw(sent.encode(), "admin").status == status
    assert sum(outside.refused().values()) == before + 1


def test_chunks_are_counted_too(outside: Outside) -> None:
    piece = f"{1 << 20:x}\r\n{' ' * (1 << 20)}\r\n".encode()
    sent = f"{POST}{CHUNKED}\r\n".encode() + piece * 4 + b"0\r\n\r\n"
    assert outside.raw(sent, "admin").status == 413


def test_a_body_is_not_unpacked(outside: Outside) -> None:
    packed = gzip.compress(b'{"metadata":{"name":"' + b"a" * (8 << 20) + b'"}}')
    found = outside.ask("POST", MAPS, "admin", packed, Content_Encoding="gzip")
    assert found.status in (400, 413, 415)


def test_a_json_patch_has_so_many_operations_and_no_more(outside: Outside) -> None:
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "patched"}}
    outside.ask("POST", MAPS, "admin", made)
    patch = [{"op": "add", "path": "/data", "value": {}}] * 10_001
    media = "application/json-patch+json"
    found = outside.ask("PATCH", f"{MAPS}/patched", "admin", patch, media=media)
    assert found.status == 413
    copies = [{"op": "add", "path": "/data", "value": {"a": "x" * 1000}}] + [
        {"op": "copy", "from": "/data", "path": f"/data/a{n}"} for n in range(200)
    ]
    found = outside.ask("PATCH", f"{MAPS}/patched", "admin", copies, media=media)
    assert found.status in (400, 413, 422)


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_slow_headers_end_the_connection(outside: Outside, sent: bytes) -> None:
    before = outside.refused().get("slow headers", 0)
    with outside.connect("admin") as tls:
        tls.sendall(sent)
        start = time.monotonic()
        assert answer(tls).status == 0
        assert time.monotonic() - start < 5
    assert outside.refused()["slow headers"] == before + 1
    assert "slow headers" in outside.log()


def test_a_slow_body_is_a_timeout_and_takes_nobodys_seat(outside: Outside) -> None:
    before = outside.refused().get("slow request", 0)
    with outside.connect("admin") as tls:
        tls.sendall(f"{POST}Content-Length: 100\r\n\r\n{{".encode())
        assert outside.ask("GET", MAPS, "admin").status == 200
        assert answer(tls).status == 504
    assert outside.refused()["slow request"] == before + 1


def test_whoever_reads_nothing_holds_up_nobody(outside: Outside) -> None:
    text = "x" * 500_000
    for number in range(8):
        body = {"metadata": {"name": f"large-{number}"}, "data": {"k": text}}
        assert outside.ask("POST", MAPS, "admin", body).status == 201
    idle = [outside.connect("admin") for _ in range(6)]
    try:
        for number, tls in enumerate(idle):
            watch = "?watch=1" if number % 2 else ""
            tls.sendall(f"GET {MAPS}{watch} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        start = time.monotonic()
        assert outside.ask("GET", MAPS, "admin").status == 200
        assert time.monotonic() - start < 2
    finally:
        for tls in idle:
            tls.close()
        outside.cluster.kubectl("delete", "configmap", *(f"large-{n}" for n in range(8)))


DEEP = 100_000
BOMBS = {
    "deep arrays": ("application/json", "[" * DEEP + "]" * DEEP),
    "deep objects": ("application/json", '{"a":' * DEEP + "1" + "}" * DEEP),
    "deep in its place": (
        "application/json", '{"metadata":{"name":"x","labels":' + '{"a":' * DEEP + "1" + "}" * DEEP,
    ),
    "a huge number": (
        "application/json", '{"metadata":{"name":"x","generation":' + "9" * 500_000 + "}}",
    ),
    "a huge exponent": (
        "application/json", '{"metadata":{"name":"x","generation":1e99999999}}',
    ),
    "no number": ("application/json", '{"metadata":{"name":"x","generation":NaN}}'),
    "broken letters": ("application/json", '{"metadata":{"name":"\\ud800"}}'),
    "a long name": ("application/json", '{"metadata":{"name":"' + "a" * 2_000_000 + '"}}'),
    "laughing aliases": (
        "application/yaml",
        "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n"
            for n in range(12)
        ),
    ),
    "an alias of itself": ("application/yaml", "metadata: &a {name: x, labels: *a}\n"),
    "deep yaml": ("application/yaml", "[" * DEEP),
    "deep indented yaml": ("application/yaml", "".join(f"{' ' * n}a:\n" for n in range(1500))),
    "a python object": ("application/yaml", "!!python/object/apply:os.system ['id']\n"),
    "many documents": ("application/yaml", "---\n{}\n" * 100_000),
    "deep protobuf": (
        "application/vnd.kubernetes.protobuf", "k8s\0" + "\x0a\x7f" * 50_000,
    ),
    "an endless protobuf": (
        "application/vnd.kubernetes.protobuf", "k8s\0\x0a" + "\x7f" * 9,
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BOMBS)
def test_documents_that_explode_are_refused_at_once(outside: Outside, what: str) -> None:
    media, text = BOMBS[what]
    start = time.monotonic()
    found = outside.ask("POST", MAPS, "admin", text.encode("latin-1"), media=media)
    assert 400 <= found.status < 500, found.body
    assert time.monotonic() - start < 3
    assert outside.ask("GET", "/healthz").status == 200


def test_a_key_twice_is_told_of(outside: Outside) -> None:
    body = b'{"metadata":{"name":"twice"},"data":{"a":"1","a":"2"}}'
    path = f"{MAPS}?fieldValidation=Strict"
    assert outside.ask("POST", path, "admin", body).status == 400
    assert "299" in outside.ask("POST", f"{MAPS}?fieldValidation=Warn", "admin", body).head


def test_a_name_of_many_megabytes_in_a_selector_is_no_work(outside: Outside) -> None:
    for path in (
        f"{MAPS}?labelSelector=" + "a%20in%20(" + ",".join("b" * 3 for _ in range(9_000)) + ")",
        f"{MAPS}?continue=" + base64.b64encode(b"{" * 20_000).decode().replace("=", "%3D"),
        f"{MAPS}?limit=" + "9" * 5_000,
        f"{MAPS}?resourceVersion=" + "9" * 5_000,
        f"{MAPS}?timeoutSeconds=" + "9" * 5_000 + "&watch=1",
        f"{MAPS}?" + "&".join("a=b" for _ in range(15_000)),
    ):
        start = time.monotonic()
        assert outside.ask("GET", path, "admin").status in (200, 400, 431)
        assert time.monotonic() - start < 2


def test_a_flood_of_one_user_is_turned_away_and_others_are_not(outside: Outside) -> None:
    """Priority and fairness bites: a service account's burst waits or is told 429, an exempt
    administrator is served meanwhile.
    """
    outside.cluster.kubectl("create", "serviceaccount", "flood")
    outside.cluster.kubectl(
        "create", "rolebinding", "flood", "--clusterrole=edit", "--serviceaccount=default:flood"
    )
    token = outside.cluster.kubectl("create", "token", "flood").strip()
    sent = (
        f"POST {MAPS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        "Content-Length: 2\r\n\r\n{}"
    ).encode()
    with outside.connect() as tls:
        tls.sendall(sent * 300)
        start = time.monotonic()
        assert outside.ask("GET", MAPS, "admin").status == 200
        assert time.monotonic() - start < 2
        assert answer(tls).status in (422, 429)


def test_nothing_of_this_has_hurt_the_server(outside: Outside, server: int) -> None:
    log = outside.log()
    assert "unexpectedly" not in log
    assert "Traceback" not in log
    assert "task crashed" not in log
    assert outside.cluster.process("apiserver").pid == server
    for line in log.splitlines():
        json.loads(line)
    assert until("healthy", lambda: outside.ask("GET", "/readyz").status == 200)
