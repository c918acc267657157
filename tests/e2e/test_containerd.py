"""The kubelet with containerd as its runtime, by an address alone: driven by kubectl.

Skipped, with the reason, where containerd, runc, CNI's plugins, busybox or root are missing.
"""

import contextlib
import json
import os
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import containerdworld
import pytest
from containerdworld import Containerd
from realcluster import KUBEMU, Cluster, containers, until

Apply = Callable[..., None]
LACKING = containerdworld.lacking()
pytestmark = [
    pytest.mark.skipif(bool(LACKING), reason=LACKING),
    pytest.mark.usefixtures("kubectl"),
]
WEB = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {greeting: hello}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  securityContext: {runAsUser: 7, fsGroup: 70}
  initContainers:
  - {name: first, image: IMAGE, command: [sh, -c, "echo prepared > /data/first"],
     volumeMounts: [{name: data, mountPath: /data}]}
  containers:
  - name: main
    image: IMAGE
    command: [sh, -c, "echo up; echo oops >&2; exec httpd -f -v -p 8080 -h /data"]
    readinessProbe: {httpGet: {path: /first, port: 8080}, periodSeconds: 1}
    livenessProbe: {exec: {command: [cat, /config/greeting]}, periodSeconds: 1}
    startupProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
    resources: {limits: {memory: 64Mi, cpu: 500m}}
    volumeMounts:
    - {name: data, mountPath: /data}
    - {name: config, mountPath: /config}
  volumes:
  - {name: data, emptyDir: {}}
  - {name: config, configMap: {name: settings}}
"""
ENDING = """
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec:
  restartPolicy: POLICY
  containers:
  - {name: main, image: IMAGE, terminationMessagePolicy: FallbackToLogsOnError,
     command: [sh, -c, 'COMMAND']}
"""
UNHEALTHY = """
apiVersion: v1
kind: Pod
metadata: {name: unhealthy}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: IMAGE
    command: [sh, -c, "touch /tmp-ok; sleep 2; exec sleep 1000"]
    lifecycle: {postStart: {exec: {command: [sh, -c, "echo hooked > /hooked"]}}}
    livenessProbe: {exec: {command: [cat, /nothing]}, periodSeconds: 1, failureThreshold: 2}
"""


@pytest.fixture(scope="module")
def containerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containerd]:
    found = Containerd(tmp_path_factory.mktemp("containerd"))
    found.start()
    home = tmp_path_factory.mktemp("home")
    context = containerdworld.userland(tmp_path_factory.mktemp("pause") / "c")
    with (context / "Dockerfile").open("a") as file:
        file.write('CMD ["sleep", "2147483647"]\n')
    found.load(containerdworld.PAUSE, context, home)
    yield found
    found.end()


@pytest.fixture(scope="module")
def cluster(
    containerd: Containerd,
    clusters: Callable[..., Cluster],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    file = tmp_path_factory.mktemp("file") / "cluster.yaml"
    settings = {
        "container-runtime-endpoint": containerd.endpoint,
        "container-log-max-size": "20Ki",
        "container-log-max-files": "3",
    }
    file.write_text(
        "apiVersion: kubemu.dev/v1alpha1\nkind: Cluster\nname: containerd\n"
        f"nodes: [{{name: node-1}}]\nflags: {{kubelet: {json.dumps(settings)}}}\n"
    )
    found = clusters("containerd", "-f", str(file))
    yield found
    found.kubectl("delete", "pods", "--all", "--grace-period=1", "--timeout=60s")


@pytest.fixture(scope="module")
def image(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image in the cluster's own registry: containerd pulls it from there."""
    plan = json.loads(cluster.folder.plan.read_bytes())
    argv = next(one["argv"] for one in plan["processes"] if one["component"] == "registry")
    port = next(flag for flag in argv if flag.startswith("--port="))[7:]
    name = f"localhost:{port}/busybox:1"
    folder = containerdworld.userland(tmp_path_factory.mktemp("busybox") / "c")
    cluster.run([*KUBEMU, "image", "build", "-q", "-t", name, str(folder)])
    cluster.run([*KUBEMU, "image", "push", "-q", name])
    return name


@pytest.fixture(scope="module")
def apply(cluster: Cluster, image: str, tmp_path_factory: pytest.TempPathFactory) -> Apply:
    folder = tmp_path_factory.mktemp("manifests")

    def applied(text: str, **words: str) -> None:
        for word, value in {"IMAGE": image, **words}.items():
            text = text.replace(word, value)
        file = folder / "manifest.yaml"
        file.write_text(text)
        cluster.kubectl("apply", "-f", str(file))

    return applied


@pytest.fixture(scope="module")
def web(cluster: Cluster, apply: Apply) -> str:
    apply(WEB)
    cluster.running(1, "app=web")
    return "web"


def test_a_pod_with_volumes_probes_and_a_user_runs(cluster: Cluster, web: str) -> None:
    info = cluster.get("node", "node-1")["status"]["nodeInfo"]
    assert info["containerRuntimeVersion"].startswith("containerd://1.")
    status = cluster.get("pod", web)["status"]
    assert status["podIP"].startswith(containerdworld.ADDRESSES)
    (main,) = status["containerStatuses"]
    assert main["containerID"].startswith("containerd://")
    assert "@sha256:" in main["imageID"]
    assert status["initContainerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"
    said = cluster.kubectl(
        "exec", web, "-c", "main", "--", "sh", "-c", "id -u; hostname; echo $WHERE"
    )
    assert said == "7\nweb\nimage\n"
    # Two pipes: which of them containerd reads first nobody says.
    assert {"up", "oops"} <= set(cluster.kubectl("logs", web).splitlines())
    sizes = cluster.kubectl("exec", web, "-c", "main", "--", "wc", "-c", "/proc/keys")
    assert sizes == "0 /proc/keys\n"
    events = cluster.kubectl("events", "--for", f"pod/{web}")
    assert "Successfully pulled image" in events


def test_exec_has_exit_codes_input_and_a_terminal(cluster: Cluster, web: str) -> None:
    for code in (3, 0, 130):
        cluster.kubectl("exec", web, "--", "sh", "-c", f"echo x; exit {code}", code=code)
    said = cluster.kubectl("exec", web, "--", "/no-such", code=1)
    assert "stat /no-such: no such file or directory" in said
    text = "".join(f"line {number}\n" for number in range(20_000))
    assert talk(cluster, "exec", "-i", web, "--", "cat", stdin=text) == text
    shell = "kubectl exec -it web -- sh -c 'tty; echo done; exit 4'"
    done = subprocess.run(
        ["script", "-qec", shell, "/dev/null"], env=cluster.environment, capture_output=True,
        timeout=30, check=False,
    )  # fmt: skip
    assert b"/dev/pts/0\r\ndone\r\n" in done.stdout
    assert done.returncode == 4


def test_files_are_copied_both_ways(cluster: Cluster, web: str, tmp_path: Path) -> None:
    here, back = tmp_path / "here", tmp_path / "back"
    here.write_bytes(os.urandom(1 << 20))
    cluster.kubectl("cp", str(here), f"{web}:/data/there")
    cluster.kubectl("cp", f"{web}:/data/there", str(back))
    assert back.read_bytes() == here.read_bytes()


def test_a_port_is_forwarded(cluster: Cluster, web: str) -> None:
    with forwarded(cluster, web, 8080) as port:
        for _ in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/first", timeout=20) as answer:
                assert answer.read() == b"prepared\n"


def test_logs_are_followed_cut_and_stamped(cluster: Cluster, apply: Apply) -> None:
    apply(
        ENDING,
        NAME="talker",
        POLICY="Never",
        COMMAND="echo word 1; echo word 2; sleep 1.1; echo word 3",
    )
    until("it talks", lambda: phase(cluster, "talker") in ("Running", "Succeeded"))
    assert cluster.kubectl("logs", "-f", "talker") == "word 1\nword 2\nword 3\n"
    assert cluster.kubectl("logs", "talker", "--tail=1") == "word 3\n"
    assert cluster.kubectl("logs", "talker", "--limit-bytes=9") == "word 1\nwo"
    stamped = cluster.kubectl("logs", "talker", "--timestamps", "--tail=1")
    time, _, word = stamped.partition(" ")
    assert (word, time[-1]) == ("word 3\n", "Z")
    assert cluster.kubectl("logs", "talker", f"--since-time={time}") == "word 3\n"
    until("it has succeeded", lambda: phase(cluster, "talker") == "Succeeded")


def test_ends_are_told_with_code_reason_and_message(cluster: Cluster, apply: Apply) -> None:
    apply(ENDING, NAME="short", POLICY="Never", COMMAND="echo why > /dev/termination-log; exit 7")
    apply(ENDING, NAME="noisy", POLICY="Never", COMMAND="echo the last word; exit 1")
    apply(ENDING, NAME="crash", POLICY="Always", COMMAND="echo tried; exit 5")
    ended = until("it ends", lambda: state(cluster, "short").get("terminated"))
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (7, "Error", "why\n")
    ended = until("it ends", lambda: state(cluster, "noisy").get("terminated"))
    assert (ended["exitCode"], ended["message"]) == (1, "the last word\n")
    until("it is tried again", lambda: main(cluster, "crash").get("restartCount"))
    last = until("the first end shows", lambda: main(cluster, "crash")["lastState"])
    assert last["terminated"]["exitCode"] == 5
    assert last["terminated"]["containerID"].startswith("containerd://")
    assert cluster.kubectl("logs", "crash", "--previous") == "tried\n"


def test_a_failing_probe_restarts_a_container(cluster: Cluster, apply: Apply) -> None:
    apply(UNHEALTHY)
    until("it is restarted", lambda: main(cluster, "unhealthy").get("restartCount"))
    assert "Liveness probe failed" in cluster.kubectl("events", "--for", "pod/unhealthy")
    cluster.kubectl("delete", "pod", "unhealthy", "--timeout=30s")


def test_an_image_that_is_nowhere_is_told(cluster: Cluster, image: str) -> None:
    cluster.kubectl("run", "nowhere", f"--image={image}-none")
    why = until("it fails", lambda: state(cluster, "nowhere").get("waiting", {}).get("message"))
    assert "not found" in why or "Back-off" in why


def test_attaching_reaches_the_container(cluster: Cluster, image: str) -> None:
    words = ["run", "listener", "-i", "--rm", "--restart=Never", f"--image={image}"]
    said = talk(cluster, *words, "--", "sh", "-c", "read w; echo got $w", stdin="something\n")
    assert "got something" in said


def test_what_pods_use_is_shown(cluster: Cluster, web: str) -> None:
    def shown() -> list[str]:
        with contextlib.suppress(AssertionError):
            return cluster.kubectl("top", "pod", web, "--no-headers").split()
        return []

    name, cpu, memory = until("figures are there", shown)
    assert (name, cpu[-1], memory[-2:]) == (web, "m", "Mi")


def test_a_container_beside_others_is_added(cluster: Cluster, web: str, image: str) -> None:
    words = ["debug", web, f"--image={image}", "--container=look", "--", "sleep", "1000"]
    cluster.kubectl(*words)
    said = until("exec works", lambda: says(cluster, web, "-c", "look"))
    assert said == "still\n"


@pytest.mark.slow
def test_full_logs_are_turned_over(cluster: Cluster, apply: Apply) -> None:
    talk_on = "n=0; while :; do n=$((n+1)); echo number $n of many words; sleep 0.02; done"
    apply(ENDING, NAME="many", POLICY="Never", COMMAND=talk_on)
    until("it runs", lambda: phase(cluster, "many") == "Running")
    following = subprocess.Popen(
        ["kubectl", "logs", "-f", "many"], env=cluster.environment, stdout=subprocess.PIPE
    )
    folder = cluster.folder.path / "nodes"

    def turned() -> list[Path]:
        found = [*folder.rglob("*_many_*/main/0.log.*")]
        return found if len(found) == 2 else []

    names = {path.suffix for path in until("it is turned over twice", turned, 60)}
    assert ".gz" in names
    cluster.kubectl("delete", "pod", "many", "--grace-period=1")
    out, _ = following.communicate(timeout=30)
    numbers = [int(line.split()[1]) for line in out.splitlines()]
    assert numbers == list(range(1, len(numbers) + 1)), "nothing is lost to who follows"
    until("its folder is gone", lambda: not [*folder.rglob("*_many_*")])


def test_containers_outlive_their_kubelet_and_containerd(
    cluster: Cluster, containerd: Containerd, web: str
) -> None:
    before = containers(cluster.running(1, "app=web"))
    pid = cluster.process("kubelet-node-1").pid
    cluster.kubemu("kill", "kubelet-node-1")
    until("another kubelet runs", lambda: cluster.process("kubelet-node-1").pid not in (0, pid))
    assert until("exec works", lambda: says(cluster, web, "-c", "main")) == "still\n"
    assert containers(cluster.running(1, "app=web")) == before
    containerd.stop()
    containerd.start()
    assert until("exec works again", lambda: says(cluster, web, "-c", "main")) == "still\n"
    assert containers(cluster.running(1, "app=web")) == before


def test_a_deleted_pod_is_gone_from_containerd(
    cluster: Cluster, containerd: Containerd, apply: Apply, image: str
) -> None:
    before = set(containerd.tasks())
    cluster.kubectl("run", "brief", f"--image={image}", "--", "sleep", "1000")
    until("it runs", lambda: phase(cluster, "brief") == "Running")
    assert len(set(containerd.tasks()) - before) == 2
    cluster.kubectl("delete", "pod", "brief", "--grace-period=1", "--timeout=30s")
    until("its tasks are gone", lambda: not set(containerd.tasks()) - before)


def phase(cluster: Cluster, pod: str) -> str:
    return str(cluster.get("pod", pod)["status"].get("phase"))


def main(cluster: Cluster, pod: str) -> dict:
    statuses = cluster.get("pod", pod)["status"].get("containerStatuses") or [{}]
    return dict(statuses[0])


def state(cluster: Cluster, pod: str) -> dict:
    return dict(main(cluster, pod).get("state") or {})


def says(cluster: Cluster, pod: str, *flags: str) -> str:
    try:
        return cluster.kubectl("exec", pod, *flags, "--", "echo", "still")
    except AssertionError:
        return ""


def talk(cluster: Cluster, *arguments: str, stdin: str) -> str:
    done = subprocess.run(
        ["kubectl", *arguments], env=cluster.environment, input=stdin, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def forwarded(cluster: Cluster, pod: str, port: int) -> Iterator[int]:
    command = ["kubectl", "port-forward", pod, f":{port}"]
    process = subprocess.Popen(command, env=cluster.environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()  # Forwarding from 127.0.0.1:PORT -> …
        yield int(line.split(" -> ")[0].rpartition(":")[2])
    finally:
        process.terminate()
        process.wait(10)
