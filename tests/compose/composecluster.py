"""A cluster of docker-compose.yml, as a test handles it."""

import functools
import json
import os
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import realcluster

ROOT: Final = Path(__file__).parents[2]
VERSIONS: Final = {"v1": ("docker-compose",), "v2": ("docker", "compose")}
DEADLINE: Final = 120.0
_BUILD: Final = 900.0


NODES: Final = ["node-1", "node-2", "node-3"]


until = functools.partial(realcluster.until, deadline=DEADLINE, pause=0.2)
"""Look again until it is so, as containers take longer than processes."""


class Failed(AssertionError):
    """A command ended with a fault; what it said."""


def answered(ask: Callable[[], Any]) -> Any:
    """What is answered; None where the command fails, as it may while something is away."""
    try:
        return ask()
    except Failed:
        return None


def page(url: str, context: ssl.SSLContext | None = None) -> bytes:
    """What is at a URL."""
    with urllib.request.urlopen(url, timeout=10, context=context) as answer:
        return bytes(answer.read())


class ComposeCluster:
    """One project of Compose, on free ports and a network of its own.

    `command` is Compose's, with the options that go before each of its commands; `builder` is the
    one that builds the images.
    """

    def __init__(
        self, command: tuple[str, ...], builder: tuple[str, ...], folder: Path, number: int,
        settings: dict[str, str],
    ) -> None:  # fmt: skip
        self._command = command
        self._builder = builder
        self.project = f"kubemu-test-{os.getpid()}-{number}"
        self.network = f"172.29.{100 + number}"
        self.ports = {
            f"KUBEMU_{name}_PORT": str(_free_port())
            for name in ("API", "GRPC", "REGISTRY", "PROMETHEUS", "GRAFANA")
        }
        self.kubeconfig = folder / "kubeconfig"
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("KUBE", "COMPOSE_"))
        }
        self.environment = kept | self.ports | settings | {
            "COMPOSE_PROJECT_NAME": self.project,
            "KUBEMU_NET": self.network,
            "KUBECONFIG": str(self.kubeconfig),
        }  # fmt: skip

    def up(self) -> None:
        """Start it; its kubeconfig is there then."""
        # A build for one test is one for all: what has not changed takes a second.
        _run([*self._builder, "build"], self.environment, deadline=_BUILD)
        self.compose("up", "-d")
        config = self.compose("exec", "-T", "apiserver", "cat", "/etc/kubemu/admin.conf")
        self.kubeconfig.write_text(config)

    def down(self) -> list[str]:
        """Take it down; what is left of it."""
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", check=False)
        mine = f"label=com.docker.compose.project={self.project}"
        return [
            remain
            for kind in (("ps", "--all"), ("volume", "ls"), ("network", "ls"))
            for remain in _run(["docker", *kind, "--quiet", "--filter", mine]).split()
        ]

    def compose(self, *arguments: str, check: bool = True, deadline: float = DEADLINE) -> str:
        """Run a command of Compose; its output."""
        command = [*self._command, *arguments]
        return _run(command, self.environment, check=check, deadline=deadline)

    def run(self, *command: str, deadline: float = DEADLINE) -> str:
        """Run a command in this cluster's environment; its output."""
        return _run([*command], self.environment, deadline=deadline)

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl; its output."""
        return _run(["kubectl", *arguments], self.environment)

    def get(self, *arguments: str) -> Any:
        """What `kubectl get … -o json` gives."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def ready_nodes(self) -> list[str]:
        """The names of the nodes that are Ready."""
        return [
            node["metadata"]["name"]
            for node in self.get("nodes")["items"]
            if condition(node, "Ready") == "True"
        ]

    def pods(self, selector: str) -> list[Any]:
        """The pods of the namespace default that are Ready and stay."""
        return [
            pod
            for pod in self.get("pods", "-l", selector)["items"]
            if condition(pod, "Ready") == "True" and "deletionTimestamp" not in pod["metadata"]
        ]

    def address(self, node: int) -> str:
        """The address of a node: 1, 2 or 3."""
        return f"{self.network}.{20 + node}"

    def container(self, service: str) -> str:
        """The id of a service's container."""
        return self.compose("ps", "--all", "--quiet", service).strip()

    def address_of(self, service: str) -> str:
        """The address of a service's container."""
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return _run(["docker", "inspect", "--format", form, self.container(service)]).strip()

    def health(self) -> dict[str, str]:
        """How each service that runs says it is: "healthy", …; "" where it has no such check."""
        listed = self.compose("ps", "--format", "json")
        found = [json.loads(line) for line in listed.splitlines()]
        return {one["Service"]: one["Health"] for one in found}


def condition(thing: Any, kind: str) -> str:
    """The status of a condition of an object; "" where it has none."""
    found = thing.get("status", {}).get("conditions", [])
    return next((each["status"] for each in found if each["type"] == kind), "")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(
    command: list[str], environment: dict[str, str] | None = None, *, check: bool = True,
    deadline: float = DEADLINE,
) -> str:  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=deadline,
        check=False,
    )  # fmt: skip
    if done.returncode and check:
        said = f"{done.stdout[-4000:]}{done.stderr[-4000:]}"
        raise Failed(f"{command}: {done.returncode}\n{said}")
    return done.stdout
