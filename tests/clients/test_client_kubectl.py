"""Every kubectl at hand, from the oldest to the newest, through a table of commands."""

import contextlib
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import clientworld
import kubectl_commands
import pytest
from clientworld import World
from kubectl_commands import Command

KUBECTLS = clientworld.kubectls() or [""]
ENDS = (KUBECTLS[0], KUBECTLS[-1])
EACH = pytest.mark.parametrize(
    "binary",
    [
        pytest.param(each, marks=() if each in ENDS else pytest.mark.every_version)
        for each in KUBECTLS
    ],
    ids=[Path(each).name for each in KUBECTLS],
)
EDITOR = """
import pathlib, sys
path = pathlib.Path(sys.argv[1])
path.write_text(path.read_text().replace("tier: front", "tier: edited"))
"""


class Kubectl:
    """One kubectl, in one namespace."""

    def __init__(self, cluster: World, binary: str, namespace: str, folder: Path) -> None:
        if not binary:
            pytest.skip("there is no kubectl on the PATH, and ./scripts/clients has brought none")
        self.cluster, self.binary, self.namespace, self.folder = cluster, binary, namespace, folder
        version = subprocess.run(
            [binary, "version", "--client"], capture_output=True, text=True, check=True
        )
        found = re.search(r"v1\.(\d+)", version.stdout)
        assert found is not None, version
        self.minor = int(found[1])
        editor = folder / "editor"
        editor.write_text(f"#!{sys.executable}\n{EDITOR}\n")
        editor.chmod(0o755)
        self.environment = cluster.environment | {"KUBE_EDITOR": str(editor), "HOME": str(folder)}

    def words(self, line: str) -> list[str]:
        line = line.replace("NS", self.namespace).replace("DIR", str(self.folder))
        return [self.binary, "-n", self.namespace, *shlex.split(line)]

    def complaint(self, command: Command) -> str:
        """What is wrong with what a command says; "" where it is as it should be."""
        done = subprocess.run(
            self.words(command.line), input=command.stdin, capture_output=True, text=True,
            timeout=90, check=False, env=self.environment,
        )  # fmt: skip
        said = (done.stdout + done.stderr).strip()
        as_expected = command.code in (done.returncode, -1) and re.search(command.says, said, re.M)
        return "" if as_expected else f"kubectl {command.line}: {done.returncode}\n{said[-800:]}"

    def go_through(self, commands: Sequence[Command]) -> None:
        """Run all; all complaints together fail the test."""
        complaints = []
        for command in commands:
            if command.since > self.minor:
                continue
            complaints.append(self.complaint(command))
            end = time.monotonic() + 20
            while complaints[-1] and command.eventually and time.monotonic() < end:
                time.sleep(0.1)  # noqa: TID251 - real processes: nothing tells us
                complaints[-1] = self.complaint(command)
        assert not any(complaints), "\n\n".join(filter(None, complaints))

    @contextlib.contextmanager
    def started(self, line: str) -> Iterator[str]:
        """A command at work, and the first line that it prints."""
        with subprocess.Popen(
            self.words(line), env=self.environment, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                yield process.stdout.readline()
            finally:
                process.kill()


@EACH
def test_the_table_of_commands(cluster: World, namespace: str, binary: str, tmp_path: Path) -> None:
    kubectl = Kubectl(cluster, binary, namespace, tmp_path)
    (tmp_path / "web.yaml").write_text(kubectl_commands.WEB)
    (tmp_path / "kustomization.yaml").write_text(kubectl_commands.KUSTOMIZATION)
    kubectl.go_through(
        kubectl_commands.WRITING
        + kubectl_commands.READING
        + kubectl_commands.STREAMING
        + kubectl_commands.MANAGING
    )


@EACH
def test_ports_are_forwarded_and_the_api_proxied(
    cluster: World, web: str, binary: str, tmp_path: Path
) -> None:
    kubectl = Kubectl(cluster, binary, web, tmp_path)
    with kubectl.started("port-forward --address=127.0.0.1 service/web :80") as line:
        port = line.split(" -> ")[0].rpartition(":")[2]
        for number in range(3):
            page = f"http://127.0.0.1:{port}/by-{number}"
            assert read(page) == f"web\nGET /by-{number}\n"
    with kubectl.started("proxy --port=0") as line:
        server = line.split()[-1]
        assert '"gitVersion"' in read(f"http://{server}/version")
        path = f"/api/v1/namespaces/{web}/services/web:80/proxy/through"
        assert read(f"http://{server}{path}") == "web\nGET /through\n"


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        text: str = answer.read().decode()
        return text


@EACH
def test_attaching_watching_and_the_end_of_both(
    cluster: World, namespace: str, binary: str, tmp_path: Path
) -> None:
    kubectl = Kubectl(cluster, binary, namespace, tmp_path)
    pod = clientworld.pod("echoes", "busybox", "sh", "-c", "while sleep 0.2; do echo tick; done")
    with subprocess.Popen(
        kubectl.words("get pods -w --no-headers -o custom-columns=N:.metadata.name"),
        env=kubectl.environment, stdout=subprocess.PIPE, text=True,
    ) as watching:  # fmt: skip
        cluster.post(f"/api/v1/namespaces/{namespace}/pods", pod)
        assert watching.stdout is not None
        assert watching.stdout.readline() == "echoes\n"
        watching.kill()
    cluster.until_ready(namespace, "echoes")
    with kubectl.started("attach echoes -q") as line:
        assert line in ("tick\n", "If you don't see a command prompt, try pressing enter.\n")
