"""Certificates that are exchanged under a server that runs."""

import asyncio
import contextlib
import ssl
import time
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cluster.aio.certificatefiles import CertificateFiles
from cluster.aio.grpcserver import GrpcServer
from cluster.apiserver.rest import server as rest
from cluster.launcher import pki

NOW = time.time()  # noqa: TID251  (OpenSSL looks at the real clock)


class Folder:
    """A server's files, two authorities, and a client of each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.old, self.new = pki.Authority.create(NOW, "a"), pki.Authority.create(NOW, "b")
        self.ca = path / "ca.crt"
        self.ca.write_bytes(self.old.pem)
        self.serve("first")
        for name, authority in (("old", self.old), ("new", self.new)):
            pair = authority.client(pki.Subject(name), NOW)
            (path / f"{name}.crt").write_bytes(pair.certificate)
            (path / f"{name}.key").write_bytes(pair.key)

    @property
    def files(self) -> tuple[Path, Path, Path]:
        return self.path / "server.crt", self.path / "server.key", self.ca

    def serve(self, name: str) -> None:
        pair = self.old.serving(name, ["localhost", "127.0.0.1"], NOW)
        self.files[0].write_bytes(pair.certificate)
        self.files[1].write_bytes(pair.key)

    def client(self, name: str = "old") -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.old.pem.decode())
        context.load_cert_chain(self.path / f"{name}.crt", self.path / f"{name}.key")
        return context

    def channel(self, port: int, name: str = "old"):
        credentials = grpc.ssl_channel_credentials(
            self.old.pem,
            (self.path / f"{name}.key").read_bytes(),
            (self.path / f"{name}.crt").read_bytes(),
        )
        return grpc.aio.secure_channel(f"localhost:{port}", credentials)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


async def shown(port: int, context: ssl.SSLContext, *, http2: bool = False) -> str:
    """The name of the server's certificate, once it has taken the client's."""
    if http2:
        context.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        if not http2:
            writer.write(b"hello\n")
            assert await reader.readline() == b"hello\n"
        subject = writer.get_extra_info("peercert")["subject"]
        return subject[0][0][1]
    finally:
        writer.transport.abort()


@contextlib.asynccontextmanager
async def echoing(folder: Folder):
    """A TLS server as the REST face has it."""
    certificate, key, authority = folder.files

    def made() -> ssl.SSLContext:
        return rest.tls(str(certificate), str(key), str(authority))

    context = made()
    context.sni_callback = CertificateFiles(certificate, key, authority).choose(made)

    async def echo(reader, writer):
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                writer.write(line)

    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def test_a_tls_server_shows_new_certificates_and_trusts_new_authorities_only(folder):
    async def story():
        async with echoing(folder) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=folder.client())
            assert await shown(port, folder.client()) == "first"
            with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
                await shown(port, folder.client("new"))
            folder.serve("second")
            folder.ca.write_bytes(folder.new.pem)
            assert await shown(port, folder.client("new")) == "second"
            with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
                await shown(port, folder.client("old"))
            writer.write(b"still here\n")
            assert await reader.readline() == b"still here\n"
            writer.transport.abort()

    asyncio.run(story())


def test_a_pair_that_does_not_fit_changes_nothing(folder):
    async def story():
        async with echoing(folder) as port:
            good = folder.files[0].read_bytes()
            other = folder.old.serving("other", ["127.0.0.1"], NOW)
            folder.files[0].write_bytes(other.certificate)
            assert await shown(port, folder.client()) == "first"
            folder.files[0].unlink()
            assert await shown(port, folder.client()) == "first"
            folder.files[0].write_bytes(good)
            assert await shown(port, folder.client()) == "first"

    asyncio.run(story())


def test_nobody_comes_back_by_a_ticket_of_an_earlier_handshake(folder):
    async def story():
        async with echoing(folder) as port:
            context = folder.client()
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            writer.write(b"x\n")
            await reader.readline()
            session = writer.get_extra_info("ssl_object").session
            writer.transport.abort()
            assert session is None or not session.has_ticket

    asyncio.run(story())


async def health(channel) -> grpc.StatusCode | None:
    try:
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=3)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return None


def test_a_grpc_server_does_the_same_and_keeps_its_connections(folder):
    async def story():
        tls = CertificateFiles(*folder.files).server(require_client=True)
        server = GrpcServer(tls=tls, grace=0.1)
        port = server.listen("127.0.0.1:0")
        async with server, folder.channel(port) as kept:
            await server.set_serving(True)
            assert await shown(port, folder.client(), http2=True) == "first"
            assert await health(kept) is None
            async with folder.channel(port, "new") as stranger:
                assert await health(stranger) is grpc.StatusCode.UNAVAILABLE
            folder.serve("second")
            folder.ca.write_bytes(folder.new.pem)
            async with folder.channel(port, "new") as known:
                assert await health(known) is None
            assert await shown(port, folder.client("new"), http2=True) == "second"
            assert await health(kept) is None

    asyncio.run(story())
