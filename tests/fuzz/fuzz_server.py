"""An API server with everything on, as a process of its own, which can be killed and started."""

import os
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import psutil
from fuzz_wire import Connection
from realcluster import KUBEMU, until

from cluster.launcher import pki

ADMIN = "admin-token"
TOKENS = {
    ADMIN: '"system:masters"',
    "editor-token": "",
    "viewer-token": "",
    "nobody-token": "",
    "node-token": '"system:nodes"',
}
_NAMES = {"node-token": "system:node:n1"}

_AUDIT = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: []
rules:
- level: Metadata
  resources: [{group: "", resources: [secrets]}]
- level: RequestResponse
  verbs: [create, update, patch]
- level: Request
"""


def user(token: str) -> str:
    """The name of who has the token."""
    return _NAMES.get(token, token.removesuffix("-token"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """Started by `start`; its state is in `folder` and outlives it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        now = time.time()  # noqa: TID251 - certificates of a real server
        authority = pki.ensure_authority(folder, now)
        pki.ensure_serving(folder, "apiserver", ["localhost", "127.0.0.1"], authority, now)
        pki.ensure_client(folder, "front-proxy-client", pki.Subject("front"), authority, now)
        pki.ensure_service_account_key(folder)
        lines = [f"{key},{user(key)},{key},{groups}" for key, groups in TOKENS.items()]
        (folder / "tokens").write_text("\n".join(lines) + "\n")
        (folder / "audit.yaml").write_text(_AUDIT)
        self.port = _free_port()
        self.tls = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        self.process: subprocess.Popen[bytes] | None = None

    def connect(self, token: str = ADMIN) -> Connection:
        return Connection(self.port, self.tls, token)

    def start(self) -> None:
        at = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *KUBEMU, "apiserver", "--bind-address=127.0.0.1",
                    f"--secure-port={self.port}", f"--grpc-port={_free_port()}",
                    "--tls-cert-file=apiserver.crt", "--tls-private-key-file=apiserver.key",
                    "--client-ca-file=ca.crt", "--token-auth-file=tokens",
                    "--service-account-signing-key-file=sa.key", "--data-dir=data",
                    "--authorization-mode=Node,RBAC", "--enable-bootstrap-token-auth=true",
                    "--requestheader-allowed-names=front",
                    "--proxy-client-cert-file=front-proxy-client.crt",
                    "--proxy-client-key-file=front-proxy-client.key",
                    "--audit-policy-file=audit.yaml", "--audit-log-path=audit.log",
                    "--log-format=json",
                ],
                cwd=self.folder, stdout=log, stderr=log,
                env={key: value for key, value in os.environ.items() if "KUBE" not in key},
            )  # fmt: skip
        until("it serves or ends", lambda: self._serves(at) or self.process.poll() is not None)
        assert self._serves(at), self.log.read_text(errors="replace")[-3000:]

    def _serves(self, at: int) -> bool:
        return b"serving" in self.log.read_bytes()[at:]

    def kill(self) -> None:
        """End it as a loss of power would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(15)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            finally:
                self.process.kill()

    def memory(self) -> float:
        """Its resident megabytes."""
        assert self.process is not None
        return float(psutil.Process(self.process.pid).memory_info().rss) / 1e6

    def busy(self) -> float:
        """The processor's seconds that it has used."""
        assert self.process is not None
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def complaints(self) -> list[str]:
        """Lines of its log that tell of a fault."""
        text = self.log.read_text(errors="replace")
        bad = ("Traceback", '"level":"error"', '"level": "error"', '"level":"critical"')
        return [line[:3000] for line in text.splitlines() if any(word in line for word in bad)]
