import asyncio
import contextlib
import datetime
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from rest_world import MAPS, StillClock

from cluster.aio import virtual
from cluster.api import resources
from cluster.apiserver import authn
from cluster.apiserver.limits import Refusals
from cluster.apiserver.registry import Registry
from cluster.apiserver.rest import health, server
from cluster.apiserver.rest.query import parse
from cluster.storage.memory import MemoryStorage

BORN = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
DIES = datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC)


@contextlib.asynccontextmanager
async def behind_tls(
    context: ssl.SSLContext, refusals: Refusals | None = None
) -> AsyncIterator[server.RestServer]:
    """A REST server over an empty store."""
    store = MemoryStorage()
    await store.open()
    clock = StillClock()
    registry = Registry(resources.built_in(), store, clock=clock, random=Random("x"))
    await registry.open()
    async with server.RestServer(
        registry, authn.Authenticator(), clock=clock, random=Random("y"), ssl_context=context,
        refusals=refusals,
    ) as rest:  # fmt: skip
        yield rest
    await registry.close()


def _certificate(
    folder: Path,
    name: str,
    groups: tuple[str, ...] = (),
    usage: x509.ObjectIdentifier | None = None,
    dies: datetime.datetime = DIES,
) -> str:
    """A self-signed certificate with its key, in one file: its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    attributes += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    subject = x509.Name(attributes)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, BORN, dies)
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
    signed = builder.add_extension(x509.BasicConstraints(True, None), True).sign(
        key, hashes.SHA256()
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(path)


async def _status(url: str, certificate: str) -> int:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate)
    async with aiohttp.ClientSession() as session, session.get(url, ssl=context) as response:
        return response.status


async def _shaken(port: int, certificate: str) -> None:
    """Connect once, by this certificate, until the server has said something, or closed."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(certificate)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    with contextlib.suppress(OSError):
        writer.write(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.read(1)
    writer.close()


def test_a_client_certificate_tells_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = _certificate(tmp_path, "server")
    known = _certificate(tmp_path, "system:node:a", ("system:nodes",))
    stranger = _certificate(tmp_path, "stranger")
    asked = []
    find = authn.Authenticator.by_certificate

    def spied(self: authn.Authenticator, subject: authn.Subject, der: bytes = b"") -> object:
        user = find(self, subject, der)
        asked.append(user)
        return user

    monkeypatch.setattr(authn.Authenticator, "by_certificate", spied)

    async def scenario() -> None:
        async with behind_tls(server.tls(own, own, known)) as rest:
            url = f"https://127.0.0.1:{rest.port}{MAPS}"
            assert await _status(url, known) == 200
            assert await _status(url, "") == 401
            with pytest.raises(aiohttp.ClientError):
                await _status(url, stranger)

    asyncio.run(scenario())
    assert [(user.name, user.groups) for user in asked] == [
        ("system:node:a", ("system:nodes", "system:authenticated"))
    ]


def test_handshakes_that_fail_are_counted_by_reason(tmp_path: Path) -> None:
    own, known = _certificate(tmp_path, "server"), _certificate(tmp_path, "known")
    stranger = _certificate(tmp_path, "stranger")
    serving = _certificate(tmp_path, "serving", usage=ExtendedKeyUsageOID.SERVER_AUTH)
    ended = _certificate(tmp_path, "ended", dies=BORN + datetime.timedelta(days=1))
    both = tmp_path / "authorities.pem"
    both.write_text("".join(Path(each).read_text() for each in (known, serving, ended)))
    refusals = Refusals()

    async def scenario() -> None:
        async with behind_tls(server.tls(own, own, str(both)), refusals) as rest:
            await _shaken(rest.port, known)
            assert refusals.counts == {}
            for wrong in (stranger, stranger, serving, ended):
                await _shaken(rest.port, wrong)
            for sent in (b"\x16\x03\x01\x00\x05hello", b"GET / HTTP/1.1\r\n\r\n"):
                reader, writer = await asyncio.open_connection("127.0.0.1", rest.port)
                writer.write(sent)
                await reader.read(1)
                writer.close()

    asyncio.run(scenario())
    assert refusals.counts == {
        "client certificate of an unknown authority": 2,
        "client certificate for another purpose": 1,
        "expired client certificate": 1,
        "failed handshake": 1,
        "plain HTTP": 1,
    }


def test_a_certificate_that_ends_lets_nobody_on_over_a_connection_that_is_open(
    tmp_path: Path,
) -> None:
    own, known = _certificate(tmp_path, "server"), _certificate(tmp_path, "jane")

    async def scenario() -> None:
        store = MemoryStorage()
        await store.open()
        clock = StillClock()
        registry = Registry(resources.built_in(), store, clock=clock, random=Random("x"))
        await registry.open()
        async with (
            server.RestServer(
                registry,
                authn.Authenticator(now=clock.now),
                clock=clock,
                random=Random("y"),
                ssl_context=server.tls(own, own, known),
            ) as rest,
            aiohttp.ClientSession() as session,
        ):
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.load_cert_chain(known)

            async def status() -> int:
                url = f"https://127.0.0.1:{rest.port}{MAPS}"
                async with session.get(url, ssl=context) as response:
                    await response.read()
                    return response.status

            assert await status() == 200
            clock.time = DIES.timestamp() + 1
            assert await status() == 401
        await registry.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_plain_http_is_told_that_the_port_is_for_https(tmp_path: Path, method: str) -> None:
    own = _certificate(tmp_path, "server")

    async def scenario() -> None:
        store = MemoryStorage()
        await store.open()
        clock = StillClock()
        registry = Registry(resources.built_in(), store, clock=clock, random=Random("x"))
        await registry.open()
        async with (
            server.RestServer(
                registry,
                authn.Authenticator(),
                clock=clock,
                random=Random("y"),
                ssl_context=server.tls(own, own),
            ) as rest,
            asyncio.timeout(10),
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", rest.port)
            writer.write(f"{method} /version HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head, _, body = (await reader.readuntil(b"server.\n")).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.0 400 Bad Request\r\n")
            assert body == b"Client sent an HTTP request to an HTTPS server.\n"
            writer.write(b"and more")
            assert await reader.read() == b""  # closed
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", rest.port)
            writer.write(b"hello\r\n\r\n")  # no HTTP: nothing to say
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
            assert await _status(f"https://127.0.0.1:{rest.port}/version", "") == 200
        await registry.close()

    asyncio.run(scenario())


def _health(path: str, query: str = "", **more: health.Check) -> tuple[int, str]:
    async def slow() -> bool:
        await asyncio.sleep(health.SECONDS + 1)
        return True

    async def fails() -> bool:
        raise OSError("disk on fire")

    checks: dict[str, health.Check] = {"ping": lambda: True, "etcd": lambda: False}
    checks |= {"slow": slow, "fails": fails, **more}
    found = {"readyz": {name: checks[name] for name in ("ping", "etcd")}, "livez": checks}
    answer = virtual.run(health.answer(path, parse(query), query, found))
    assert answer.text is not None
    return answer.status, answer.text


@pytest.mark.parametrize(
    ("path", "query", "status", "text"),
    [
        ("/readyz", "", 500, "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n"),
        ("/readyz", "exclude=etcd", 200, "ok"),
        ("/readyz", "exclude=ping&exclude=etcd", 200, "ok"),
        (
            "/readyz", "exclude=etcd&exclude=no&verbose", 200,
            "[+]ping ok\n[+]etcd excluded: ok\n"
            'warn: some health checks cannot be excluded: no matches for "no"\n'
            "readyz check passed\n",
        ),
        ("/readyz/ping", "", 200, "ok"),
        ("/readyz/etcd", "", 500, "internal server error: reason withheld\n"),
        ("/readyz/none", "", 404, "404 page not found\n"),
        ("/livez/slow", "", 500, "internal server error: reason withheld\n"),
        ("/livez/fails", "", 500, "internal server error: reason withheld\n"),
    ],
)  # fmt: skip
def test_checks_are_told_as_kube_apiserver_tells_them(
    path: str, query: str, status: int, text: str
) -> None:
    assert _health(path, query) == (status, text)
