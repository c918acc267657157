"""The client: pulls and pushes against the registry, and against servers that hang or lie."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from registryworld import World, against, htpasswd

from cluster.api import imagereferences
from cluster.images import digests, faults, manifests, media, platforms
from cluster.images.client import challenge, credentials, pulling, pushing, remote
from cluster.images.descriptors import Descriptor
from cluster.images.store.layout import Store

LINUX = platforms.Platform()
PATIENT = remote.Settings(connect=10.0, idle=15.0, progress=15.0)
SOON_IDLE = remote.Settings(connect=10.0, idle=0.3, progress=15.0)
SOON_SLOW = remote.Settings(connect=10.0, idle=15.0, progress=0.5)


async def pull(host: str, name: str, store: Store, who=None, settings=PATIENT) -> pulling.Pulled:
    reference = imagereferences.parse(f"{host}/{name}")
    async with remote.opened(host, who, settings) as registry:
        return await pulling.pull(registry, reference, store, platform=LINUX)


async def push(host: str, name: str, store: Store, target: Descriptor, who=None) -> None:
    async with remote.opened(host, who, PATIENT) as registry:
        await pushing.push(registry, imagereferences.parse(f"{host}/{name}"), store, target)


async def image(store: Store, content: bytes, **platform: str) -> Descriptor:
    """An image in the store."""
    config = manifests.encode({**platform, "rootfs": {"type": "layers", "diff_ids": []}})
    layer = Descriptor(media.OCI_LAYER, store.blobs.put(content), len(content))
    of_config = Descriptor(media.OCI_CONFIG, store.blobs.put(config), len(config))
    data = manifests.encode(manifests.of_image(of_config, [layer]))
    return Descriptor(media.OCI_MANIFEST, store.blobs.put(data), len(data))


def test_what_was_pushed_is_pulled_by_tag_and_by_digest(tmp_path):
    async def story(world: World) -> None:
        mine, theirs = Store(tmp_path / "mine"), Store(tmp_path / "theirs")
        target = await image(mine, b"x" * 700_000)
        await push(world.host, "team/app:v1", mine, target)
        for name in ("team/app:v1", f"team/app@{target.digest}"):
            pulled = await pull(world.host, name, theirs)
            assert pulled.manifest_digest == target.digest
        found = theirs.find(f"{world.host}/team/app:v1")
        assert found is not None
        layer = pulled.manifest.layers[0]
        assert theirs.blobs.read(layer.digest, 1 << 20) == b"x" * 700_000
        with pytest.raises(faults.NotFound, match=r"team/app:v2: not found"):
            await pull(world.host, "team/app:v2", theirs)

    against(tmp_path / "registry", story)


def test_the_platform_is_chosen_of_an_index(tmp_path):
    async def story(world: World) -> None:
        mine, theirs = Store(tmp_path / "mine"), Store(tmp_path / "theirs")
        listed = []
        for architecture in ("arm64", "amd64"):
            one = await image(mine, architecture.encode(), architecture=architecture, os="linux")
            platform = {"os": "linux", "architecture": architecture}
            listed.append({**one.document(), "platform": platform})
        data = manifests.encode(
            {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": listed}
        )
        target = Descriptor(media.OCI_INDEX, mine.blobs.put(data), len(data))
        await push(world.host, "app", mine, target)
        pulled = await pull(world.host, "app", theirs)
        assert pulled.manifest_digest == listed[1]["digest"]
        assert pulled.target.digest == target.digest
        assert not theirs.blobs.has(listed[0]["digest"])
        with pytest.raises(faults.NotFound, match="not in the store"):
            await push(world.host, "copy", theirs, pulled.target)
        arm = imagereferences.parse(f"{world.host}/app")
        async with remote.opened(world.host, None, PATIENT) as registry:
            with pytest.raises(pulling.NoPlatform, match="no match for platform"):
                await pulling.pull(
                    registry, arm, theirs, platform=platforms.Platform("linux", "s390x")
                )

    against(tmp_path / "registry", story)


@pytest.mark.parametrize("anonymous", ["none", "pull"])
def test_credentials_are_used_where_the_registry_asks_for_them(tmp_path, anonymous):
    alice = credentials.Credentials("alice", "secret")
    wrong = credentials.Credentials("alice", "wrong")

    async def story(world: World) -> None:
        store = Store(tmp_path / "store")
        target = await image(store, b"content")
        for who in (None, wrong):
            with pytest.raises(remote.Denied):
                await push(world.host, "app", store, target, who)
        await push(world.host, "app", store, target, alice)
        await pull(world.host, "app", Store(tmp_path / "other"), alice)
        if anonymous == "pull":
            await pull(world.host, "app", Store(tmp_path / "third"))
        else:
            with pytest.raises(remote.Denied, match="no basic auth credentials"):
                await pull(world.host, "app", Store(tmp_path / "third"))

    users = htpasswd("alice", "secret")
    against(tmp_path / "registry", story, users=users, anonymous=anonymous)


# ---- servers that hang or lie -------------------------------------------------------------------

CONFIG = manifests.encode({"rootfs": {"type": "layers", "diff_ids": []}})
LAYER = b"0123456789" * 1000
MANIFEST = manifests.encode(
    manifests.of_image(
        Descriptor(media.OCI_CONFIG, digests.of(CONFIG), len(CONFIG)),
        [Descriptor(media.OCI_LAYER, digests.of(LAYER), len(LAYER))],
    )
)
Answers = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def server(answers: Answers) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(answers, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def honest(request: web.BaseRequest) -> web.Response:
    if "/manifests/" in request.path:
        return web.Response(body=MANIFEST, content_type=media.OCI_MANIFEST)
    return web.Response(body=CONFIG if digests.of(CONFIG) in request.path else LAYER)


def failure(
    tmp_path: Path, answers: Answers, name: str = "app", settings: remote.Settings = PATIENT
) -> str:
    """What a pull from this server says; nothing of it stays."""

    async def main() -> str:
        store = Store(tmp_path / "store")
        async with asyncio.timeout(20), server(answers) as host:
            with pytest.raises(faults.Fault) as caught:
                await pull(host, name, store, None, settings)
        assert store.all() == []
        assert not list((tmp_path / "store").glob("ingest/*"))
        return str(caught.value)

    return asyncio.run(main())


def about(part: str, change: Answers) -> Answers:
    """An honest server but for what has `part` in its path."""

    async def answers(request: web.BaseRequest) -> web.StreamResponse:
        return await change(request) if part in request.path else honest(request)

    return answers


async def hang(request: web.BaseRequest) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def stall(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(LAYER))})
    await response.prepare(request)
    await response.write(LAYER[:10])
    await asyncio.Event().wait()
    raise AssertionError


async def drip(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(LAYER))})
    await response.prepare(request)
    for byte in LAYER:
        await response.write(bytes([byte]))
        await asyncio.sleep(0.05)
    return response


async def endless(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(b" " * 65536)
    return response


def fixed(status: int, body: bytes, **headers: str) -> Answers:
    async def answers(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(
            status=status, body=body, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    return answers


MANIFEST_PATH, LAYER_PATH = "/manifests/", digests.of(LAYER)


@pytest.mark.parametrize(
    ("answers", "settings", "said"),
    [
        (about(MANIFEST_PATH, hang), SOON_IDLE, "sends nothing for 0.3 s"),
        (about(LAYER_PATH, stall), SOON_IDLE, "sends nothing for 0.3 s"),
        (about(MANIFEST_PATH, drip), SOON_SLOW, "bytes in 0.5 s"),
        (about(LAYER_PATH, drip), SOON_SLOW, "bytes in 0.5 s"),
    ],
)
def test_a_registry_that_hangs_or_drips_is_told_of(tmp_path, answers, settings, said):
    assert said in failure(tmp_path, answers, settings=settings)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (about(MANIFEST_PATH, endless), "sends more than 4194304 bytes"),
        (about(LAYER_PATH, endless), "more than the 10000 bytes"),
        (about(LAYER_PATH, fixed(200, b"short")), "unexpected commit size 5, expected 10000"),
        (about(LAYER_PATH, fixed(200, b"x" * 10000)), "unexpected commit digest sha256:"),
        (about(LAYER_PATH, fixed(404, b"")), "failed to copy: content at"),
        (about(LAYER_PATH, fixed(418, b"{}")), "418 I'm a Teapot"),
        (about(MANIFEST_PATH, fixed(200, b"<html>")), "no JSON"),
        (about(MANIFEST_PATH, fixed(200, b"[" * 99999)), "no JSON"),
        (about(MANIFEST_PATH, fixed(200, b'{"schemaVersion":1}')), "schemaVersion is 1"),
        (about(MANIFEST_PATH, fixed(200, b'{"schemaVersion":2,"layers":[]}')), "config is no"),
        (about(MANIFEST_PATH, fixed(301, b"", Location="/v2/app/manifests/x")), "redirects"),
        (about(MANIFEST_PATH, fixed(401, b"")), "401 Unauthorized"),
        (about(MANIFEST_PATH, fixed(401, b"", WWW_Authenticate='Bearer realm="file:///etc"')),
         "invalid realm"),
        (about(MANIFEST_PATH, fixed(401, b"", WWW_Authenticate="Bearer x" * 999)), "401"),
        (about(MANIFEST_PATH, fixed(401, b"", WWW_Authenticate='Bearer realm="http://[fe80::1]/"')),
         "fe80::1 is a link-local address, to which"),
        (about(LAYER_PATH, fixed(307, b"", Location="http://169.254.169.254/latest/")),
         "169.254.169.254 is a link-local address, to which"),
        (about(MANIFEST_PATH, fixed(403, b'{"errors":[{"code":"DENIED","message":"no"}]}')),
         "403 Forbidden: DENIED: no"),
    ],
)  # fmt: skip
def test_a_registry_that_lies_is_told_of(tmp_path, answers, said):
    assert said in failure(tmp_path, answers)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"Y\xb1garbage\r\n\r\n", 'malformed HTTP response "Y\\xb1garbage"'),
        (
            b"\x15\x03\x01\x00\x02\x02\x16",
            r'malformed HTTP response "\x15\x03\x01\x00\x02\x02\x16"',
        ),
        (b"SSH-2.0-x 200\r\n", 'malformed HTTP version "SSH-2.0-x"'),
        (b"HTTP/1.1 abc\r\n\r\n", 'malformed HTTP status code "abc"'),
        (b"HTTP/1.1 200 OK\r\nno header\r\n\r\n", "malformed MIME header line: no header"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", 'bad Content-Length "x"'),
    ],
)
def test_an_answer_that_is_no_http_is_told_of_as_containerd_does(sent, said):
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        await writer.drain()
        writer.close()

    async def story() -> str:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        host = f"localhost:{server.sockets[0].getsockname()[1]}"
        async with server, remote.opened(host) as registry:
            with pytest.raises(remote.Unreachable) as caught:
                async with registry.ask("GET", "/v2/a/manifests/1", scope="", again=False):
                    pass
        return str(caught.value).removeprefix(
            f'failed to do request: Get "http://{host}/v2/a/manifests/1": '
        )

    assert asyncio.run(story()) == (f"net/http: HTTP/1.x transport connection broken: {said}")


def test_a_manifest_of_another_digest_than_was_asked_for_is_not_taken(tmp_path):
    async def other(request: web.BaseRequest) -> web.StreamResponse:
        return honest(request)

    assert "unexpected commit digest" in failure(tmp_path, other, f"app@sha256:{'a' * 64}")


@pytest.mark.parametrize(("pieces", "pause"), [(4, 0.7), (2, 8.0)])
def test_a_body_may_take_long_to_send_as_long_as_it_goes_on(pieces, pause):
    """Its deadline is two seconds: the first goes beyond it in all, the second at once."""
    came: list[bytes] = []

    async def taken(request: web.BaseRequest) -> web.StreamResponse:
        came.append(await request.read())
        return web.Response(status=201)

    async def body() -> AsyncIterator[bytes]:
        for _ in range(pieces):
            yield b"x"
            await asyncio.sleep(pause)

    async def send(registry: remote.Remote) -> int:
        async with registry.ask("PUT", "/x", scope="", data=body(), repeatable=False) as answer:
            return answer.status

    async def main() -> None:
        settings = remote.Settings(connect=0.5, idle=1.5)
        async with (
            asyncio.timeout(20),
            server(taken) as host,
            remote.opened(host, None, settings) as registry,
        ):
            if pause < 2.0:
                assert (await send(registry), came) == (201, [b"x" * pieces])
            else:
                with pytest.raises(remote.Unreachable, match="sends nothing"):
                    await send(registry)

    asyncio.run(main())


def test_nobody_listens(tmp_path):
    async def main() -> None:
        async with server(hang) as host:
            pass
        with pytest.raises(faults.Fault) as caught:
            await pull(host, "app", Store(tmp_path))
        assert str(caught.value) == (
            f'failed to do request: Get "http://{host}/v2/app/manifests/latest": '
            f"dial tcp {host}: connect: connection refused"
        )

    asyncio.run(main())


def test_a_passing_failure_is_tried_again_and_a_broken_blob_gone_on_with(tmp_path):
    asked: list[str] = []

    async def answers(request: web.BaseRequest) -> web.StreamResponse:
        said = request.headers.get("Range", "")
        asked.append(f"{request.path.rpartition('/')[2][:12]} {said}".strip())
        if len(asked) == 1:
            return web.Response(status=503)
        if LAYER_PATH in request.path and not said:
            response = web.StreamResponse(headers={"Content-Length": str(len(LAYER))})
            await response.prepare(request)
            await response.write(LAYER[:4000])
            await asyncio.sleep(0.05)
            assert request.transport is not None
            request.transport.close()
            return response
        if said:
            assert said == "bytes=4000-"
            return web.Response(status=206, body=LAYER[4000:])
        return honest(request)

    async def main() -> None:
        store = Store(tmp_path)
        async with asyncio.timeout(20), server(answers) as host:
            await pull(host, "app", store)
        assert store.blobs.read(digests.of(LAYER), 1 << 20) == LAYER
        assert asked[0] == asked[1] == "latest"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ('Basic realm="x"', [("basic", {"realm": "x"})]),
        (
            'Bearer realm="https://a/token",service="s",scope="repository:a:pull,push"',
            [("bearer", {"realm": "https://a/token", "service": "s",
                         "scope": "repository:a:pull,push"})],
        ),
        ('Negotiate, Basic realm="a \\"b\\""',
         [("negotiate", {}), ("basic", {"realm": 'a "b"'})]),
        ("", []),
        ('="', []),
    ],
)  # fmt: skip
def test_challenges(header, found):
    assert [(one.scheme, one.parameters) for one in challenge.parse(header)] == found


def test_credentials_of_a_docker_configuration():
    data = json.dumps(
        {
            "auths": {
                "https://index.docker.io/v1/": {"auth": "YTpi"},
                "localhost:5000": {"username": "u", "password": "p:q"},
                "broken": {"auth": "%%%"},
                "empty": {},
            }
        }
    ).encode()
    found = credentials.of_config(data)
    assert found == {
        "docker.io": credentials.Credentials("a", "b"),
        "localhost:5000": credentials.Credentials("u", "p:q"),
    }
    for wrong in (b"", b"[]", b'{"auths": 1}'):
        with pytest.raises(faults.Corrupt):
            credentials.of_config(wrong)
