"""A REST server on a thread of its own, and the real kubectl pointed at it.

kubectl is found on the PATH; further versions lie beside it as `kubectl.1.27` and so on.
"""

import asyncio
import contextlib
import datetime
import ipaddress
import os
import shutil
import subprocess
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cluster.aio import tasks
from cluster.aio.clock import SystemClock
from cluster.api import identity, resources
from cluster.api.operations import MERGE_PATCH, Operation, Verb
from cluster.apiserver import authn
from cluster.apiserver.admission import defaults
from cluster.apiserver.admission.webhooks.asking import Asking
from cluster.apiserver.extensions.controller import Extensions
from cluster.apiserver.kubelets.protocol import Connector, Nowhere
from cluster.apiserver.outbound.caller import HttpCaller
from cluster.apiserver.policystatus import PolicyStatus
from cluster.apiserver.registry import Registry
from cluster.apiserver.rest import server
from cluster.storage.memory import MemoryStorage

T = TypeVar("T")
ADMIN = identity.User("kubernetes-admin", (identity.MASTERS,))
DEADLINE = 30.0
BORN = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
DIES = datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC)


def versions() -> list[str]:
    """Paths of every kubectl that there is, the plain one first."""
    plain = shutil.which("kubectl")
    if plain is None:
        return []
    return [plain, *sorted(map(str, Path(plain).resolve().parent.glob("kubectl.1.*")))]


@dataclass
class Done:
    code: int
    out: str
    err: str


class Running:
    """A kubectl that is still at work."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def wait(self) -> Done:
        out, err = self.process.communicate(timeout=DEADLINE)
        return Done(self.process.returncode, out, err)

    def stop(self) -> None:
        if self.running:
            self.process.kill()
        self.process.communicate()


class Kubectl:
    """Runs kubectl as the cluster's administrator, who shows a client certificate."""

    def __init__(self, world: "World", binary: str) -> None:
        self._binary = binary
        self._world = world
        self.home = world.folder / Path(binary).name
        self.home.mkdir(exist_ok=True)

    def run(self, *args: str, stdin: str = "", **env: str) -> Done:
        """Run it to its end, whatever that is."""
        done = subprocess.run(
            [self._binary, *args],
            input=stdin, capture_output=True, text=True, timeout=DEADLINE, check=False,
            env=self._environment(env),
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def __call__(self, *args: str, stdin: str = "", **env: str) -> str:
        """What it prints; it must succeed."""
        done = self.run(*args, stdin=stdin, **env)
        assert done.code == 0, f"kubectl {' '.join(args)}\n{done.out}{done.err}"
        return done.out

    @contextlib.contextmanager
    def start(self, *args: str, terminal: int | None = None) -> Iterator[Running]:
        """Start it, on a terminal where one is given, and stop it at the end."""
        pipe = subprocess.PIPE
        running = Running(
            subprocess.Popen(
                [self._binary, *args],
                stdin=terminal, stdout=terminal or pipe, stderr=terminal or pipe, text=True,
                env=self._environment({}),
            )
        )  # fmt: skip
        try:
            yield running
        finally:
            running.stop()

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        own = {"KUBECONFIG": str(self._world.kubeconfig), "HOME": str(self.home)}
        return {"PATH": os.environ["PATH"]} | own | more


class World:
    """The server and its registry; what belongs to their loop is reached by `do`."""

    def __init__(self, folder: Path, kubelets: Connector | None = None) -> None:
        self.folder = folder
        self._kubelets = kubelets
        self.kubeconfig = folder / "kubeconfig"
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._over: asyncio.Event
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.registry: Registry
        self.kubectl = Kubectl(self, versions()[0])

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE)

    def get(self, resource: str, name: str, namespace: str = "default") -> dict[str, Any]:
        return self.do(self.registry.get(resource, namespace, name)).document()

    def set_status(
        self, resource: str, name: str, status: dict[str, Any], namespace: str = "default"
    ) -> None:
        """Do what a controller would."""
        body = msgspec.json.encode({"status": status})
        operation = Operation(Verb.PATCH, resource, namespace, name, "status", body, MERGE_PATCH)
        self.do(self.registry.one(operation, ADMIN))

    def finish(self, resource: str, name: str, namespace: str = "default") -> None:
        """Do what a kubelet does when a pod's containers have ended."""
        body = msgspec.json.encode({"gracePeriodSeconds": 0})
        self.do(
            self.registry.one(Operation(Verb.DELETE, resource, namespace, name, body=body), ADMIN)
        )

    def until(self, holds: Any) -> None:
        """Wait until `holds()`, looking again after each change."""
        self.do(self._until(holds))

    async def _until(self, holds: Any) -> None:
        async with asyncio.timeout(DEADLINE):
            while not holds():
                await asyncio.sleep(0.01)

    def __enter__(self) -> "World":
        self._thread.start()
        assert self._started.wait(DEADLINE), "the server did not start"
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "the server did not stop"

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        pki = Pki(self.folder)
        store, clock = MemoryStorage(), SystemClock()
        await store.open()
        asking = Asking()
        self.registry = Registry(
            resources.built_in(), store, clock=clock, random=Random("api"),
            admission=defaults.chain(asking=asking),
        )  # fmt: skip
        await self.registry.open()
        extensions = Extensions(self.registry, Random("extensions"))
        extensions.open()
        policies = PolicyStatus(self.registry, Random("policies"))
        policies.open()
        reached = self._kubelets if self._kubelets is not None else Nowhere()
        async with (
            HttpCaller(self.registry.cache, reached, Random("outbound")) as asking.caller,
            tasks.Group("extensions") as group,
        ):
            group.spawn(extensions.run(), "run")
            group.spawn(policies.run(), "policies")
            await self._serve_rest(pki, clock)
            group.cancel()
        await self.registry.close()

    async def _serve_rest(self, pki: "Pki", clock: SystemClock) -> None:
        own = pki.issue("server")
        async with server.RestServer(
            self.registry,
            authn.Authenticator(),
            clock=clock,
            random=Random("rest"),
            ssl_context=server.tls(own, own, pki.ca),
            kubelets=self._kubelets,
        ) as rest:
            client = pki.issue(ADMIN.name, ADMIN.groups)
            self.kubeconfig.write_text(_kubeconfig(rest.port, pki.ca, client))
            self._started.set()
            await self._over.wait()


class Pki:
    """A certificate authority and what it signs, as PEM files with their keys."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubemu-test-ca")])
        self._serial = 0
        self.ca = self._sign(self._name, self._key, "ca", authority=True)

    def issue(self, name: str, groups: tuple[str, ...] = ()) -> str:
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        subject += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        key = ec.generate_private_key(ec.SECP256R1())
        return self._sign(x509.Name(subject), key, name, authority=False)

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, file: str, *, authority: bool
    ) -> str:
        self._serial += 1
        here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        signed = (
            x509.CertificateBuilder(self._name, subject, key.public_key(), self._serial, BORN, DIES)
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
            .add_extension(x509.SubjectAlternativeName([here]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        path = self._folder / f"{file}.pem"
        path.write_bytes(
            signed.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return str(path)


def _kubeconfig(port: int, ca: str, client: str) -> str:
    return f"""
apiVersion: v1
kind: Config
clusters:
- name: c
  cluster: {{server: "https://127.0.0.1:{port}", certificate-authority: {ca}}}
users:
- name: u
  user: {{client-certificate: {client}, client-key: {client}}}
contexts:
- name: x
  context: {{cluster: c, user: u}}
current-context: x
"""


@contextlib.contextmanager
def running(folder: Path, kubelets: Connector | None = None) -> Iterator[World]:
    """A world, or a skipped test where there is no kubectl."""
    if not versions():
        pytest.skip("there is no kubectl on the PATH")
    with World(folder, kubelets) as world:
        yield world
