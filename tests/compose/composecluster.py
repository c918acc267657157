"""A cluster of docker-compose.yml, as a test handles it."""

import functools
import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any, Final

import realcluster

ROOT: Final = Path(__file__).parents[2]
VERSIONS: Final = {"v1": ("docker-compose",), "v2": ("docker", "compose")}
DEADLINE: Final = 120.0
_BUILD: Final = 900.0


until = functools.partial(realcluster.until, deadline=DEADLINE, pause=0.2)
"""Look again until it is so, as containers take longer than processes."""


class ComposeCluster:
    """One project of Compose, on free ports and a network of its own."""

    def __init__(
        self, command: tuple[str, ...], folder: Path, number: int, settings: dict[str, str]
    ) -> None:
        self._command = command
        self.project = f"kubemu-test-{os.getpid()}-{number}"
        self.network = f"172.29.{100 + number}"
        self.ports = {
            name: str(_free_port())
            for name in ("KUBEMU_API_PORT", "KUBEMU_GRPC_PORT", "KUBEMU_REGISTRY_PORT")
        }
        self.kubeconfig = folder / "kubeconfig"
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("KUBE", "COMPOSE_"))
        }
        self._environment = kept | self.ports | settings | {
            "COMPOSE_PROJECT_NAME": self.project,
            "KUBEMU_NET": self.network,
            "KUBECONFIG": str(self.kubeconfig),
        }  # fmt: skip

    def up(self) -> None:
        """Start it; its kubeconfig is there then."""
        # A build for one test is one for all: what has not changed takes a second.
        self.compose("build", "init", deadline=_BUILD)
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
        return _run(command, self._environment, check=check, deadline=deadline)

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl; its output."""
        return _run(["kubectl", *arguments], self._environment)

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
    assert done.returncode == 0 or not check, (
        f"{command}: {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    )
    return done.stdout
