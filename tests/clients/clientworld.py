"""What tests of clients stand on: a real cluster, plain HTTP to it, and the clients' programs.

`scripts/clients` puts programs that are no Python packages into `.clients`; a test whose program
is missing skips, and says what would bring it.
"""

import base64
import contextlib
import json
import shutil
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from realcluster import Cluster, ready, until

TREE = Path(__file__).resolve().parents[2]
PROGRAMS = TREE / ".clients"


class World:
    """A cluster, and plain requests as its administrator."""

    def __init__(self, folder: Path) -> None:
        self.cluster = Cluster(folder, "clients")
        self.folder = folder

    @property
    def kubeconfig(self) -> str:
        return self.cluster.environment["KUBECONFIG"]

    @property
    def environment(self) -> dict[str, str]:
        """What programs run with: this cluster and no other, and a home of their own."""
        return self.cluster.environment | {"HOME": str(self.folder)}

    @property
    def server(self) -> str:
        """The address of the API server."""
        found: str = self._config("clusters")["cluster"]["server"]
        return found

    def authority(self) -> Path:
        """A file with the certificate authority of the cluster."""
        path = self.folder / "ca.crt"
        path.write_bytes(_bytes(self._config("clusters")["cluster"], "certificate-authority"))
        return path

    def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """The answer to a request, decoded; an error of HTTP is raised."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.server + path, data, {"Content-Type": kind}, method=method
        )
        with urllib.request.urlopen(request, timeout=30, context=self._tls()) as answer:
            return json.load(answer)

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, body: Any) -> Any:
        return self.call("POST", path, body)

    def make_namespace(self, name: str) -> str:
        """Make a namespace, and wait until pods can be made there."""
        self.post("/api/v1/namespaces", {"metadata": {"name": name}})
        accounts = f"/api/v1/namespaces/{name}/serviceaccounts"
        until("the default account is there", lambda: self.get(accounts)["items"])
        return name

    def until_ready(self, namespace: str, name: str) -> Any:
        """Wait until a pod runs and is ready; the pod."""
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"

        def reached() -> Any:
            found = self.get(path)
            return found if ready(found) else None

        return until(f"{name} is ready", reached)

    def until_started(self, namespace: str, name: str) -> None:
        """Wait until a pod's containers have started; they may have ended as well."""
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        phases = ("Running", "Succeeded", "Failed")
        until(f"{name} has started", lambda: self.get(path)["status"].get("phase") in phases)

    def define(self, group: str, plural: str, kind: str, **version: Any) -> None:
        """Define a kind of custom objects, and wait until it is served."""
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        self.post(path, definition(group, plural, kind, **version))
        where = f"{path}/{plural}.{group}"
        until(f"{plural} are served", lambda: established(self.get(where)))

    def run(self, *command: str, stdin: str = "", code: int | None = 0, **env: str) -> str:
        """Run a program; what it prints. It must end with this exit code (None: any)."""
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=120, check=False,
            env=self.environment | env,
        )  # fmt: skip
        said = f"{done.stdout}{done.stderr}"
        assert code is None or done.returncode == code, f"{command}: {done.returncode}\n{said}"
        return done.stdout if code == 0 else said

    @contextlib.contextmanager
    def started(self, *command: str, **env: str) -> "Iterator[subprocess.Popen[str]]":
        """A program at work, ended at the end; its stdout is a pipe, with its stderr in it."""
        with subprocess.Popen(
            command, env=self.environment | env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                process.kill()

    def _config(self, part: str) -> Any:
        return yaml.safe_load(Path(self.kubeconfig).read_text())[part][0]

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.authority()))
        user = self._config("users")["user"]
        own = self.folder / "admin.pem"
        own.write_bytes(_bytes(user, "client-certificate") + b"\n" + _bytes(user, "client-key"))
        context.load_cert_chain(own)
        return context


def _bytes(holder: dict[str, str], name: str) -> bytes:
    if name in holder:
        return Path(holder[name]).read_bytes()
    return base64.b64decode(holder[f"{name}-data"])


def program(path: str, what: str) -> Path:
    """A program that scripts/clients has put into `.clients`; without it the test skips."""
    found = PROGRAMS / path
    if not found.exists():
        pytest.skip(f"{what} is not there: run ./scripts/clients")
    return found


def kubectls() -> list[str]:
    """Every kubectl at hand, the oldest first: beside the one on the PATH, and in `.clients`."""
    plain = shutil.which("kubectl")
    beside = sorted(map(str, Path(plain).resolve().parent.glob("kubectl.1.*"))) if plain else []
    own = sorted(map(str, PROGRAMS.glob("kubectl/kubectl.1.*")))
    names = {Path(each).name: each for each in [*own, *beside]}
    found = [names[name] for name in sorted(names)]
    return found or ([plain] if plain else [])


def pod(name: str, image: str, *command: str, port: int = 0, restart: str = "Always") -> Any:
    """A pod of one container `main`."""
    container: dict[str, Any] = {"name": "main", "image": image}
    if command:
        container["command"] = list(command)
    if port:
        container["ports"] = [{"containerPort": port}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "containers": [container],
            "restartPolicy": restart,
            "terminationGracePeriodSeconds": 1,
        },
    }


def service(name: str) -> Any:
    """A service that spreads port 80 over the pods of this app."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
    }


def deployment(name: str, replicas: int = 1, image: str = "nginx") -> Any:
    """A deployment of one container `main`."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    }


def definition(group: str, plural: str, kind: str, **version: Any) -> Any:
    """A CustomResourceDefinition of one version, whose objects may hold anything."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [served | {"schema": {"openAPIV3Schema": anything}} | version],
        },
    }


def established(definition: Any) -> bool:
    """Whether a CustomResourceDefinition says that it is served."""
    conditions = (definition.get("status") or {}).get("conditions") or []
    return ("Established", "True") in {(each["type"], each["status"]) for each in conditions}
