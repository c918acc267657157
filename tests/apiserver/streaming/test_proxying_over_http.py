"""The proxies of pods, services and nodes, from a client's socket to a pod's port."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fake_kubelet import http_port
from rest_world import PODS
from stream_world import HEADERS, SERVICES, World
from test_commands_over_http import run

from cluster.pb.cluster.v1 import kubelet_pb2 as pb

HOP = b"Connection: x-hop\r\nX-Hop: no\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Pod: yes\r\n%b\r\nok" % HOP


def head(raw: bytes) -> tuple[str, dict[str, str]]:
    """The request line and the headers that a pod has seen."""
    line, *rest = raw.decode().split("\r\n\r\n")[0].split("\r\n")
    return line, {name.lower(): value for name, value in (each.split(": ", 1) for each in rest)}


def test_a_request_is_passed_on_with_its_headers_and_without_its_credentials() -> None:
    async def story(world: World) -> None:
        seen: list[bytes] = []
        world.kubelet.ports[8080] = http_port(OK, seen)
        answer = await world.api.get(
            f"{PODS}/web:8080/proxy/a%20b/c/?d=e", X_Own="1", X_Forwarded_For="1.2.3.4",
            X_Remote_User="x",
        )  # fmt: skip
        assert (answer.status, answer.text, answer.headers["X-Pod"]) == (200, "ok", "yes")
        assert "X-Hop" not in answer.headers
        line, headers = head(seen[0])
        assert line == "GET /a%20b/c/?d=e HTTP/1.1"
        assert headers["x-own"] == "1"
        assert headers["x-forwarded-for"] == "1.2.3.4, 127.0.0.1"
        assert headers["x-forwarded-uri"] == f"{PODS}/web:8080/proxy/a%20b/c/"
        assert headers["host"] == world.api.url.removeprefix("http://")
        assert "authorization" not in headers
        assert "x-remote-user" not in headers

    run(story)


def test_slashes_before_a_path_are_as_kubernetes_passes_them_on() -> None:
    async def story(world: World) -> None:
        seen: list[bytes] = []
        world.kubelet.ports[8080] = http_port(OK, seen)
        for tail in ("/", "/x", "//x", "/x//y"):
            await world.api.get(f"{PODS}/web:8080/proxy{tail}")
        lines = [head(each)[0].split()[1] for each in seen]
        assert lines == ["/", "/x", "/x", "/x//y"]

    run(story)


def test_a_body_is_streamed_both_ways() -> None:
    async def story(world: World) -> None:
        world.kubelet.ports[80] = mirror
        sent = [bytes([number % 251]) * 10_000 for number in range(500)]

        async def parts() -> AsyncIterator[bytes]:
            for part in sent:
                yield part

        url = world.api.url + f"{PODS}/web:80/proxy/"
        async with world.api.session.post(url, data=parts(), headers=HEADERS) as answer:
            got = await answer.read()
        assert got.split(b"\r\n\r\n", 1)[0].startswith(b"POST / HTTP/1.1")
        assert len(got) > 5_000_000

    run(story)


async def mirror(inputs: AsyncIterator[pb.PortForwardInput]) -> AsyncIterator[Any]:
    """Sends the raw request back as its answer, chunk by chunk, up to the last chunk."""
    yield pb.PortForwardOutput(data=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    async for item in inputs:
        yield pb.PortForwardOutput(data=b"%x\r\n%b\r\n" % (len(item.data), item.data))
        if item.data.endswith(b"0\r\n\r\n"):
            break
    yield pb.PortForwardOutput(data=b"0\r\n\r\n")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_is_passed_on(method: str) -> None:
    async def story(world: World) -> None:
        seen: list[bytes] = []
        world.kubelet.ports[80] = http_port(OK, seen)
        answer = await world.api.call(method, f"{PODS}/web:80/proxy/x")
        assert answer.status == 200
        assert head(seen[0])[0] == f"{method} /x HTTP/1.1"

    run(story)


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"words", "text/plain; charset=utf-8"),
        (b" <!DOCTYPE html><p>", "text/html; charset=utf-8"),
        (b"\x00\x01", "application/octet-stream"),
    ],
)
def test_an_answer_without_a_type_gets_one(body: bytes, media: str) -> None:
    async def story(world: World) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        world.kubelet.ports[80] = http_port(head + body)
        answer = await world.api.get(f"{PODS}/web:80/proxy/")
        assert (answer.headers["Content-Type"], answer.text.encode()) == (media, body)

    run(story)


def test_the_root_needs_a_slash() -> None:
    async def story(world: World) -> None:
        url = world.api.url + f"{PODS}/web:80/proxy?a=b"
        async with world.api.session.get(url, headers=HEADERS, allow_redirects=False) as answer:
            assert answer.status == 301
            assert answer.headers["Location"] == f"{PODS}/web:80/proxy/?a=b"

    run(story)


def test_redirects_and_pages_lead_through_the_proxy() -> None:
    async def story(world: World) -> None:
        moved = b"HTTP/1.1 302 Found\r\nLocation: /login?x=1\r\nContent-Length: 0\r\n\r\n"
        page = b'<a href="/x">'
        world.kubelet.ports[80] = http_port(moved)
        world.kubelet.ports[81] = http_port(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n" + page
        )
        url = world.api.url + f"{PODS}/web:80/proxy/"
        async with world.api.session.get(url, headers=HEADERS, allow_redirects=False) as answer:
            assert answer.headers["Location"] == f"{PODS}/web:80/proxy/login?x=1"
        answered = await world.api.get(f"{PODS}/web:81/proxy/")
        assert answered.text == f'<a href="{PODS}/web:81/proxy/x">'

    run(story)


BAD = [
    (f"{PODS}/web:99/proxy/", 503, "error trying to reach service: connect: connection refused"),
    (f"{PODS}/web:82/proxy/", 503, "error trying to reach service: malformed HTTP response"),
    (f"{PODS}/web:83/proxy/", 503, "error trying to reach service: EOF"),
    (f"{PODS}/https:web:84/proxy/", 503, "error trying to reach service: tls: "),
    (f"{PODS}/web:nosuch/proxy/", 503, "lookup tcp/nosuch: unknown port"),
    (f"{PODS}/ftp:web:80/proxy/", 400, 'invalid pod request "ftp:web:80"'),
    (f"{PODS}/none/proxy/", 404, 'pods "none" not found'),
    (f"{PODS}/new/proxy/", 400, "address not allowed"),
    (f"{SERVICES}/none/proxy/", 404, 'services "none" not found'),
    (f"{SERVICES}/bare/proxy/", 503, 'no endpoints available for service "bare"'),
    (f"{SERVICES}/bare:9/proxy/", 503, 'no service port 9 found for service "bare"'),
    (f"{SERVICES}/a:b:c:d/proxy/", 400, 'invalid service request "a:b:c:d"'),
    ("/api/v1/nodes/n1:99/proxy/", 503, "error trying to reach service: dial tcp"),
    ("/api/v1/nodes/n9/proxy/", 404, 'nodes "n9" not found'),
]


@pytest.mark.parametrize(("where", "code", "words"), BAD)
def test_what_cannot_be_reached(where: str, code: int, words: str) -> None:
    async def story(world: World) -> None:
        world.kubelet.ports[82] = http_port(b"nonsense\r\n\r\n")
        world.kubelet.ports[83] = http_port(b"")
        world.kubelet.ports[84] = blurting
        await world.add(
            "services", {"metadata": {"name": "bare"}, "spec": {"ports": [{"port": 80}]}}
        )
        new = {"metadata": {"name": "new"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
        await world.add("pods", new)
        answer = await world.api.get(where)
        assert (answer.status, answer.json["kind"]) == (code, "Status")
        assert words in answer.json["message"]

    run(story)


async def blurting(inputs: AsyncIterator[pb.PortForwardInput]) -> AsyncIterator[Any]:
    """Says what is no TLS to whatever it hears."""
    await anext(inputs)
    yield pb.PortForwardOutput(data=b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_an_answer_that_breaks_off_is_cut() -> None:
    async def story(world: World) -> None:
        world.kubelet.ports[80] = http_port(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf")
        reader, writer = await world.raw("GET", f"{PODS}/web:80/proxy/")
        raw = await reader.read()
        assert raw.endswith(b"half")  # and then the end of the connection
        writer.close()

    run(story)


def test_a_service_leads_to_a_ready_pod() -> None:
    async def story(world: World) -> None:
        world.kubelet.ports[8080] = http_port(OK)
        ports = [{"name": "http", "port": 80, "targetPort": 8080}]
        await world.add("services", {"metadata": {"name": "s"}, "spec": {"ports": ports}})
        await world.add("endpointslices.discovery.k8s.io", endpoint_slice("gone", "web"))
        for where in ("s:http", "s:80", "http:s:http"):
            answer = await world.api.get(f"{SERVICES}/{where}/proxy/")
            assert (answer.status, answer.text) == (200, "ok")
        assert {start.pod for start in world.kubelet.forwarded} == {"web"}

    run(story)


def endpoint_slice(*pods: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "s-1", "labels": {"kubernetes.io/service-name": "s"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [
            {
                "addresses": ["10.244.0.5"],
                "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "name": name, "namespace": "default"},
            }
            for name in pods
        ],
    }


def test_a_node_answers_with_a_page_of_its_kubelet() -> None:
    async def story(world: World) -> None:
        answer = await world.api.create("/api/v1/nodes/n1/proxy/run/x?y=z", b"body")
        assert (answer.status, answer.text, answer.headers["Content-Type"]) == (
            200, "ok", "text/plain",
        )  # fmt: skip
        (page,) = world.kubelet.pages
        assert (page.node, page.method, page.path, page.body) == (
            "n1", "POST", "/run/x?y=z", b"body",
        )  # fmt: skip
        assert (await world.api.get("/api/v1/nodes/n1:10250/proxy/healthz")).status == 200

    run(story)


def test_a_websocket_passes_through() -> None:
    async def story(world: World) -> None:
        world.kubelet.ports[80] = upgraded
        reader, writer = await world.raw(
            "GET", f"{PODS}/web:80/proxy/ws", Connection="Upgrade", Upgrade="websocket"
        )
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert b"Upgrade: websocket" in answer
        assert await reader.readexactly(5) == b"hello"
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"PING"
        writer.close()
        await world.kubelet.idle.wait()

    run(story)


async def upgraded(inputs: AsyncIterator[pb.PortForwardInput]) -> AsyncIterator[Any]:
    """Switches protocols, says hello, and then shouts back what it hears."""
    raw = b""
    async for item in inputs:
        raw += item.data
        if b"\r\n\r\n" in raw:
            break
    assert b"connection: upgrade" in raw.lower()
    yield pb.PortForwardOutput(
        data=b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello"
    )
    async for item in inputs:
        yield pb.PortForwardOutput(data=item.data.upper())


def test_a_pod_is_spoken_to_over_tls(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.kubelet.ports[443] = over_tls(OK, server_context(tmp_path))
        answer = await world.api.get(f"{PODS}/https:web:443/proxy/")
        assert (answer.status, answer.text) == (200, "ok")

    run(story)


def server_context(folder: Path) -> ssl.SSLContext:
    """TLS with a certificate that nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pod")])
    born, dies = (datetime.datetime(year, 1, 1, tzinfo=datetime.UTC) for year in (2020, 2120))
    signed = x509.CertificateBuilder(name, name, key.public_key(), 1, born, dies).sign(
        key, hashes.SHA256()
    )
    pem = signed.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "pod.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pod.pem")
    return context


def over_tls(answer: bytes, context: ssl.SSLContext) -> Any:
    """A server that answers the first request, inside TLS."""

    async def serve(inputs: AsyncIterator[pb.PortForwardInput]) -> AsyncIterator[Any]:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        answered = False
        async for item in inputs:
            incoming.write(item.data)
            try:
                if tls.version() is None or not answered:
                    tls.do_handshake()
                    if b"\r\n\r\n" in tls.read():
                        tls.write(answer)
                        answered = True
            except ssl.SSLWantReadError:
                pass
            yield pb.PortForwardOutput(data=outgoing.read())
            if answered:
                return

    return serve


def test_a_client_that_goes_ends_the_proxied_request() -> None:
    async def story(world: World) -> None:
        async def silent(inputs: AsyncIterator[pb.PortForwardInput]) -> AsyncIterator[Any]:
            async for _ in inputs:
                pass
            await asyncio.Event().wait()
            yield None

        world.kubelet.ports[80] = silent
        _, writer = await world.raw("GET", f"{PODS}/web:80/proxy/")
        while not world.kubelet.running:
            await asyncio.sleep(0)
        writer.transport.abort()
        await world.kubelet.idle.wait()

    run(story)
