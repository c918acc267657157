"""crictl against a node's runtime: pods and containers made by hand, and those of a cluster.

crictl itself where it is installed, else the program of the folder `cri`, which makes the same
calls with the same libraries.
"""

import contextlib
import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import clientworld
import pytest
from clientworld import World
from realcluster import KUBEMU, until

SANDBOX = {
    "metadata": {"name": "web", "uid": "u-1", "namespace": "default", "attempt": 0},
    "hostname": "web",
    "linux": {},
}


class Node:
    """A runtime process, as one who logs in on its machine handles it."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        found = shutil.which("crictl")
        own = "the program built from tests/clients/cri"
        self.program = found or str(clientworld.program("go/kubemu-cri", own))
        self.folder = folder
        self.endpoint = endpoint

    def command(self, *words: str) -> list[str]:
        return [self.program, "-r", self.endpoint, *words]

    def call(self, *words: str, stdin: str = "", code: int = 0) -> str:
        done = subprocess.run(
            self.command(*words), input=stdin, capture_output=True, text=True, timeout=30,
            check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stdout + done.stderr

    def listed(self, *words: str) -> list[str]:
        return self.call(*words).split()

    def file(self, name: str, config: object) -> str:
        path = self.folder / name
        path.write_text(json.dumps(config))
        return str(path)

    def pod(self) -> tuple[str, str]:
        """A sandbox; its id, and the file of its configuration."""
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        file = self.file("pod.json", {**SANDBOX, "log_directory": str(logs)})
        return self.call("runp", file).strip(), file

    def container(self, image: str, *command: str, stdin: bool = False) -> tuple[str, str]:
        """A sandbox and a running container in it; their ids."""
        pod, file = self.pod()
        self.call("pull", image)
        config = {
            "metadata": {"name": "main"}, "image": {"image": image}, "command": command,
            "log_path": "main.0.log", "stdin": stdin, "linux": {},
        }  # fmt: skip
        made = self.call("create", pod, self.file("container.json", config), file).strip()
        assert self.call("start", made).strip() == made
        return pod, made

    def clear(self) -> None:
        for pod in self.listed("pods", "-q"):
            self.call("stopp", pod)
            self.call("rmp", pod)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("machine")
    socket = folder / "r.sock"
    node = Node(folder, f"unix://{socket}")
    words = ["runtime", f"--listen=unix:{socket}", "--node-name=alone", "--pod-cidr=10.9.0.0/24"]
    process = subprocess.Popen([*KUBEMU, *words], stderr=subprocess.DEVNULL)
    try:
        until("it listens", socket.exists)
        yield node
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def node(machine: Node) -> Iterator[Node]:
    yield machine
    machine.clear()
    assert machine.listed("ps", "-a", "-q") == []


def test_it_tells_of_itself(node: Node) -> None:
    said = dict(line.split(":", 1) for line in node.call("version").splitlines())
    assert said["RuntimeName"].strip() == "kubemu"
    assert said["RuntimeApiVersion"].strip() == "v1"
    info = json.loads(node.call("info"))
    assert "RuntimeReady" in {one["type"] for one in info["status"]["conditions"]}


def test_images_are_pulled_listed_and_removed(node: Node) -> None:
    assert "Image is up to date for" in node.call("pull", "nginx:1.27")
    (image,) = node.listed("images", "-q")
    assert "docker.io/library/nginx:1.27" in node.call("inspecti", image)
    assert node.call("imagefsinfo")
    node.call("rmi", image)
    assert node.listed("images", "-q") == []
    assert "no such image" in node.call("inspecti", image, code=1)
    assert "invalid reference format" in node.call("pull", "Bad::name", code=1)


def test_a_container_lives_and_ends(node: Node) -> None:
    pod, made = node.container("busybox", "sh", "-c", "echo up; sleep 1000")
    assert node.listed("pods", "-q", "--name", "web", "--state", "ready") == [pod]
    assert node.listed("ps", "-q", "-p", pod) == [made]
    assert json.loads(node.call("inspectp", pod))["status"]["network"]["ip"].startswith("10.9.0.")
    told = json.loads(node.call("inspect", made[:10]))
    assert told["status"]["id"] == made
    assert made in node.call("stats", "-o", "json", made)
    node.call("update", "--cpu-share", "512", made)
    assert node.call("logs", made) == "up\n"
    node.call("stop", "-t", "0", made)
    assert node.listed("ps", "-q") == []
    assert node.listed("ps", "-a", "-q") == [made]
    assert "CONTAINER_EXITED" in node.call("exec", made, "true", code=1)
    node.call("rm", made)
    node.call("stopp", pod)
    assert node.listed("pods", "-q", "--state", "ready") == []
    node.call("rmp", pod)
    assert node.listed("pods", "-q") == []
    assert "not found" in node.call("inspect", made, code=1)


def test_commands_have_codes_input_and_terminals(node: Node) -> None:
    _, made = node.container("busybox", "sleep", "1000")
    assert node.call("exec", made, "sh", "-c", "echo out; echo err >&2") == "out\n"
    node.call("exec", made, "sh", "-c", "echo said; exit 3", code=3 if own(node) else 1)
    node.call("exec", "-s", made, "sh", "-c", "exit 4", code=4 if own(node) else 1)
    assert node.call("exec", "-s", made, "hostname") == "web\n"
    text = "".join(f"line {number}\n" for number in range(20_000))
    assert node.call("exec", "-i", made, "cat", stdin=text) == text
    script = [
        "script",
        "-qec",
        " ".join(node.command("exec", "-i", "-t", made, "tty")),
        "/dev/null",
    ]
    done = subprocess.run(script, capture_output=True, timeout=30, check=True)
    # client-go may complain of what it could not send any more.
    assert done.stdout.split()[0] == b"/dev/pts/0"
    assert "executable file not found" in node.call("exec", made, "no-such", code=1)


def test_attaching_and_following_show_what_is_said(node: Node) -> None:
    _, made = node.container(
        "busybox", "sh", "-c", "while read w; do echo got $w; done", stdin=True
    )
    following = subprocess.Popen(
        node.command("logs", "-f", made), stdout=subprocess.PIPE, text=True
    )
    attached = subprocess.Popen(
        node.command("attach", "-i", made), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert attached.stdin is not None
        assert attached.stdout is not None
        assert following.stdout is not None
        for word in ("one", "two"):
            attached.stdin.write(f"{word}\n")
            attached.stdin.flush()
            assert attached.stdout.readline() == f"got {word}\n"
            assert following.stdout.readline() == f"got {word}\n"
        node.call("stop", "-t", "0", made)
        assert following.wait(20) == 0
    finally:
        for process in (attached, following):
            process.kill()
            process.communicate()


def test_ports_are_forwarded(node: Node) -> None:
    pod, _ = node.container("nginx")
    with forwarded(node, pod, 80) as port:
        for _ in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
                assert answer.status == 200


def test_pods_of_a_cluster_are_seen(cluster: World, web: str, tmp_path: Path) -> None:
    found = []
    for name in ("runtime-node-1", "runtime-node-2"):
        node = Node(tmp_path, f"unix://{cluster.cluster.folder.socket(name)}")
        found += [(node, pod) for pod in node.listed("pods", "-q", "--name", "web")]
    ((node, pod),) = found
    (made,) = node.listed("ps", "-q", "-p", pod)
    assert node.call("exec", made, "hostname") == "web\n"
    status = cluster.get(f"/api/v1/namespaces/{web}/pods/web")["status"]
    assert status["containerStatuses"][0]["containerID"] == f"kubemu://{made}"
    with (
        forwarded(node, pod, 80) as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/by-crictl", timeout=20) as answer,
    ):
        assert answer.status == 200


def own(node: Node) -> bool:
    """Whether it is our program, that exits as the command did; crictl only tells of the code."""
    return Path(node.program).name != "crictl"


@contextlib.contextmanager
def forwarded(node: Node, pod: str, port: int) -> Iterator[int]:
    command = node.command("port-forward", pod, f":{port}")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()  # Forwarding from 127.0.0.1:PORT -> …
        yield int(line.split(" -> ")[0].rpartition(":")[2])
    finally:
        process.kill()
        process.communicate()
