"""A cluster of real processes, as a test handles it."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from cluster.launcher import controlling, processes, state

KUBEMU = (sys.executable, "-m", "cluster.cli")
DEADLINE = 40.0


def until(
    what: str, reached: Callable[[], Any], deadline: float = DEADLINE, pause: float = 0.05
) -> Any:
    """Look again until it is so; what it is then."""
    end = time.monotonic() + deadline
    while True:
        found = reached()
        if found:
            return found
        assert time.monotonic() < end, f"not within {deadline:g} s: {what}"
        time.sleep(pause)  # noqa: TID251 - real processes: nothing tells us


class Cluster:
    """One cluster, in a home of its own."""

    def __init__(self, home: Path, name: str) -> None:
        self.name = name
        self.home = home
        self.folder = state.Folder(home / name)
        self.environment = {
            key: value for key, value in os.environ.items() if not key.startswith("KUBE")
        }
        self.environment |= {
            "KUBEMU_HOME": str(home),
            "KUBECONFIG": str(self.folder.kubeconfig),
            # What kubectl knows of an API is kept by its address, which another cluster has next.
            "KUBECACHEDIR": str(home / ".kubectl"),
        }

    def kubemu(self, *arguments: str, code: int = 0) -> str:
        """Run a kubemu command about this cluster; its output. Fails on another exit code."""
        return self.run([*KUBEMU, arguments[0], "--name", self.name, *arguments[1:]], code)

    def kubectl(self, *arguments: str, code: int = 0) -> str:
        """Run kubectl; its output."""
        return self.run(["kubectl", *arguments], code)

    def get(self, *arguments: str) -> Any:
        """What `kubectl get … -o json` gives."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def pods(self, selector: str = "") -> list[Any]:
        """The pods of the namespace default."""
        items: list[Any] = self.get("pods", "-l", selector)["items"]
        return items

    def running(self, count: int, selector: str = "") -> list[Any]:
        """Wait until so many pods run and are ready, beside any that are being deleted."""

        def reached() -> list[Any]:
            alive = [pod for pod in self.pods(selector) if not leaving(pod)]
            return alive if len(alive) == count and all(map(ready, alive)) else []

        try:
            found: list[Any] = until(f"{count} pods of {selector!r} run", reached)
        except AssertionError as late:
            late.add_note(self.kubectl("describe", "pods", "-l", selector))
            raise
        return found

    def process(self, name: str) -> Any:
        """A process, as the supervisor knows it (cluster.v1.Process)."""

        async def ask() -> Any:
            control = Path(processes.decode(self.folder.plan.read_bytes()).control)
            async with controlling.connect(control) as remote:
                return {each.name: each for each in await remote.processes()}[name]

        return asyncio.run(ask())

    def is_in(self, name: str, phase: str) -> bool:
        """Whether a process is in this phase."""
        process = self.process(name)
        return bool(process.Phase.Name(process.phase) == phase)

    def end(self) -> None:
        """Take it down; nothing of it may be left."""
        recorded = state.recorded(self.folder)
        self.kubemu("down")
        alive = {name for name, process in recorded.items() if state.alive(process)}
        assert alive == set()
        assert not self.folder.path.exists()
        assert [each for each in psutil.process_iter() if self._owns(each)] == []

    def _owns(self, process: psutil.Process) -> bool:
        try:
            return str(self.folder.path) in " ".join(process.cmdline())
        except psutil.Error:
            return False

    def run(self, command: list[str], code: int = 0) -> str:
        """Run a command in this cluster's environment; what it says."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stderr


def ready(pod: Any) -> bool:
    """Whether a pod runs and is Ready."""
    status = pod["status"]
    conditions = {each["type"]: each["status"] for each in status.get("conditions", [])}
    return status.get("phase") == "Running" and conditions.get("Ready") == "True"


def leaving(pod: Any) -> bool:
    """Whether a pod is being deleted."""
    return "deletionTimestamp" in pod["metadata"]


def containers(pods: list[Any]) -> dict[str, tuple[str, int]]:
    """The id and the number of restarts of each pod's container, by the pod's name."""
    return {
        pod["metadata"]["name"]: (status["containerID"], status["restartCount"])
        for pod in pods
        for status in pod["status"]["containerStatuses"]
    }
