"""A cluster whose pods are processes: root file systems built here, driven by kubectl.

Skipped, with the reason, where crun or runc, root or busybox are missing.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from realcluster import KUBEMU, Cluster, containers, until

from cluster.runtime.oci import facts

BUSYBOX = shutil.which("busybox")
LACKING = facts.look().problem() or ("" if BUSYBOX else "there is no busybox-static")
pytestmark = pytest.mark.skipif(
    bool(LACKING) or os.getuid() != 0, reason=LACKING or "it is tried as root"
)
APPLETS = ("sh", "sleep", "echo", "cat", "tar", "httpd", "hostname", "wc", "ls", "env", "id")
DOCKERFILE = """FROM scratch
COPY bin/ /bin/
ENV PATH=/bin WHERE=image
RUN echo "built in $WHERE" > /built
CMD ["sh"]
"""
MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {greeting: hello}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  securityContext: {runAsUser: 7, fsGroup: 70}
  initContainers:
  - {name: first, image: IMAGE, command: [sh, -c, "echo prepared > /data/first"],
     volumeMounts: [{name: data, mountPath: /data}]}
  containers:
  - name: main
    image: IMAGE
    command: [sh, -c, "echo up; exec httpd -f -p 8080 -h /data"]
    readinessProbe: {httpGet: {path: /first, port: 8080}, periodSeconds: 1}
    livenessProbe: {exec: {command: [cat, /config/greeting]}, periodSeconds: 1}
    volumeMounts:
    - {name: data, mountPath: /data}
    - {name: config, mountPath: /config}
    - {name: quick, mountPath: /quick}
  volumes:
  - {name: data, emptyDir: {}}
  - {name: config, configMap: {name: settings}}
  - {name: quick, emptyDir: {medium: Memory, sizeLimit: 2Mi}}
"""


@pytest.fixture(scope="module")
def cluster(
    clusters: Callable[..., Cluster], kubectl: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    file = tmp_path_factory.mktemp("file") / "cluster.yaml"
    file.write_text(
        "apiVersion: kubemu.dev/v1alpha1\nkind: Cluster\nname: oci\ndriver: oci\n"
        "nodes: [{name: node-1}]\nflags: {runtime: {on-restart: resume}}\n"
    )
    return clusters("oci", "-f", str(file))


@pytest.fixture(scope="module")
def image(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    plan = json.loads(cluster.folder.plan.read_bytes())
    argv = next(one["argv"] for one in plan["processes"] if one["component"] == "registry")
    port = next(flag for flag in argv if flag.startswith("--port="))[7:]
    folder = tmp_path_factory.mktemp("busybox")
    (folder / "bin").mkdir()
    shutil.copy(BUSYBOX or "", folder / "bin" / "busybox")
    for name in APPLETS:
        (folder / "bin" / name).symlink_to("busybox")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    name = f"localhost:{port}/busybox:1"
    cluster.run([*KUBEMU, "image", "build", "-q", "-t", name, str(folder)])
    cluster.run([*KUBEMU, "image", "push", "-q", name])
    return name


@pytest.fixture(scope="module")
def web(cluster: Cluster, image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    manifest = tmp_path_factory.mktemp("manifest") / "web.yaml"
    manifest.write_text(MANIFEST.replace("IMAGE", image))
    cluster.kubectl("apply", "-f", str(manifest))
    cluster.running(1, "app=web")
    return "web"


def test_a_pod_with_volumes_probes_and_a_user_runs(cluster: Cluster, web: str) -> None:
    assert cluster.kubectl("logs", web) == "up\n"
    said = cluster.kubectl("exec", web, "--", "sh", "-c", "id -u; hostname; cat /config/greeting")
    assert said == "7\nweb\nhello"
    assert "httpd" in cluster.kubectl("exec", web, "--", "cat", "/proc/1/cmdline")


def test_what_run_left_in_the_image_is_there(cluster: Cluster, web: str) -> None:
    assert cluster.kubectl("exec", web, "--", "cat", "/built") == "built in image\n"


def test_a_volume_in_memory_is_a_tmpfs_of_its_size(cluster: Cluster, web: str) -> None:
    lines = cluster.kubectl("exec", web, "--", "cat", "/proc/mounts").splitlines()
    (found,) = [line.split() for line in lines if " /quick " in line]
    assert found[0] == "tmpfs"
    assert {"size=2048k", "gid=70"} <= set(found[3].split(","))
    cluster.kubectl("exec", web, "--", "sh", "-c", "echo mine > /quick/f")  # by its fsGroup


def test_exec_gives_the_exit_code(cluster: Cluster, web: str) -> None:
    said = cluster.kubectl("exec", web, "--", "sh", "-c", "exit 3", code=3)
    assert "command terminated with exit code 3" in said


def test_files_are_copied_both_ways(cluster: Cluster, web: str, tmp_path: Path) -> None:
    here, back = tmp_path / "here", tmp_path / "back"
    here.write_bytes(os.urandom(1 << 20))
    cluster.kubectl("cp", str(here), f"{web}:/data/there")
    cluster.kubectl("cp", f"{web}:/data/there", str(back))
    assert back.read_bytes() == here.read_bytes()


def test_an_end_is_told_with_its_code(cluster: Cluster, image: str) -> None:
    command = ["--", "sh", "-c", "exit 7"]
    cluster.kubectl("run", "short", "--restart=Never", f"--image={image}", *command)

    def ended() -> int:
        states = cluster.get("pod", "short")["status"].get("containerStatuses") or [{}]
        return int(states[0].get("state", {}).get("terminated", {}).get("exitCode", 0))

    assert until("the pod ends", ended) == 7


def test_containers_outlive_a_runtime_that_is_killed(cluster: Cluster, web: str) -> None:
    before = containers(cluster.running(1, "app=web"))
    pid = cluster.process("runtime-node-1").pid
    cluster.kubemu("kill", "runtime-node-1")
    until("another runtime runs", lambda: cluster.process("runtime-node-1").pid not in (0, pid))
    until("the runtime runs", lambda: cluster.is_in("runtime-node-1", "RUNNING"))
    said = until("exec works", lambda: _says(cluster, web))
    assert said == "still\n"
    assert containers(cluster.running(1, "app=web")) == before


def _says(cluster: Cluster, pod: str) -> str:
    try:
        return cluster.kubectl("exec", pod, "--", "echo", "still")
    except AssertionError:
        return ""
