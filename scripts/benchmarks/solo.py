"""An API server by itself, durable, as its own process: what the REST and watch figures measure."""

import asyncio
import contextlib
import json
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from cluster.api.operations import Operation, Verb
from cluster.client import channel
from cluster.client.grpc_transport import GrpcTransport
from cluster.launcher import pki

T = TypeVar("T")
_TOKEN = "bench-token"
_IDS = {"ConfigMap": "configmaps", "Pod": "pods"}
_BATCH = 250


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a server by gRPC; another process can use it as well."""

    address: str
    tls: channel.ChannelTls

    def call(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Run `work` on a transport of its own."""
        return asyncio.run(self._call(work))

    async def _call(self, work: Callable[[Any], Awaitable[T]]) -> T:
        async with channel.connect([self.address], self.tls) as opened:
            transport = GrpcTransport(opened)
            transport.channel = opened  # type: ignore[attr-defined]
            return await work(transport)


class ApiServer:
    """Started and stopped by `with`. Listens on loopback; its state goes with it."""

    token = _TOKEN

    def __enter__(self) -> Self:
        self._stack = contextlib.ExitStack()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            self._start(folder)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def write(self, objects: list[dict[str, Any]]) -> None:
        """Create objects by gRPC, in batches."""

        async def create(transport: GrpcTransport) -> None:
            for start in range(0, len(objects), _BATCH):
                results = await transport.write([_creation(o) for o in objects[start:][:_BATCH]])
                failures = [result for result in results if isinstance(result, Exception)]
                if failures:
                    raise failures[0]

        self.call(create)

    def call(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Run `work` on a transport of its own."""
        return self.connection.call(work)

    def size(self, url: str) -> int:
        """How many bytes the answer to a GET has."""
        return len(self._get(url))

    def _start(self, folder: Path) -> None:
        now = time.time()
        authority = pki.ensure_authority(folder, now)
        serving = authority.serving("apiserver", ["localhost", "127.0.0.1"], now)
        self._ca = authority.pair.certificate
        admin = authority.client(pki.Subject("admin", ("system:masters",)), now)
        (folder / "tls.crt").write_bytes(serving.certificate)
        (folder / "tls.key").write_bytes(serving.key)
        (folder / "tokens").write_text(f'{_TOKEN},bench,1,"system:masters"\n')
        rest, grpc = _free_port(), _free_port()
        self.url = f"https://127.0.0.1:{rest}"
        self.connection = Connection(
            f"127.0.0.1:{grpc}",
            channel.ChannelTls(ca=self._ca, certificate=admin.certificate, key=admin.key),
        )
        command = [
            sys.executable, "-m", "cluster.cli", "apiserver", "--bind-address", "127.0.0.1",
            "--secure-port", str(rest), "--grpc-port", str(grpc),
            "--tls-cert-file", folder / "tls.crt", "--tls-private-key-file", folder / "tls.key",
            "--client-ca-file", folder / "ca.crt", "--token-auth-file", folder / "tokens",
            "--data-dir", folder / "data", "--log-level", "warning",
            "--watch-cache-size", "65536",
        ]  # fmt: skip
        process = subprocess.Popen(command)
        self._stack.callback(_end, process)
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                self._get(f"{self.url}/readyz")
                return
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the API server did not become ready")
            time.sleep(0.05)

    def _get(self, url: str) -> bytes:
        context = ssl.create_default_context(cadata=self._ca.decode())
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {_TOKEN}"})
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:
            return answer.read()


def _creation(obj: dict[str, Any]) -> Operation:
    meta = obj["metadata"]
    return Operation(
        Verb.CREATE, _IDS[obj["kind"]], meta["namespace"], meta["name"],
        body=json.dumps(obj).encode(), want_object=False,
    )  # fmt: skip


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
