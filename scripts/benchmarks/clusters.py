"""Whole clusters as a user starts them: time, memory, and pods until they run."""

import base64
import contextlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import yaml

from benchmarks import documents
from benchmarks.figures import Figure, Outcome, Skipped

_ROOT = Path(__file__).parent.parent.parent
_DEADLINE = 180


class Cluster:
    """A cluster in a state folder of its own, from `with` to its end. `started` is in seconds;
    its API is at `url`, to be spoken to by `tls`.
    """

    def __init__(self, *flags: str) -> None:
        self._flags = flags

    def __enter__(self) -> Self:
        self._stack = contextlib.ExitStack()
        # The control socket's path must stay short: not under the system's long folders.
        self._home = self._stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp"))
        begin = time.perf_counter()
        self._stack.callback(self._kubemu, "down")
        try:
            self._kubemu("up", *self._flags)
            self.started = time.perf_counter() - begin
            self.kubeconfig = self._kubemu("kubeconfig", "--path").strip()
        except BaseException:
            self._stack.close()
            raise
        self._connect()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def post(self, path: str, body: dict[str, Any]) -> None:
        """Create an object at a path of the API."""
        self._open(path, json.dumps(body).encode()).read()

    def get(self, path: str) -> dict[str, Any]:
        """Read a path of the API."""
        return json.loads(self._open(path).read())

    def watch(self, path: str) -> Iterator[dict[str, Any]]:
        """The objects of a watch, as they come."""
        for line in self._open(f"{path}&watch=true&timeoutSeconds={_DEADLINE}"):
            yield json.loads(line)["object"]

    def memory(self) -> float:
        """Proportional set size of every process of the cluster, in MB."""
        return sum(_pss(pid) for pid in self.processes()) / 1e6

    def processes(self) -> list[int]:
        """Process ids, the supervisor's with them."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdecimal() and self._home in _told(entry):
                    found.append(int(entry.name))
        return [pid for pid in found if pid != os.getpid()]

    def kubectl(self, *command: str) -> str:
        """Run kubectl against the cluster."""
        return _run("kubectl", "--kubeconfig", self.kubeconfig, *command)

    def _kubemu(self, *command: str) -> str:
        environment = os.environ | {"KUBEMU_HOME": self._home}
        return _run(sys.executable, "-m", "cluster.cli", *command, environment=environment)

    def _connect(self) -> None:
        config = yaml.safe_load(Path(self.kubeconfig).read_text())
        server, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.url = server["server"]
        folder = Path(self._home) / "bench"
        folder.mkdir()
        for name, text in (
            ("ca", server["certificate-authority-data"]),
            ("crt", user["client-certificate-data"]),
            ("key", user["client-key-data"]),
        ):
            (folder / name).write_bytes(base64.b64decode(text))
        self.tls = ssl.create_default_context(cafile=str(folder / "ca"))
        self.tls.load_cert_chain(folder / "crt", folder / "key")

    def _open(self, path: str, body: bytes | None = None) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=body, headers=headers)
        return urllib.request.urlopen(request, timeout=_DEADLINE, context=self.tls)


def measure() -> Iterator[Outcome]:
    """Three nodes and the guestbook, then hollow nodes and large Deployments."""
    yield from _small()
    yield _until_running(100, 3_000, 6)
    yield _until_running(1_000, 5_000, 12)


def _small() -> Iterator[Outcome]:
    with Cluster("--nodes", "3"):
        pass  # the first start reads files that the disk has not seen yet
    with Cluster("--nodes", "3") as cluster:
        yield Figure("up: three nodes Ready", cluster.started, "s", 3, True, "the aim is 1.5")
        yield Figure(
            "up: memory of all processes (PSS)", cluster.memory(), "MB", 350, True,
            f"{len(cluster.processes())} processes",
        )  # fmt: skip
        if shutil.which("kubectl") is None:
            yield Skipped("guestbook until Running", "kubectl is not installed")
            return
        begin = time.perf_counter()
        cluster.kubectl("apply", "-f", str(_ROOT / "examples/guestbook.yaml"))
        pods = "/api/v1/namespaces/default/pods?"
        running: dict[str, bool] = {}
        wanted = _replicas(_ROOT / "examples/guestbook.yaml")
        for pod in cluster.watch(pods):
            running[pod["metadata"]["name"]] = pod["status"].get("phase") == "Running"
            if sum(running.values()) >= wanted:
                break
        seconds = time.perf_counter() - begin
        yield Figure("guestbook: kubectl apply until all Running", seconds, "s", 3, True)


def _until_running(nodes: int, replicas: int, target: float) -> Outcome:
    with Cluster("--nodes", "0", "--hollow", str(nodes)) as cluster:
        begin = time.perf_counter()
        deployments = "/apis/apps/v1/namespaces/default/deployments"
        cluster.post(deployments, documents.deployment("web", replicas))
        for deployment in cluster.watch(f"{deployments}?fieldSelector=metadata.name=web"):
            if deployment.get("status", {}).get("availableReplicas", 0) >= replicas:
                break
        seconds = time.perf_counter() - begin
        items = cluster.get("/api/v1/namespaces/default/pods")["items"]
        running = sum(pod["status"].get("phase") == "Running" for pod in items)
        if running < replicas:
            raise RuntimeError(f"only {running} of {replicas} pods are Running")
        name = f"{replicas:,} pods on {nodes:,} hollow nodes until Running"
        note = f"up {cluster.started:.1f} s, PSS {cluster.memory():.0f} MB"
        return Figure(name, seconds, "s", target, True, note)


def _replicas(manifest: Path) -> int:
    found = yaml.safe_load_all(manifest.read_text())
    return sum(o["spec"].get("replicas", 1) for o in found if o and o["kind"] == "Deployment")


def _run(*command: str, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_DEADLINE, env=environment, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _pss(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return float(line.split()[1]) * 1024
    return 0.0


def _told(entry: Path) -> str:
    """The command line and environment of a process, which name its cluster's state folder."""
    return (entry / "cmdline").read_text(errors="replace") + (entry / "environ").read_text(
        errors="replace"
    )
