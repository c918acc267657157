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

import psutil

from cluster.api.operations import Operation, Verb
from cluster.client import channel
from cluster.client.grpc_transport import GrpcTransport
from cluster.launcher import pki

T = TypeVar("T")
_TOKEN = "bench-token"
_USER = "user-token"
_SPACE = "/api/v1/namespaces/default"
_MANY = "1000000000"
_GROUP = "rbac.authorization.k8s.io"
_RULES = (
    (f"{_SPACE}/serviceaccounts", {"metadata": {"name": "default"}}),
    (
        f"/apis/{_GROUP}/v1/namespaces/default/rolebindings",
        {
            "metadata": {"name": "user-edits"},
            "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": "edit"},
            "subjects": [{"apiGroup": _GROUP, "kind": "User", "name": "user"}],
        },
    ),
    (
        f"{_SPACE}/resourcequotas",
        {
            "metadata": {"name": "all"},
            "spec": {
                "hard": {
                    "pods": _MANY,
                    "requests.cpu": _MANY,
                    "limits.memory": f"{_MANY}Gi",
                    "count/configmaps": _MANY,
                }
            },
        },
    ),
    (
        f"{_SPACE}/limitranges",
        {
            "metadata": {"name": "all"},
            "spec": {
                "limits": [
                    {
                        "type": "Container",
                        "default": {"cpu": "1", "memory": "64Mi"},
                        "defaultRequest": {"cpu": "10m"},
                        "max": {"memory": "8Gi"},
                    }
                ]
            },
        },
    ),
)
"""What governs the namespace default: collections, and what is made in them."""
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
    """Started and stopped by `with`. Listens on loopback; its state goes with it.

    `governed`: as users have it, who may do what RBAC lets them, within a quota and limits; `token`
    is then that of one bound to `edit` in the namespace default, and not of a master.
    """

    def __init__(self, *, governed: bool = False) -> None:
        self._governed = governed
        self.token = _USER if governed else _TOKEN

    def __enter__(self) -> Self:
        self._stack = contextlib.ExitStack()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            self._start(folder)
            if self._governed:
                for path, document in _RULES:
                    self.post(path, document)
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

    def busy(self) -> float:
        """The processor's seconds that the server has used."""
        times = psutil.Process(self._process.pid).cpu_times()
        return times.user + times.system

    def size(self, url: str) -> int:
        """How many bytes the answer to a GET has."""
        return len(self._get(url))

    def post(self, path: str, document: dict[str, Any]) -> None:
        """Create an object over REST, as a master; nothing where it is there."""
        text = json.dumps(document).encode()
        try:
            self._get(f"{self.url}{path}", text)
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise RuntimeError(error.read().decode()) from error

    def get(self, path: str) -> dict[str, Any]:
        """An object, as a master sees it."""
        return json.loads(self._get(f"{self.url}{path}"))

    def _start(self, folder: Path) -> None:
        now = time.time()
        authority = pki.ensure_authority(folder, now)
        serving = authority.serving("apiserver", ["localhost", "127.0.0.1"], now)
        self._ca = authority.pair.certificate
        admin = authority.client(pki.Subject("admin", ("system:masters",)), now)
        (folder / "tls.crt").write_bytes(serving.certificate)
        (folder / "tls.key").write_bytes(serving.key)
        tokens = f'{_TOKEN},bench,1,"system:masters"\n{_USER},user,2,""\n'
        (folder / "tokens").write_text(tokens)
        pki.ensure_service_account_key(folder)
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
            "--authorization-mode", "Node,RBAC" if self._governed else "AlwaysAllow",
            "--service-account-signing-key-file", folder / "sa.key",
        ]  # fmt: skip
        process = self._process = subprocess.Popen(command)
        self._stack.callback(_end, process)
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                self._get(f"{self.url}/readyz")
                return
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the API server did not become ready")
            time.sleep(0.05)

    def _get(self, url: str, body: bytes | None = None) -> bytes:
        context = ssl.create_default_context(cadata=self._ca.decode())
        headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/json"}
        request = urllib.request.Request(url, body, headers)
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
