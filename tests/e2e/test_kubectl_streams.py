"""Every kubectl at hand runs commands, reads logs, forwards ports and proxies.

A fake kubelet answers. Up to 1.29 they speak SPDY, from 1.30 on WebSocket channels for commands,
and from 1.31 on SPDY in WebSocket messages for ports.
"""

import contextlib
import fcntl
import os
import pty
import socket
import struct
import termios
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubectl_world
import msgspec
import pytest
from fake_kubelet import FakeConnector, FakeKubelet, http_port

from cluster.api.operations import Operation, Verb

pytestmark = pytest.mark.e2e

VERSIONS = kubectl_world.versions() or [""]
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi\n"
RUNNING = {
    "phase": "Running",
    "podIP": "10.244.0.5",
    "podIPs": [{"ip": "10.244.0.5"}],
    "conditions": [
        {"type": "Ready", "status": "True"},
        {"type": "ContainersReady", "status": "True"},
    ],
}


class Pods:
    """A server with the pods `web` (a container) and `two` (containers a and b), and a kubectl."""

    def __init__(self, world: kubectl_world.World, binary: str, kubelet: FakeKubelet) -> None:
        self.world = world
        self.kubectl = kubectl_world.Kubectl(world, binary)
        self.kubelet = kubelet
        self._create("nodes", {"metadata": {"name": "n1"}}, "")
        for name, containers in (("web", ["c"]), ("two", ["a", "b"])):
            spec = {
                "nodeName": "n1",
                "containers": [{"name": each, "image": "busybox"} for each in containers],
            }
            self._create("pods", {"metadata": {"name": name}, "spec": spec}, "default")
            self.world.set_status("pods", name, RUNNING)

    def _create(self, resource: str, obj: dict[str, Any], namespace: str) -> None:
        name, body = obj["metadata"]["name"], msgspec.json.encode(obj)
        operation = Operation(Verb.CREATE, resource, namespace, name, body=body)
        self.world.do(self.world.registry.one(operation, kubectl_world.ADMIN))


@pytest.fixture(scope="module", params=VERSIONS, ids=[Path(path).name for path in VERSIONS])
def pods(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pods]:
    kubelet = FakeKubelet()
    kubelet.ports[8080] = http_port(PAGE)
    folder = tmp_path_factory.mktemp("kubectl")
    with kubectl_world.running(folder, FakeConnector(kubelet)) as world:
        yield Pods(world, request.param, kubelet)


def test_a_command(pods: Pods) -> None:
    assert pods.kubectl("exec", "web", "--", "echo", "hello", "there") == "hello there\n"
    done = pods.kubectl.run("exec", "web", "--", "exit", "3")
    assert (done.code, done.out) == (3, "")
    assert "command terminated with exit code 3" in done.err


def test_a_command_that_reads(pods: Pods) -> None:
    text = "".join(f"line {number}\n" for number in range(20_000))
    assert pods.kubectl("exec", "-i", "web", "--", "cat", stdin=text) == text
    assert pods.kubectl("exec", "-i", "web", "--", "cat", stdin="") == ""


def test_a_command_that_says_much_and_one_that_warns(pods: Pods) -> None:
    assert len(pods.kubectl("exec", "web", "--", "yes", "200")) == 200 * 16384
    done = pods.kubectl.run("exec", "web", "--", "warn", "careful")
    assert (done.code, done.out, done.err) == (0, "", "careful\n")


def test_commands_that_cannot_be_run(pods: Pods) -> None:
    done = pods.kubectl.run("exec", "web", "--", "nosuch")
    assert done.code == 1
    assert 'exec: "nosuch": executable file not found in $PATH' in done.err
    done = pods.kubectl.run("exec", "web", "-c", "x", "--", "echo")
    assert "container x is not valid for pod web" in done.err
    done = pods.kubectl.run("exec", "none", "--", "echo")
    assert 'pods "none" not found' in done.err


def test_a_terminal(pods: Pods) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    with open(ours, "rb", buffering=0) as screen:  # noqa: PTH123
        with pods.kubectl.start("exec", "-it", "web", "--", "size", terminal=theirs) as running:
            said = screen.readline()
            while b"x" not in said:
                said = screen.readline()
            assert said.strip() == b"100x30"
            assert running.process.wait(10) == 0
        os.close(theirs)
    assert pods.kubelet.starts[-1].tty
    assert not pods.kubelet.starts[-1].stderr


def test_attaching(pods: Pods) -> None:
    assert pods.kubectl("attach", "web") == "attached\n"
    assert pods.kubectl("attach", "-i", "web", stdin="to the container\n") == "to the container\n"


def test_logs(pods: Pods) -> None:
    assert pods.kubectl("logs", "web", "--tail=2", "--since=5m") == "one\ntwo\n"
    asked = pods.kubelet.asked[-1]
    assert (asked.tail_lines, asked.since_seconds, asked.follow) == (2, 300, False)
    both = pods.kubectl("logs", "two", "--all-containers", "--prefix")
    assert sorted(both.splitlines()) == [
        f"[pod/two/{name}] {line}" for name in ("a", "b") for line in ("one", "two")
    ]


def test_a_followed_log(pods: Pods) -> None:
    with pods.kubectl.start("logs", "-f", "web") as following:
        assert [following.line(), following.line()] == ["one\n", "two\n"]
        pods.world.do(pods.kubelet.more.put(b"three\n"))
        assert following.line() == "three\n"
        pods.world.do(pods.kubelet.more.put(None))
        assert following.wait().code == 0


def test_forwarded_ports(pods: Pods) -> None:
    with forwarded(pods, 80) as port:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(b"x" * 100_000)
                connection.shutdown(socket.SHUT_WR)
                assert received(connection) == b"x" * 100_000


def test_a_page_behind_a_forwarded_port(pods: Pods) -> None:
    with (
        forwarded(pods, 8080) as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer,
    ):
        assert answer.read() == b"hi\n"


def test_a_port_that_nobody_serves(pods: Pods) -> None:
    with forwarded(pods, 81) as port, socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(10)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""


def test_the_proxy_of_a_pod(pods: Pods) -> None:
    where = "/api/v1/namespaces/default/pods/web:8080/proxy/x"
    assert pods.kubectl("get", "--raw", where) == "hi\n"


@contextlib.contextmanager
def forwarded(pods: Pods, port: int) -> Iterator[int]:
    """The local port that kubectl forwards to a port of the pod."""
    with pods.kubectl.start(
        "port-forward", "--address=127.0.0.1", "pod/web", f":{port}"
    ) as running:
        line = running.line()
        assert line.startswith("Forwarding from 127.0.0.1:"), line
        yield int(line.split(" -> ")[0].rpartition(":")[2])


def received(connection: socket.socket) -> bytes:
    """All that comes until the other end closes."""
    got = b""
    while part := connection.recv(65536):
        got += part
    return got
