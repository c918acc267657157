"""ingress-nginx: which Ingress is heeded, which path is whose, and what goes through."""

import asyncio
import base64
import json
import ssl
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

import pytest
from apiworld import Api, endpoints, meta, service
from hypothesis import given
from hypothesis import strategies as st
from webworld import Box, Got, World

from cluster.aio import virtual
from cluster.api import errors
from cluster.client.client import Client
from cluster.runtime.emulated import catalog, incluster
from cluster.runtime.emulated.ingressnginx import annotations, certgen, certificates, model
from cluster.runtime.emulated.ingressnginx.controller import _compiled
from cluster.runtime.emulated.ingressnginx.endpoints import Endpoints
from cluster.runtime.emulated.ingressnginx.model import Backend
from cluster.runtime.emulated.web import websocket
from cluster.runtime.emulated.web.client import Conversation
from cluster.runtime.emulated.web.messages import Headers
from cluster.runtime.vos.tls import Tls

CLASS = {"metadata": meta("nginx", ""), "spec": {"controller": "k8s.io/ingress-nginx"}}
PUBLISH = ("--publish-service=ingress-nginx/front",)


def path(text: str, to: str, kind: str = "Prefix", port: int | str = 80) -> dict[str, Any]:
    wanted = {"number": port} if isinstance(port, int) else {"name": port}
    return {"path": text, "pathType": kind, "backend": {"service": {"name": to, "port": wanted}}}


def ingress(
    name: str, host: str = "", *paths: dict[str, Any], tls: str = "", default: str = "",
    cls: str | None = "nginx", at: str = "2026-01-01T00:00:00Z", **notes: str,
) -> dict[str, Any]:  # fmt: skip
    told = {annotations.PREFIX + key.replace("_", "-"): value for key, value in notes.items()}
    rule: dict[str, Any] = {"http": {"paths": list(paths)}}
    spec: dict[str, Any] = {"rules": [{"host": host, **rule} if host else rule]} if paths else {}
    if cls is not None:
        spec["ingressClassName"] = cls
    if tls:
        spec["tls"] = [{"hosts": [host], "secretName": tls}]
    if default:
        spec["defaultBackend"] = {"service": {"name": default, "port": {"number": 80}}}
    made = meta(name, creationTimestamp=at, annotations=told)
    return {"metadata": made, "spec": spec, "status": {"loadBalancer": {}}}


def built(*ingresses: dict[str, Any], **more: Any) -> model.Model:
    return model.build(
        ingresses, [CLASS], model.Options(**more), annotations.Settings(), compiled=_compiled,
        has_certificate=lambda _namespace, name: name == "good",
    )  # fmt: skip


def chosen(made: model.Model, host: str, uri: str) -> str:
    found = made.server(host)
    location = found.locate(uri) if found is not None else None
    return location.backend.service if location and location.backend else ""


PATHS = (
    path("/", "root"), path("/foo", "foo"), path("/foo/bar/", "bar"),
    path("/exact", "exact", "Exact"), path("/impl", "impl", "ImplementationSpecific"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("uri", "service"),
    [
        ("/", "root"), ("/other", "root"), ("/foo", "foo"), ("/foo/", "foo"), ("/foo/x", "foo"),
        ("/foobar", "root"), ("/foo/bar", "bar"), ("/foo/bar/x", "bar"), ("/foo/barx", "foo"),
        ("/exact", "exact"), ("/exact/", "root"), ("/impl", "impl"), ("/implement", "impl"),
        ("/FOO", "root"),
    ],
)  # fmt: skip
def test_paths_of_every_type(uri: str, service: str) -> None:
    assert chosen(built(ingress("a", "x.test", *PATHS)), "x.test", uri) == service


@pytest.mark.parametrize(
    ("uri", "service"),
    [
        ("/api/v1", "api"), ("/API/v1", "api"), ("/api", "api"), ("/apix", "root"),
        ("/item/42", "item"), ("/item/x", "root"), ("/exact", "exact"), ("/exacter", "root"),
    ],
)  # fmt: skip
def test_paths_are_patterns_where_one_of_the_host_is(uri: str, service: str) -> None:
    made = built(
        ingress("a", "x.test", path("/api(/|$)(.*)", "api", "ImplementationSpecific"),
                path("/item/[0-9]+", "item", "ImplementationSpecific"), rewrite_target="/$2"),
        ingress("b", "x.test", path("/", "root"), path("/exact", "exact", "Exact")),
    )  # fmt: skip
    assert chosen(made, "x.test", uri) == service


def test_hosts_are_exact_then_wild_then_anybodys() -> None:
    made = built(
        ingress("a", "a.test", path("/", "a")), ingress("b", "*.test", path("/", "wild")),
        ingress("c", "", path("/", "any")),
    )  # fmt: skip
    found = [chosen(made, host, "/") for host in ("a.test", "b.test", "c.b.test", "other")]
    assert found == ["a", "wild", "wild", "any"]


def test_the_older_ingress_has_a_path_that_two_want() -> None:
    made = built(
        ingress("new", "x.test", path("/", "new"), at="2026-02-01T00:00:00Z"),
        ingress("old", "x.test", path("/", "old"), at="2025-02-01T00:00:00Z"),
    )  # fmt: skip
    assert chosen(made, "x.test", "/") == "old"
    assert made.complaints == {
        "default/new": ['host "x.test" and path "/" is already defined in ingress default/old']
    }


@pytest.mark.parametrize(
    ("given", "options", "ours"),
    [
        ({"cls": "nginx"}, {}, True),
        ({"cls": "other"}, {}, False),
        ({"cls": None}, {}, False),
        ({"cls": None}, {"without_class": True}, True),
        ({"cls": "other"}, {"ingress_class": "other", "by_name": True}, True),
    ],
)
def test_ingresses_of_other_classes_are_others(
    given: dict[str, Any], options: dict[str, Any], *, ours: bool
) -> None:
    assert bool(built(ingress("a", "x.test", path("/", "a"), **given), **options).owned) is ours


def test_the_old_annotation_names_a_class_too() -> None:
    made = ingress("a", "x.test", path("/", "a"), cls=None)
    made["metadata"]["annotations"]["kubernetes.io/ingress.class"] = "nginx"
    assert built(made).owned


def test_a_certificate_that_is_not_there_is_told_of() -> None:
    made = built(ingress("a", "x.test", path("/", "a"), tls="gone"))
    assert "default/gone was not found" in made.complaints["default/a"][0]
    assert not made.servers["x.test"].tls
    assert built(ingress("a", "x.test", path("/", "a"), tls="good")).servers["x.test"].tls


@given(st.dictionaries(
    st.sampled_from(["rewrite-target", "ssl-redirect", "proxy-body-size", "canary-weight", "canary",
                     "whitelist-source-range", "limit-rps", "proxy-read-timeout", "enable-cors",
                     "custom-http-errors", "permanent-redirect-code", "server-alias"]),
    st.text(max_size=12)))  # fmt: skip
def test_no_annotation_does_worse_than_be_told_of(notes: dict[str, str]) -> None:
    one = ingress("a", "x.test", path("/", "a"))
    one["metadata"]["annotations"] = {
        annotations.PREFIX + key: value for key, value in notes.items()
    }
    made = built(one)
    assert "default/a" in made.owned


def test_endpoints_are_those_that_are_ready_by_the_ports_name() -> None:
    found = Endpoints()
    found.put_service("default/web", service("web", "10.96.0.9", ("http", 80), ("admin", 81)))
    ports = (("http", 8080), ("admin", 9090))
    found.put_slice("default/web-x", endpoints("web", "10.0.0.1", "10.0.0.2", ports=ports))
    found.put_slice("default/web-y", endpoints("web", "10.0.0.3", ports=ports, ready=False))
    by_number, by_name = Backend("default", "web", 80), Backend("default", "web", "admin")
    assert [str(one) for one in found.peers(by_number)] == ["10.0.0.1:8080", "10.0.0.2:8080"]
    assert [one.port for one in found.peers(by_name)] == [9090, 9090]
    assert [found.turn(by_number)[0].host for _ in range(3)] == ["10.0.0.1", "10.0.0.2", "10.0.0.1"]
    found.put_slice("default/web-x", None)
    assert not found.peers(by_number)


# ---- the program ---------------------------------------------------------------------------------


@lru_cache(1)
def certificate() -> dict[str, bytes]:
    return certgen._made(["x.test"])


class Cluster:
    """A controller, pods behind services, and an API."""

    def __init__(self) -> None:
        self.world = World()
        self.api = Api()
        self.pods: dict[str, Box] = {}
        self.api.put("ingressclasses.networking.k8s.io", dict(CLASS))
        front = service("front", "10.96.0.8", ("http", 80), namespace="ingress-nginx",
                        type="LoadBalancer")  # fmt: skip
        self.api.put("services", {**front, "status": {"loadBalancer": {"ingress": [
            {"ip": "172.18.0.9", "ipMode": "VIP"}]}}})  # fmt: skip
        pair = {"tls.crt": certificate()["cert"], "tls.key": certificate()["key"]}
        data = {key: base64.b64encode(value).decode() for key, value in pair.items()}
        self.api.put("secrets", {"metadata": meta("good"), "data": data})
        self.box = self.world.box(
            catalog.find("ingress-nginx/controller"), "v1.11.2", hostname="ingress-1",
            files={f"{incluster.FOLDER}/token": "t",
                   f"{incluster.FOLDER}/namespace": "ingress-nginx"},
            POD_NAME="ingress-1", POD_NAMESPACE="ingress-nginx",
        )  # fmt: skip
        self.box.kernel.api = lambda _token: self.api

    async def serve(
        self, name: str, *hostnames: str, image: str = "mendhak/http-https-echo"
    ) -> None:
        """A service with pods."""
        addresses: list[str] = []
        for hostname in hostnames or (name,):
            box = self.world.box(catalog.find(image), hostname=hostname)
            await box.begin()
            self.pods[hostname] = box
            addresses.append(box.address)
        self.api.put("services", service(name, "10.96.0.100", ("http", 80)))
        self.api.put("endpointslices.discovery.k8s.io",
                     endpoints(name, *addresses, ports=(("http", 8080),)))  # fmt: skip

    async def put(self, *ingresses: dict[str, Any]) -> None:
        """Write Ingresses, and wait until they count."""
        for one in ingresses:
            self.api.put("ingresses.networking.k8s.io", one)
        await asyncio.sleep(0.2)

    async def get(self, host: str, target: str = "/", **more: Any) -> Got:
        headers = {"Host": host, **more.pop("headers", {})}
        return await self.world.get(self.box, target, headers=headers, **more)

    async def secure(self, host: str, target: str = "/") -> tuple[Got, str]:
        """Ask by TLS; the answer, and whose certificate it was."""
        context = ssl.create_default_context(cadata=certificate()["ca"].decode())
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        stream = await self.world.client.connect(self.box.address, 443)
        tls = Tls(stream, context, host)
        await tls.handshake()
        from cryptography import x509

        peer = tls._tls.getpeercert(binary_form=True)
        assert peer is not None
        owner = x509.load_der_x509_certificate(peer).subject.rfc4514_string()
        talk = Conversation(tls)
        await talk.send("GET", target, Headers([("Host", host)]))
        answer = await talk.answer()
        data = await talk.everything(1 << 20)
        tls.close()
        return Got(answer.status, answer.headers, data, answer.reason), owner

    def status(self, name: str) -> list[dict[str, str]]:
        found = self.api.objects[("ingresses.networking.k8s.io", f"default/{name}")]
        return list((found["status"].get("loadBalancer") or {}).get("ingress") or [])


def on(
    story: Callable[[Cluster], Awaitable[None]], *flags: str,
    files: dict[str, bytes] | None = None,
) -> Cluster:  # fmt: skip
    kept: list[Cluster] = []

    async def main() -> None:
        cluster = Cluster()
        kept.append(cluster)
        for name, content in (files or {}).items():
            cluster.box.kernel.files.put(name, content)
        await cluster.box.begin("/nginx-ingress-controller", *(flags or PUBLISH))
        try:
            await story(cluster)
        finally:
            for one in (cluster.box, *cluster.pods.values()):
                if one.main is not None:
                    one.main.signal(9)
                    await one.main.wait()

    virtual.run(main())
    return kept[0]


def echoed(got: Got) -> dict[str, Any]:
    assert got.status == 200, got.text
    return dict(json.loads(got.text))


def test_requests_go_to_services_with_the_headers_of_a_proxy() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.serve("web")
        await cluster.put(ingress("a", "x.test", path("/", "web")))
        told = echoed(await cluster.get("x.test", "/some/path?q=1", headers={"X-Mine": "yes"}))
        assert told["path"] == "/some/path"
        headers = {key.lower(): value for key, value in told["headers"].items()}
        assert headers["host"] == "x.test"
        assert headers["x-forwarded-for"] == headers["x-real-ip"] == "10.244.0.2"
        assert (headers["x-forwarded-proto"], headers["x-forwarded-port"]) == ("http", "80")
        assert (headers["x-mine"], len(headers["x-request-id"])) == ("yes", 32)
        other = await cluster.get("y.test")
        assert (other.status, "404 Not Found" in other.text) == (404, True)

    cluster = on(story)
    lines = [line for line in cluster.box.log.splitlines() if "GET" in line]
    assert lines[0].startswith("10.244.0.2 - - [01/Jan/2026:00:00:00 +0000] "
                               '"GET /some/path?q=1 HTTP/1.1" 200 ')  # fmt: skip
    assert f"[default-web-80] [] {cluster.pods['web'].address}:8080 " in lines[0]
    assert lines[1].split('"-" "-"')[1].split(" ", 3)[3].startswith("[upstream-default-backend] []")


def test_heads_are_refused_with_the_pages_of_nginx_and_absolute_targets_name_the_host() -> None:
    async def check(cluster: Cluster) -> None:
        await cluster.serve("web")
        await cluster.put(ingress("a", "a.example", path("/", "web")))
        both = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        start = b"POST / HTTP/1.1\r\nHost: a.example\r\n"
        for request, title in (
            (start + both, "400 Bad Request"),
            (b"GET /" + b"a" * 40000 + start[6:] + b"\r\n", "414 Request-URI Too Large"),
        ):
            said = (await cluster.world.raw(cluster.box, request)).decode()
            assert said.startswith(f"HTTP/1.1 {title}\r\n")
            assert f"<h1>{title}</h1></center>\r\n<hr><center>nginx</center>" in said
        got = await cluster.get("other", "http://a.example/there?x=1")
        assert got.status == 200
        assert echoed(got)["path"] == "/there"

    on(check)


def test_paths_are_rewritten_with_what_their_patterns_found() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.serve("web")
        rule = path("/app(/|$)(.*)", "web", "ImplementationSpecific")
        await cluster.put(ingress("a", "x.test", rule, rewrite_target="/new/$2"))
        assert echoed(await cluster.get("x.test", "/app/one%20two?a=b"))["path"] == "/new/one%20two"
        assert echoed(await cluster.get("x.test", "/app"))["path"] == "/new/"
        assert (await cluster.get("x.test", "/apple")).status == 404

    on(story)


def test_clients_of_a_host_with_a_certificate_are_sent_to_tls() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.serve("web")
        await cluster.put(ingress("a", "x.test", path("/", "web"), tls="good"))
        got = await cluster.get("x.test", "/p?q=1")
        assert (got.status, got.headers.get("location")) == (308, "https://x.test/p?q=1")
        got, owner = await cluster.secure("x.test", "/p")
        headers = {key.lower(): value for key, value in echoed(got)["headers"].items()}
        assert (headers["x-forwarded-proto"], owner) == ("https", "O=nil2")
        assert got.headers.get("strict-transport-security").startswith("max-age=31536000")
        _, owner = await cluster.secure("y.test")
        assert "Kubernetes Ingress Controller Fake Certificate" in owner

    on(story)


def test_a_new_certificate_counts_for_new_connections() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.serve("web")
        await cluster.put(ingress("a", "x.test", path("/", "web"), tls="good"))
        pem = certificates.fake()
        at = pem.index(b"-----BEGIN CERTIFICATE")
        data = {"tls.key": pem[:at], "tls.crt": pem[at:]}
        cluster.api.put("secrets", {"metadata": meta("good"), "data": {
            key: base64.b64encode(value).decode() for key, value in data.items()}})  # fmt: skip
        await asyncio.sleep(0.2)
        assert "Fake" in (await cluster.secure("x.test"))[1]

    on(story)


def test_changes_drop_no_request_that_is_under_way() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.serve("web", image="stefanprodan/podinfo")
        box = cluster.pods["web"]
        cluster.api.put("endpointslices.discovery.k8s.io",
                        endpoints("web", box.address, ports=(("http", 9898),)))  # fmt: skip
        await cluster.put(ingress("a", "x.test", path("/", "web")))
        slow = asyncio.get_running_loop().create_task(cluster.get("x.test", "/delay/5"))
        await asyncio.sleep(1)
        await cluster.put(ingress("a", "x.test", path("/other", "web")))
        assert (await cluster.get("x.test", "/")).status == 404
        assert (await slow).status == 200

    on(story)


def test_an_endpoint_that_is_gone_costs_no_request_and_none_at_all_are_503() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.serve("web", "web-1", "web-2")
        await cluster.put(ingress("a", "x.test", path("/", "web")))
        one = cluster.pods.pop("web-1")
        assert one.main is not None
        one.main.signal(9)
        await one.main.wait()
        for _ in range(4):
            assert (await cluster.get("x.test")).status == 200
        cluster.api.remove("endpointslices.discovery.k8s.io", "default/web-x")
        await asyncio.sleep(0.01)
        assert (await cluster.get("x.test")).status == 503

    cluster = on(story)
    assert "connect() failed (111: Connection refused) while connecting to upstream" in (
        cluster.box.errors
    )


def test_connections_to_endpoints_are_kept_and_one_that_was_closed_costs_no_request() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.serve("web")
        await cluster.put(ingress("a", "x.test", path("/", "web")))
        for method in ("GET", "HEAD", "GET"):
            assert (await cluster.get("x.test", method=method)).status == 200
        box = cluster.pods["web"]
        ports = {one.peer for one in box.net.open_sockets() if one.state == "ESTABLISHED"}
        assert len(ports) == 1
        assert box.main is not None
        box.main.signal(9)
        await box.main.wait()
        await box.begin()
        assert (await cluster.get("x.test")).status == 200
        assert (await cluster.get("x.test", method="POST", body=b"x")).status == 200

    on(story)


def test_status_tells_where_it_is_reached_and_its_end_takes_that_back() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.serve("web")
        await cluster.put(ingress("a", "x.test", path("/", "web")))
        await asyncio.sleep(5)
        assert cluster.status("a") == [{"ip": "172.18.0.9"}]
        leases = [key for kind, key in cluster.api.objects if kind == "leases.coordination.k8s.io"]
        assert leases == ["ingress-nginx/ingress-nginx-leader"]
        events = [one for (kind, _), one in cluster.api.objects.items() if kind == "events"]
        assert ("Sync", "Scheduled for sync") in [(one["reason"], one["message"]) for one in events]
        assert cluster.box.main is not None
        cluster.box.main.signal(15)
        assert await cluster.box.main.wait() == 0
        assert cluster.status("a") == []

    on(story)


def test_websockets_go_through() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.serve("web", image="jmalloc/echo-server")
        await cluster.put(ingress("a", "x.test", path("/", "web")))
        stream = await cluster.world.client.connect(cluster.box.address, 80)
        await stream.send(
            b"GET /.ws HTTP/1.1\r\nHost: x.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        data = b""
        while b"\r\n\r\n" not in data:
            data += await stream.receive()
        assert data.startswith(b"HTTP/1.1 101 ")
        message = b"hello"
        await stream.send(bytes((0x81, 0x80 | len(message))) + bytes(4) + message)
        while message not in data:
            data += await stream.receive()
        await stream.send(bytes((0x80 | websocket.CLOSE, 0x80)) + bytes(4))
        stream.close()

    on(story)


@pytest.mark.parametrize(
    ("notes", "asked", "status", "header"),
    [
        ({"permanent_redirect": "https://to.test"}, {}, 301, ("location", "https://to.test")),
        ({"temporal_redirect": "https://to.test"}, {}, 302, ("location", "https://to.test")),
        ({"app_root": "/app"}, {}, 302, ("location", "http://x.test/app")),
        ({"force_ssl_redirect": "true"}, {}, 308, ("location", "https://x.test/")),
        ({"whitelist_source_range": "192.0.2.0/24"}, {}, 403, ("content-type", "text/html")),
        ({"denylist_source_range": "10.244.0.0/16"}, {}, 403, ("content-type", "text/html")),
        ({"proxy_body_size": "4"}, {"method": "POST", "body": b"12345"}, 413, ("", "")),
        ({"enable_cors": "true"}, {"method": "OPTIONS"}, 204, ("access-control-allow-origin", "*")),
        ({"auth_type": "basic", "auth_secret": "users", "auth_realm": "R"}, {}, 401,
         ("www-authenticate", 'Basic realm="R"')),
        ({"auth_type": "basic", "auth_secret": "users"},
         {"headers": {"Authorization": "Basic YW5uOnNlY3JldA=="}}, 200, ("", "")),
        ({"affinity": "cookie", "session_cookie_name": "S"}, {}, 200, ("set-cookie", "S=")),
    ],
)  # fmt: skip
def test_annotations(
    notes: dict[str, str], asked: dict[str, Any], status: int, header: tuple[str, str]
) -> None:
    async def story(cluster: Cluster) -> None:
        users = base64.b64encode(b"ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n").decode()
        cluster.api.put("secrets", {"metadata": meta("users"), "data": {"auth": users}})
        await cluster.serve("web")
        await cluster.put(ingress("a", "x.test", path("/", "web"), **notes))
        got = await cluster.get("x.test", "/", **asked)
        assert got.status == status
        assert not header[0] or got.headers.get(header[0]).startswith(header[1])

    on(story)


def test_a_cookie_keeps_a_client_at_its_endpoint() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.serve("web", "web-1", "web-2")
        await cluster.put(ingress("a", "x.test", path("/", "web"), affinity="cookie"))
        first = await cluster.get("x.test")
        cookie = first.headers.get("set-cookie").partition(";")[0]
        mine = echoed(first)["os"]["hostname"]
        for _ in range(4):
            again = await cluster.get("x.test", headers={"Cookie": cookie})
            assert echoed(again)["os"]["hostname"] == mine
            assert "set-cookie" not in again.headers

    on(story)


def test_a_canary_has_its_share_and_those_who_ask_for_it() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.serve("web", "stable")
        await cluster.serve("next", "canary")
        await cluster.put(
            ingress("a", "x.test", path("/", "web")),
            ingress("b", "x.test", path("/", "next"), canary="true", canary_weight="25",
                    canary_by_header="X-Canary"),
        )  # fmt: skip
        told = [echoed(await cluster.get("x.test"))["os"]["hostname"] for _ in range(100)]
        assert told.count("canary") == 25
        got = await cluster.get("x.test", headers={"X-Canary": "always"})
        assert echoed(got)["os"]["hostname"] == "canary"

    on(story)


def test_what_nobody_has_goes_to_the_default_backend() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.serve("web")
        await cluster.serve("fallback", "last")
        await cluster.put(
            ingress("a", "x.test", path("/a", "web")), ingress("b", default="fallback")
        )
        assert echoed(await cluster.get("nobody.test", "/"))["os"]["hostname"] == "last"
        assert echoed(await cluster.get("x.test", "/a"))["os"]["hostname"] == "web"

    on(story)


def test_the_command_lines_default_backend_answers_for_all_others() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.serve("none", image="defaultbackend-amd64")
        await asyncio.sleep(0.1)
        got = await cluster.get("nobody.test", "/")
        assert (got.status, got.text) == (404, "default backend - 404")

    on(story, "--default-backend-service=default/none")


def test_health_metrics_and_an_end_that_waits_for_requests() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.serve("web", image="stefanprodan/podinfo")
        address = cluster.pods["web"].address
        cluster.api.put("endpointslices.discovery.k8s.io",
                        endpoints("web", address, ports=(("http", 9898),)))  # fmt: skip
        await cluster.put(ingress("a", "x.test", path("/", "web")))
        assert (await cluster.get("", "/healthz", port=10254)).status == 200
        assert (await cluster.get("x.test", "/healthz")).status == 200
        page = (await cluster.get("", "/metrics", port=10254)).text
        assert (
            'nginx_ingress_controller_requests{host="x.test",ingress="a",method="GET",'
            'namespace="default",path="/",service="web",status="200"} 1' in page
        )
        slow = asyncio.get_running_loop().create_task(cluster.get("x.test", "/delay/20"))
        await asyncio.sleep(1)
        stopping = asyncio.get_running_loop().create_task(cluster.box.run("/wait-shutdown"))
        await asyncio.sleep(1)
        with pytest.raises(ConnectionRefusedError):
            await cluster.world.client.connect(cluster.box.address, 80)
        assert (await slow).status == 200
        assert (await stopping).code == 0
        assert cluster.box.main is not None
        assert await cluster.box.main.wait() == 0

    on(story)


def test_the_webhook_refuses_what_cannot_be_served() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.put(ingress("a", "x.test", path("/", "web")))
        context = ssl.create_default_context(cadata=certificate()["ca"].decode())

        async def review(one: dict[str, Any]) -> dict[str, Any]:
            stream = await cluster.world.client.connect(cluster.box.address, 8443)
            tls = Tls(stream, context, "x.test")
            await tls.handshake()
            talk = Conversation(tls)
            asked = {"request": {"uid": "u1", "object": one}}
            await talk.send("POST", "/networking/v1/ingresses", Headers([("Host", "h")]),
                            json.dumps(asked).encode())  # fmt: skip
            await talk.answer()
            told = json.loads(await talk.everything(1 << 20))
            tls.close()
            return dict(told["response"])

        assert await review(ingress("b", "y.test", path("/", "web"))) == {
            "uid": "u1", "allowed": True
        }  # fmt: skip
        refused = await review(ingress("b", "x.test", path("/", "web")))
        assert not refused["allowed"]
        assert refused["status"]["message"] == (
            'host "x.test" and path "/" is already defined in ingress default/a'
        )

    flags = ("--validating-webhook=:8443", "--validating-webhook-certificate=/c",
             "--validating-webhook-key=/k")  # fmt: skip
    on(story, *flags, files={"/c": certificate()["cert"], "/k": certificate()["key"]})


def test_an_api_that_is_away_ends_it_with_a_word() -> None:
    async def main() -> None:
        cluster = Cluster()
        cluster.api.down = True
        process = await cluster.box.begin("/nginx-ingress-controller")
        assert await process.wait() == 255
        assert "timed out waiting for caches to sync" in cluster.box.errors

    virtual.run(main())


def test_the_webhooks_certificate_is_made_and_told_to_the_api() -> None:
    async def main() -> None:
        world, api = World(), Api()
        hooks = "validatingwebhookconfigurations.admissionregistration.k8s.io"
        api.put(hooks, {"metadata": meta("w", ""), "webhooks": [{"name": "v", "clientConfig": {}}]})
        box = world.box(catalog.find("ingress-nginx/kube-webhook-certgen"),
                        files={f"{incluster.FOLDER}/token": "t"})  # fmt: skip
        box.kernel.api = lambda _token: api
        told = ("--namespace=default", "--secret-name=s")
        for words in (
            ("create", "--host=a,a.default.svc", *told),
            ("patch", "--webhook-name=w", *told),
        ):
            process = await box.begin(*words)
            assert await process.wait() == 0
        async with Client(api) as client:
            data = (await client.get("secrets", "s", "default"))["data"]
            hook = (await client.get(hooks, "w"))["webhooks"][0]
            assert hook["clientConfig"]["caBundle"] == data["ca"]
            with pytest.raises(errors.NotFound):
                await client.get("secrets", "other", "default")
        context = certificates.context(
            base64.b64decode(data["key"]) + base64.b64decode(data["cert"])
        )
        assert context.get_ca_certs() == []

    virtual.run(main())
