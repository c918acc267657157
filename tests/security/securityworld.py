"""A cluster as somebody with a socket sees it: raw requests, certificates, tokens, logs."""

import base64
import contextlib
import functools
import json
import socket
import ssl
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from realcluster import Cluster, until

KEY = b"canary-encryption-key-32-bytes!!"
POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "users": ["system:apiserver"]},
        {"level": "Metadata", "resources": [{"group": "", "resources": ["secrets"]}]},
        {"level": "Metadata", "nonResourceURLs": ["*"]},
        {"level": "RequestResponse", "resources": [{"group": "", "resources": ["configmaps"]}]},
        {"level": "Metadata"},
    ],
}  # fmt: skip
ENCRYPTION: dict[str, Any] = {
    "apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration",
    "resources": [{
        "resources": ["secrets"],
        "providers": [
            {"aesgcm": {"keys": [{"name": "key1", "secret": base64.b64encode(KEY).decode()}]}},
            {"identity": {}},
        ],
    }],
}  # fmt: skip
Certificate = tuple[Path, Path]


class Answer(NamedTuple):
    """The first answer of a connection; status 0: it was closed without one."""

    status: int
    head: str
    body: bytes

    def status_message(self) -> str:
        """What the Status says."""
        return str(json.loads(self.body)["message"])


class Outside:
    """Sockets to the cluster. `folder` has what its API server was given, and the audit log."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        config = yaml.safe_load(cluster.folder.kubeconfig.read_text())
        known = config["clusters"][0]["cluster"]
        self.host, _, port = known["server"].removeprefix("https://").rpartition(":")
        self.port = int(port)
        self.grpc = known["extensions"][0]["extension"]["server"]
        self.ca = cluster.folder.pki / "ca.crt"

    @functools.cache  # noqa: B019 - one for the session
    def certificate(self, name: str) -> Certificate:
        """The certificate and key of a kubeconfig: `admin`, or a component's."""
        home = self.cluster.folder
        path = home.kubeconfig if name == "admin" else home.conf / f"{name}.conf"
        user = yaml.safe_load(path.read_text())["users"][0]["user"]
        made = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        for file, field in zip(made, ("client-certificate-data", "client-key-data"), strict=True):
            file.write_bytes(base64.b64decode(user[field]))
        return made

    def context(self, certificate: Certificate | None = None) -> ssl.SSLContext:
        """TLS as a client of this cluster has it."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if certificate is not None:
            context.load_cert_chain(*certificate)
        return context

    def connect(self, user: str = "", context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """A connection to the REST port."""
        if context is None:
            context = self.context(self.certificate(user) if user else None)
        plain = socket.create_connection((self.host, self.port), timeout=10)
        try:
            return context.wrap_socket(plain, server_hostname=self.host)
        except OSError:
            plain.close()
            raise

    def raw(self, sent: bytes, user: str = "") -> Answer:
        """What is answered to these bytes until the connection ends, or the answer is whole."""
        with self.connect(user) as tls:
            with contextlib.suppress(OSError):  # it may hang up before it has heard all
                tls.sendall(sent)
            return answer(tls)

    def ask(
        self, method: str, path: str, user: str = "", body: Any = None, token: str = "",
        media: str = "application/json", **headers: str,
    ) -> Answer:  # fmt: skip
        """One request, as it stands: nothing is made of the path."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
        lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close"]
        if sent or method in ("POST", "PUT", "PATCH"):
            lines += [f"Content-Type: {media}", f"Content-Length: {len(sent)}"]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + sent, user)

    def apply(self, manifest: str) -> None:
        """Apply a manifest, as the administrator."""
        path = self.folder / "manifest.yaml"
        path.write_text(manifest)
        self.cluster.kubectl("apply", "-f", str(path))

    def running(self, *pods: str) -> None:
        """Wait until these pods of the default namespace run."""

        def reached() -> bool:
            found = {
                pod["metadata"]["name"]: pod["status"].get("phase") for pod in self.cluster.pods()
            }
            return all(found.get(pod) == "Running" for pod in pods)

        until(f"{pods} run", reached)

    def refused(self) -> dict[str, float]:
        """The reasons of /metrics for which something was refused, with their counts."""
        text = self.ask("GET", "/metrics", "admin").body.decode()
        prefix = "kubemu_apiserver_refused_total{"
        found = {}
        for line in text.splitlines():
            if line.startswith(prefix):
                labels, _, count = line.rpartition(" ")
                found[labels.removeprefix(prefix).split('"')[1]] = float(count)
        return found

    def log(self, process: str = "apiserver") -> str:
        """The log of a process."""
        return self.cluster.folder.log(process).read_text()

    def audited(self) -> list[Any]:
        """The events of the audit log."""
        return [json.loads(line) for line in (self.folder / "audit.log").read_text().splitlines()]


def lets_in(outside: Outside, context: ssl.SSLContext) -> bool:
    """Whether a client of this context is answered at all."""
    try:
        with outside.connect(context=context) as tls:
            tls.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            return answer(tls).status != 0
    except OSError:
        return False


def answer(tls: ssl.SSLSocket, seconds: float = 10.0) -> Answer:
    """Read an answer: to the end of its body where that is told, else to the connection's end."""
    tls.settimeout(seconds)
    got, wanted = bytearray(), -1
    with contextlib.suppress(OSError):
        while wanted < 0 or len(got) < wanted:
            data = tls.recv(1 << 16)
            if not data:
                break
            got += data
            if wanted < 0:
                wanted = _length(bytes(got))
    head, _, body = bytes(got).partition(b"\r\n\r\n")
    words = head.split(None, 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    return Answer(status, head.decode(errors="replace"), body)


def _length(got: bytes) -> int:
    """How long an answer is, head and body; -1: not told, or not yet."""
    head, mark, _ = got.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n") if mark else ():
        if line.startswith(b"content-length:"):
            return len(head) + 4 + int(line.partition(b":")[2])
    return -1
