"""Pushes to servers that misbehave: told in the words of Go's HTTP client, never in aiohttp's."""

import asyncio
from pathlib import Path

import pytest

from cluster.api import imagereferences
from cluster.images import faults, manifests, media
from cluster.images.client import pushing, remote
from cluster.images.descriptors import Descriptor
from cluster.images.store.layout import Store

SETTINGS = remote.Settings(connect=10.0, idle=15.0, progress=15.0)
ABSENT = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
INTERNALS = (
    "aiohttp",
    "yarl",
    "Errno",
    "b'",
    "idna",
    "header injection",
    "Traceback",
    "Expected",
    "message=",
    "Error(",
)


def begun(where: str) -> bytes:
    return f"HTTP/1.1 202 Accepted\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode()


def refusing(body: bytes) -> bytes:
    return b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def image(store: Store) -> Descriptor:
    config = store.blobs.put(b"{}")
    data = manifests.encode(manifests.of_image(Descriptor(media.OCI_CONFIG, config, 2), []))
    return Descriptor(media.OCI_MANIFEST, store.blobs.put(data), len(data))


def told(folder: Path, answers: dict[str, bytes]) -> str:
    """What a push says to a server with these answers by method; b"" hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                writer.write(answers.get(head.split()[0].decode(), b""))
                await writer.drain()
                if head.split()[0].decode() not in answers or head.startswith(b"PUT"):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def story() -> str:
        store = Store(folder)
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        host = f"localhost:{server.sockets[0].getsockname()[1]}"
        name = imagereferences.parse(f"{host}/app:1")
        async with server, remote.opened(host, None, SETTINGS) as registry, asyncio.timeout(20):
            with pytest.raises(faults.Fault) as caught:
                await pushing.push(registry, name, store, await image(store))
        return str(caught.value).replace(host, "HOST")

    return asyncio.run(story())


GARBAGE = b"Y\xb1garbage\r\n\r\n"
UPLOAD = begun("/v2/app/blobs/uploads/1")


EOF = "unexpected EOF"
DIGEST = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"HEAD": GARBAGE}, r'malformed HTTP response "Y\xb1garbage"'),
        ({"HEAD": ABSENT}, EOF),
        ({"HEAD": ABSENT, "POST": GARBAGE}, r'malformed HTTP response "Y\xb1garbage"'),
        ({"HEAD": ABSENT, "POST": begun("http://[::1")}, "missing ']' in host"),
        ({"HEAD": ABSENT, "POST": begun("http://h:99999/x")}, "address 99999: invalid port"),
        ({"HEAD": ABSENT, "POST": begun("http://h:port/x")}, 'invalid port ":port" after host'),
        (
            {"HEAD": ABSENT, "POST": begun("file:///etc/passwd")},
            f'Put "file:///etc/passwd?digest={DIGEST}": unsupported protocol scheme "file"',
        ),
        ({"HEAD": ABSENT, "POST": begun("https:///x")}, "http: no Host in request URL"),
        ({"HEAD": ABSENT, "POST": begun("/a b\x01c")}, r"""Put "/a b\x01c?digest="""),
        ({"HEAD": ABSENT, "POST": begun("http://a..b/x")}, "dial tcp: lookup a..b: no such host"),
        ({"HEAD": ABSENT, "POST": begun(f"http://{'a' * 300}/x")}, "a: no such host"),
        (
            {"HEAD": ABSENT, "POST": b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"},
            "its answer has no Location",
        ),
        (
            {"HEAD": ABSENT, "POST": begun("http://169.254.169.254/latest")},
            "169.254.169.254 is a link-local address, to which HOST may not send its clients",
        ),
        ({"HEAD": ABSENT, "POST": UPLOAD}, EOF),
        (
            {"HEAD": ABSENT, "POST": UPLOAD, "PUT": GARBAGE},
            r'malformed HTTP response "Y\xb1garbage"',
        ),
        (
            {"HEAD": ABSENT, "POST": UPLOAD, "PUT": refusing(b"\xff<html>")},
            f"HOST refuses the upload of {DIGEST}: 400 Bad Request",
        ),
        ({"HEAD": ABSENT, "POST": UPLOAD, "PUT": refusing(b"[" * 70_000)}, "400 Bad Request"),
    ],
)
def test_what_goes_wrong_is_told_without_the_librarys_words(
    tmp_path: Path, answers: dict[str, bytes], said: str
) -> None:
    found = told(tmp_path / "store", answers)
    assert said in found
    assert [one for one in INTERNALS if one in found] == []
