"""Every process started by its own command, over TCP and TLS: no supervisor, no shared folder.

This is how compose starts them: a process knows what its flags and environment say.
"""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from realcluster import KUBEMU, until

from cluster.aio import clock
from cluster.launcher import kubeconfig, pki

pytestmark = pytest.mark.usefixtures("kubectl")


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class Machine:
    """One folder for each process, with nothing in it but what the process is given."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.api, self.grpc, self.runtime = free_ports(3)
        self._now = clock.SystemClock().now()
        self._authority = pki.Authority.create(self._now)
        self._running: list[subprocess.Popen[bytes]] = []

    def folder(self, name: str, subject: pki.Subject, serving: bool = False) -> Path:
        """A folder with a certificate of this process's own, and the authority's."""
        folder = self.root / name
        folder.mkdir()
        client = self._authority.client(subject, self._now)
        server = self._authority.serving(name, ["localhost", "127.0.0.1"], self._now)
        pair = server if serving else client
        (folder / "own.crt").write_bytes(pair.certificate)
        (folder / "own.key").write_bytes(pair.key)
        (folder / "ca.crt").write_bytes(self._authority.pem)
        access = kubeconfig.Access(
            f"https://localhost:{self.api}", f"localhost:{self.grpc}", self._authority.pem,
            client.certificate, client.key,
        )  # fmt: skip
        kubeconfig.write(folder / "kubeconfig", kubeconfig.document("it", "user", access))
        return folder

    def start(self, folder: Path, *argv: str, **environment: str) -> None:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("KUBE")}
        with (folder / "log").open("wb") as log:
            self._running.append(
                subprocess.Popen(
                    [*KUBEMU, *argv], cwd=folder, stdout=log, stderr=log, env=clean | environment
                )
            )

    def end(self) -> list[int]:
        """The exit codes, in the order of starting, after SIGTERM to all."""
        for child in reversed(self._running):
            child.send_signal(signal.SIGTERM)
        try:
            return [child.wait(15) for child in self._running]
        finally:
            for child in self._running:
                child.kill()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.end()


def test_they_find_each_other_by_flags_and_environment(machine: Machine) -> None:
    apiserver = machine.folder("apiserver", pki.Subject("unused"), serving=True)
    manager = machine.folder("manager", pki.Subject("system:kube-controller-manager"))
    scheduler = machine.folder("scheduler", pki.Subject("system:kube-scheduler"))
    runtime = machine.folder("runtime", pki.Subject("unused"), serving=True)
    node = machine.folder("node", pki.Subject("system:node:n1", ("system:nodes",)))
    admin = machine.folder("admin", pki.Subject("admin", ("system:masters",)))
    # Pods mount a token of their account, and the CA that they know the API server by.
    pki.ensure_service_account_key(apiserver)
    serving = ("--tls-cert-file=own.crt", "--tls-private-key-file=own.key")
    own = ("--client-certificate=own.crt", "--client-key=own.key")
    reached = ("--kubeconfig=kubeconfig", "--node-name=n1")
    endpoint = f"tls://localhost:{machine.runtime}"
    machine.start(
        apiserver, "apiserver", *serving, "--client-ca-file=ca.crt", "--bind-address=127.0.0.1",
        "--service-account-signing-key-file=sa.key",
        KUBEMU_SECURE_PORT=str(machine.api), KUBEMU_GRPC_PORT=str(machine.grpc),
        KUBEMU_STORAGE_BACKEND="memory",
    )  # fmt: skip
    machine.start(
        manager, "controller-manager", *own, "--leader-elect", "--root-ca-file=ca.crt",
        KUBEMU_SERVER=f"localhost:{machine.grpc}", KUBEMU_CERTIFICATE_AUTHORITY="ca.crt",
    )  # fmt: skip
    machine.start(scheduler, "scheduler", "--kubeconfig=kubeconfig", "--leader-elect=true")
    machine.start(
        runtime, "runtime", *serving, "--client-ca-file=ca.crt", "--node-name=n1",
        f"--listen=127.0.0.1:{machine.runtime}",
    )  # fmt: skip
    machine.start(
        node, "kubelet", *reached, "--max-pods=7", KUBEMU_CONTAINER_RUNTIME_ENDPOINT=endpoint
    )
    proxy = machine.folder("proxy", pki.Subject("system:kube-proxy"))
    machine.start(proxy, "kube-proxy", *reached, f"--dataplane-endpoint={endpoint}")

    def kubectl(*arguments: str) -> str:
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(admin / "kubeconfig"), *arguments],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.stdout

    until("the node is Ready", lambda: "n1     Ready" in kubectl("get", "nodes"))
    assert kubectl("get", "node", "n1", "-o", "jsonpath={.status.capacity.pods}") == "7"
    kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2")
    said = kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=30s")
    assert "condition met" in said
    assert machine.end() == [0] * 6
    assert not (apiserver / "data").exists()


def test_an_unknown_client_is_refused(machine: Machine) -> None:
    apiserver = machine.folder("apiserver", pki.Subject("unused"), serving=True)
    machine.start(
        apiserver, "apiserver", "--tls-cert-file=own.crt", "--tls-private-key-file=own.key",
        f"--secure-port={machine.api}", f"--grpc-port={machine.grpc}", "--data-dir=kept",
    )  # fmt: skip
    until("it serves", lambda: b"serving" in (apiserver / "log").read_bytes())
    stranger = machine.root / "stranger"
    stranger.mkdir()
    shutil.copy(apiserver / "ca.crt", stranger)
    machine.start(
        stranger,
        "scheduler",
        f"--server=localhost:{machine.grpc}",
        "--certificate-authority=ca.crt",
    )
    until("it is told", lambda: b"Unauthorized" in (stranger / "log").read_bytes())
    assert (apiserver / "kept" / "store.db").exists()
