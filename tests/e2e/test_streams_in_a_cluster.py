"""Commands, logs, ports and proxies of real pods, from kubectl to the container and back."""

import contextlib
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from realcluster import Cluster

pytestmark = pytest.mark.usefixtures("kubectl")

PAGE = "/api/v1/namespaces/default/{}/proxy/"


@pytest.fixture(scope="module")
def cluster(clusters: Callable[..., Cluster]) -> Cluster:
    """A node, the pod `web` that serves port 80, and a service before it."""
    found = clusters("streams", "--nodes", "1")
    found.kubectl("run", "web", "--image=example.com/pages", "--port=80")
    found.kubectl("expose", "pod", "web", "--name=web")
    found.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pod/web")
    return found


def binaries() -> list[str]:
    """The oldest kubectl at hand, which speaks SPDY, and the newest."""
    plain = shutil.which("kubectl")
    if plain is None:
        return ["kubectl"]
    beside = sorted(map(str, Path(plain).resolve().parent.glob("kubectl.1.*")))
    return [beside[0], beside[-1]] if beside else [plain]


def run(cluster: Cluster, *command: str, stdin: str = "", code: int = 0) -> str:
    """Run a command with stdin; what it prints."""
    done = subprocess.run(
        command, env=cluster.environment, input=stdin, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout if code == 0 else done.stderr


@pytest.mark.parametrize("binary", binaries())
def test_commands_in_a_container(cluster: Cluster, binary: str) -> None:
    assert run(cluster, binary, "exec", "web", "--", "echo", "hello") == "hello\n"
    said = run(cluster, binary, "exec", "web", "--", "sh", "-c", "exit 3", code=3)
    assert "command terminated with exit code 3" in said
    text = "".join(f"line {number}\n" for number in range(5000))
    assert run(cluster, binary, "exec", "-i", "web", "--", "cat", stdin=text) == text


@pytest.mark.parametrize("binary", binaries())
def test_files_are_copied_in_and_out(cluster: Cluster, binary: str, tmp_path: Path) -> None:
    sent, back = tmp_path / "sent.txt", tmp_path / "back.txt"
    sent.write_text("some words\n" * 1000)
    run(cluster, binary, "cp", str(sent), "web:/tmp/copied.txt")
    run(cluster, binary, "cp", "web:/tmp/copied.txt", str(back))
    assert back.read_text() == sent.read_text()


@pytest.mark.parametrize("binary", binaries())
def test_a_forwarded_port_and_the_log_of_what_came(cluster: Cluster, binary: str) -> None:
    with forwarded(cluster, binary) as port:
        for number in range(3):
            where = f"http://127.0.0.1:{port}/forwarded-{number}"
            with urllib.request.urlopen(where, timeout=20) as answer:
                assert answer.status == 200
    assert "forwarded-2" in run(cluster, binary, "logs", "web", "--tail=20")


def test_a_log_is_followed_to_the_end_of_its_container(cluster: Cluster) -> None:
    words = "for n in 1 2 3; do echo word $n; sleep 0.2; done"
    cluster.kubectl("run", "talker", "--image=busybox", "--restart=Never", "--", "sh", "-c", words)
    begun = "--for=jsonpath={.status.containerStatuses[0].containerID}"
    cluster.kubectl("wait", begun, "pod/talker", "--timeout=30s")
    said = cluster.kubectl("logs", "-f", "talker", "--pod-running-timeout=30s")
    assert said == "word 1\nword 2\nword 3\n"


def test_the_last_words_of_a_deleted_pod_are_heard(cluster: Cluster) -> None:
    words = "trap 'echo last; echo -n words; exit' TERM; echo up; while :; do sleep 0.05; done"
    says = ("--image=busybox", "--restart=Never", "--", "sh", "-c", words)
    cluster.kubectl("run", "leaving", *says)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/leaving", "--timeout=30s")
    with following(cluster, "leaving") as process:
        assert process.stdout.readline() == "up\n"
        cluster.kubectl("delete", "pod", "leaving", "--grace-period=1")
        assert process.communicate(timeout=20)[0] == "last\nwords\n"
        assert process.returncode == 0


@contextlib.contextmanager
def following(cluster: Cluster, pod: str) -> Iterator["subprocess.Popen[str]"]:
    """`kubectl logs -f` of a pod, killed at the end."""
    with subprocess.Popen(
        ("kubectl", "logs", "-f", pod), env=cluster.environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def test_a_pod_that_is_run_to_talk_with(cluster: Cluster) -> None:
    said = run(
        cluster, "kubectl", "run", "echoes", "-i", "--rm", "--quiet", "--restart=Never",
        "--image=busybox", "--", "cat", stdin="to the container\n",
    )  # fmt: skip
    assert said == "to the container\n"


def test_proxies_of_pods_services_and_nodes(cluster: Cluster) -> None:
    for where in (
        PAGE.format("pods/web"),
        PAGE.format("pods/web:80"),
        PAGE.format("services/web:80"),
    ):
        assert cluster.kubectl("get", "--raw", where)
    assert cluster.kubectl("get", "--raw", "/api/v1/nodes/node-1/proxy/healthz").strip() == "ok"


def memory(cluster: Cluster) -> float:
    """Megabytes of the processes that streams go through."""
    names = ("apiserver", "kubelet-node-1", "runtime-node-1")
    return sum(psutil.Process(cluster.process(name).pid).memory_info().rss for name in names) / 1e6


def test_who_reads_slowly_does_not_fill_memory(cluster: Cluster) -> None:
    flood = "while true; do yes a line of what nobody reads | head -n 50000; sleep 0.1; done"
    cluster.kubectl("run", "flood", "--image=busybox", "--", "sh", "-c", flood)
    cluster.kubectl("wait", "--for=condition=Ready", "--timeout=30s", "pod/flood")
    cluster.kubectl("exec", "web", "--", "echo", "warm")
    before = memory(cluster)
    with contextlib.ExitStack() as stack:
        zeros = stack.enter_context(Path("/dev/zero").open("rb"))
        for told, stdin in (
            *([(("exec", "web", "--", "yes"), subprocess.DEVNULL)] * 3),
            (("logs", "-f", "flood"), subprocess.DEVNULL),
            (("exec", "-i", "web", "--", "sleep", "60"), zeros),
            (("exec", "-i", "web", "--", "cat"), zeros),
        ):
            process = subprocess.Popen(
                ["kubectl", *told], env=cluster.environment, stdin=stdin, stdout=subprocess.PIPE
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            if told[1] != "-i" or told[-1] == "cat":
                assert process.stdout is not None
                assert process.stdout.read(1000)  # it flows, and then nobody reads any more
        time.sleep(3)  # noqa: TID251 - so long would it have to fill memory
        after = memory(cluster)
        assert cluster.kubectl("exec", "web", "--", "echo", "hello") == "hello\n"
    assert after - before < 60, f"{before:.0f} MB were {after:.0f} MB"
    cluster.kubectl("delete", "pod", "flood", "--grace-period=1", "--wait=false")


def test_a_runtime_that_is_killed_ends_who_follows(cluster: Cluster) -> None:
    cluster.kubectl("run", "quiet", "--image=busybox", "--", "sh", "-c", "echo up; sleep 1000")
    cluster.kubectl("wait", "--for=condition=Ready", "pod/quiet", "--timeout=30s")
    with following(cluster, "quiet") as process:
        assert process.stdout.readline() == "up\n"
        cluster.kubemu("kill", "runtime-node-1")
        assert process.communicate(timeout=20) == ("", "error: unexpected EOF\n")
        assert process.returncode == 1


def test_a_stopped_kubelet_is_told_of(cluster: Cluster) -> None:
    cluster.kubemu("stop", "kubelet-node-1")
    try:
        said = cluster.kubectl("exec", "web", "--", "echo", code=1)
        assert "error dialing backend: dial tcp 127." in said
        assert "connect: connection refused" in said
    finally:
        cluster.kubemu("start", "kubelet-node-1")
    assert cluster.kubectl("exec", "web", "--", "echo", "again") == "again\n"


@contextlib.contextmanager
def forwarded(cluster: Cluster, binary: str) -> Iterator[int]:
    """The local port that kubectl forwards to port 80 of the pod."""
    with subprocess.Popen(
        [binary, "port-forward", "--address=127.0.0.1", "pod/web", ":80"],
        env=dict(os.environ) | cluster.environment, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Forwarding from 127.0.0.1:"), line
        try:
            yield int(line.split(" -> ")[0].rpartition(":")[2])
        finally:
            process.terminate()
