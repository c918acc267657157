"""How programs of pods reach the API: REST over the pod's sockets, TLS, a token and watches."""

import asyncio
import datetime
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import lru_cache
from pathlib import Path

import pytest
from apiworld import Api, meta
from webworld import World

from cluster.aio import tasks, virtual
from cluster.api import errors
from cluster.client.client import Client
from cluster.client.informer import Informer
from cluster.runtime.emulated import catalog, incluster
from cluster.runtime.emulated.web.messages import Headers, Request, Response
from cluster.runtime.emulated.web.serving import Server, Site
from cluster.runtime.vos.kernel import Call, Io
from cluster.runtime.vos.sockets import Stream
from cluster.runtime.vos.streams import Bytes
from cluster.runtime.vos.tls import Tls

HOST = "10.244.0.90"


@lru_cache(1)
def pair() -> tuple[str, str]:
    """A certificate of the API server's address, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "api")])
    other = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(1)
        .not_valid_before(datetime.datetime(2000, 1, 1))  # noqa: DTZ001
        .not_valid_after(datetime.datetime(2100, 1, 1))  # noqa: DTZ001
        .add_extension(other, critical=False).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    return made.public_bytes(pem).decode(), private.decode()


class Rest:
    """A REST face of an API in memory, in a pod."""

    def __init__(self, world: World, api: Api, folder: Path) -> None:
        self.api = api
        self.asked: list[tuple[str, str]] = []
        self.answer: bytes | None = None
        for path, text in zip(("c", "k"), pair(), strict=True):
            (folder / path).write_text(text)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "c", folder / "k")
        from cluster.runtime.podnetwork import Namespace, Nobody

        self.net = Namespace(world.bridge, (HOST,), Nobody())
        world.bridge.join((HOST,), lambda: self.net)

    async def wrap(self, stream: Stream) -> Stream:
        tls = Tls(stream, self._context)
        await tls.handshake()
        return tls

    async def handle(self, request: Request) -> Response:
        self.asked.append((request.method, request.target))
        if self.answer is not None:
            return _json(self.answer)
        if request.headers.get("authorization") != "Bearer secret":
            return _json(errors.Unauthorized("Unauthorized").status(), 401)
        given = request.parameters()
        parts = request.path.strip("/").split("/")
        resource = "configmaps" if "configmaps" in parts else parts[-1]
        if "watch" in given:
            return Response(200, Headers(), self._events(resource, int(given["resourceVersion"])))
        at = parts.index(resource)
        namespace = parts[at - 1] if parts[at - 2] == "namespaces" else ""
        name = parts[at + 1] if len(parts) > at + 1 else ""
        try:
            if request.method in ("POST", "PUT", "PATCH"):
                return _json((await self._written(request, resource, namespace, name)).json)
            if name:
                return _json((await self.api.get(resource, namespace, name)).json)
        except errors.StatusError as error:
            return _json(error.status(), error.code)
        page = await self.api.list(resource, namespace, labels="", fields="", limit=0, token="")
        start = int(given.get("continue", "0"))
        more = str(start + 2) if start + 2 < len(page.items) else ""
        items = ",".join(one.json.decode() for one in page.items[start : start + 2])
        head = json.dumps({"resourceVersion": str(page.revision), "continue": more})
        return _json(f'{{"metadata":{head},"items":[{items}]}}'.encode())

    async def _written(self, request: Request, resource: str, namespace: str, name: str):  # type: ignore[no-untyped-def]
        from cluster.api.operations import Operation, Verb

        verbs = {"POST": Verb.CREATE, "PUT": Verb.UPDATE, "PATCH": Verb.PATCH}
        body = await request.body()
        name = name or json.loads(body)["metadata"]["name"]
        operation = Operation(verbs[request.method], resource, namespace, name, body=body)
        (found,) = await self.api.write([operation])
        if isinstance(found, errors.StatusError):
            raise found
        return found

    async def _events(self, resource: str, revision: int) -> AsyncIterator[bytes]:
        if revision == 0:
            text = json.dumps({"type": "ERROR", "object": errors.Expired("too old").status()})
            yield text.encode() + b"\n"
            return
        stream = self.api.watch(resource, "", revision=revision, labels="", fields="")
        async for batch in stream:
            for one in batch:
                data = f'{{"type":"{one.type}","object":{one.json.decode()}}}\n'.encode()
                yield data[:7]  # events may come in pieces
                yield data[7:]


def _json(data: object, status: int = 200) -> Response:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Response(status, Headers([("Content-Type", "application/json")]), body)


def inside(
    folder: Path, story: Callable[[Client, Rest], Awaitable[None]], *, token: str = "secret",
    authority: str = "",
) -> None:  # fmt: skip
    """Run a story as a program of a pod that may ask the API."""

    async def main() -> None:
        world = World()
        rest = Rest(world, Api(), folder)
        files = {f"{incluster.FOLDER}/token": token, f"{incluster.FOLDER}/namespace": "prod",
                 f"{incluster.FOLDER}/ca.crt": authority or pair()[0]}  # fmt: skip
        box = world.box(
            catalog.find("library/busybox"), files=files, KUBERNETES_SERVICE_HOST=HOST,
            KUBERNETES_SERVICE_PORT="443",
        )  # fmt: skip

        async def program(call: Call) -> int:
            async with incluster.client(call, manager="test") as client:
                assert incluster.namespace(call) == "prod"
                await story(client, rest)
            return 0

        box.kernel.programs = {**box.kernel.programs, "program": program}
        site = Site(handler=rest.handle, now=box.kernel.clock.now, wrap=rest.wrap)
        async with tasks.Group("test") as group:
            Server(site, group).listen(rest.net.listen(443))
            process = box.kernel.start(["program"], Io(Bytes(b""), box.out, box.err))
            async with asyncio.timeout(600):
                assert await process.wait() == 0
            group.cancel()

    virtual.run(main())


def config(name: str, **data: str) -> dict[str, object]:
    """A ConfigMap."""
    return {"metadata": meta(name), "data": data}


def test_an_informer_lists_page_by_page_and_follows(tmp_path: Path) -> None:
    async def story(client: Client, rest: Rest) -> None:
        for number in range(5):
            rest.api.put("configmaps", config(f"c{number}"))
        informer = Informer(client, "configmaps")
        async with tasks.Group("informer") as group:
            group.spawn(informer.run(), "run")
            await informer.synced()
            assert len(informer.store) == 5
            rest.api.put("configmaps", config("late", a="1"))
            await asyncio.sleep(1)
            assert informer.store.get("default/late") is not None
            rest.api.remove("configmaps", "default/c0")
            await asyncio.sleep(1)
            assert informer.store.get("default/c0") is None
            group.cancel()
        assert [target.partition("?")[0] for _, target in rest.asked[:3]] == [
            "/api/v1/configmaps"
        ] * 3

    inside(tmp_path, story)


def test_objects_are_read_and_written_by_their_paths(tmp_path: Path) -> None:
    async def story(client: Client, rest: Rest) -> None:
        made = await client.create("configmaps", config("a", x="1"))
        assert made["data"] == {"x": "1"}
        with pytest.raises(errors.AlreadyExists):
            await client.create("configmaps", config("a"))
        await client.patch("configmaps", "a", {"data": {"x": "2"}}, "default")
        assert (await client.get("configmaps", "a", "default"))["data"] == {"x": "2"}
        with pytest.raises(errors.NotFound, match='configmaps "b" not found'):
            await client.get("configmaps", "b", "default")
        with pytest.raises(errors.NotFound):
            await client.get("nonsense.example.org", "b")
        methods = [method for method, _ in rest.asked]
        assert methods == ["POST", "POST", "PATCH", "GET", "GET"]
        assert rest.asked[2][1].startswith("/api/v1/namespaces/default/configmaps/a?fieldManager=")

    inside(tmp_path, story)


def test_an_old_revision_is_expired(tmp_path: Path) -> None:
    async def story(client: Client, _rest: Rest) -> None:
        with pytest.raises(errors.Expired):
            await client.follow("configmaps", revision=0, take=lambda _events: None)

    inside(tmp_path, story)


def test_who_is_not_known_is_told_so(tmp_path: Path) -> None:
    async def story(client: Client, _rest: Rest) -> None:
        with pytest.raises(errors.Unauthorized):
            await client.list("configmaps")

    inside(tmp_path, story, token="other")


@pytest.mark.parametrize("answer", [b"", b"nonsense", b"[]", b'{"items":3}', b"[" * 100_000])
def test_what_is_no_answer_of_kubernetes_is_a_server_that_is_away(
    tmp_path: Path, answer: bytes
) -> None:
    async def story(client: Client, rest: Rest) -> None:
        rest.answer = answer
        with pytest.raises(errors.ServiceUnavailable):
            await client.list("configmaps")
        with pytest.raises(errors.ServiceUnavailable):
            await client.get("configmaps", "a", "default")

    inside(tmp_path, story)


def test_a_server_of_another_authority_is_not_believed(tmp_path: Path) -> None:
    from cluster.runtime import tlsserving

    text = tlsserving._made().decode()
    other = text[text.index("-----BEGIN CERTIFICATE") :]

    async def story(client: Client, rest: Rest) -> None:
        with pytest.raises(errors.ServiceUnavailable, match="certificate verify failed"):
            await client.list("configmaps")
        assert not rest.asked

    inside(tmp_path, story, authority=other)


def test_outside_a_cluster_there_is_no_way() -> None:
    async def main() -> None:
        box = World().box(catalog.find("library/busybox"))
        process = box.kernel.start(["sleep", "1"], Io(Bytes(b""), box.out, box.err))
        call = Call(("x",), process, process.io, {}, "/")
        with pytest.raises(incluster.Outside, match="must be defined"):
            incluster.client(call)
        await process.wait()

    virtual.run(main())
