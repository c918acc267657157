"""From a Dockerfile to a pod: built, pushed to the cluster's registry, pulled by a kubelet."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from realcluster import KUBEMU, Cluster, until

EXAMPLE = Path(__file__).parents[2] / "examples" / "image"
APP = 'require("http").createServer((q, s) => s.end(require("os").hostname())).listen(8080)\n'
DOCKERFILE = """FROM node:18
WORKDIR /app
COPY app.js .
ENV WHERE=here
EXPOSE 8080
CMD ["node", "app.js"]
"""


@pytest.fixture(scope="module")
def cluster(clusters: Callable[..., Cluster], kubectl: str) -> Iterator[Cluster]:
    return clusters("images", "--nodes", "1")


def registry(cluster: Cluster) -> str:
    plan = json.loads(cluster.folder.plan.read_bytes())
    argv = next(one["argv"] for one in plan["processes"] if one["component"] == "registry")
    return "localhost:" + next(flag for flag in argv if flag.startswith("--port="))[7:]


def image(cluster: Cluster, *arguments: str) -> str:
    return cluster.run([*KUBEMU, "image", *arguments])


def build(cluster: Cluster, folder: Path) -> str:
    (folder / "app.js").write_text(APP)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    name = f"{registry(cluster)}/hello:v1"
    image(cluster, "build", "-q", "-t", name, str(folder))
    return name


def test_the_registry_is_told_of(cluster: Cluster) -> None:
    assert registry(cluster) in cluster.kubemu("status")


def test_an_image_is_built_pushed_and_run(cluster: Cluster, tmp_path: Path) -> None:
    name = build(cluster, tmp_path)
    said = image(cluster, "push", "-q", name)
    digest = said.strip().rpartition(" ")[2]
    cluster.kubectl("run", "hello", f"--image={name}", "--labels=app=hello")
    pod = cluster.running(1, "app=hello")[0]
    status = pod["status"]["containerStatuses"][0]
    assert status["imageID"].endswith(f"/hello@{digest}")
    assert cluster.kubectl("exec", "hello", "--", "cat", "/app/app.js") == APP
    assert cluster.kubectl("exec", "hello", "--", "sh", "-c", "echo $WHERE; pwd") == "here\n/app\n"
    asked = cluster.kubectl("exec", "hello", "--", "sh", "-c", "node -v; echo $NODE_VERSION")
    assert asked == "v18.20.8\n18.20.8\n"


def test_the_example_answers_its_host_name(cluster: Cluster) -> None:
    name = f"{registry(cluster)}/app:v1"
    image(cluster, "build", "-q", "-t", name, str(EXAMPLE))
    image(cluster, "push", "-q", name)
    cluster.kubectl("run", "app", f"--image={name}", "--labels=app=app", "--port=8080")
    cluster.running(1, "app=app")
    answer = cluster.kubectl("get", "--raw", "/api/v1/namespaces/default/pods/app:8080/proxy/")
    assert answer == "You've hit app\n"
    log = cluster.kubectl("logs", "app")
    assert log.startswith("server starting...\nreceived a request from ::ffff:")


def test_an_image_that_was_not_pushed_is_waited_for_and_then_runs(
    cluster: Cluster, tmp_path: Path
) -> None:
    name = build(cluster, tmp_path)
    late = name.replace("hello", "late")
    image(cluster, "tag", name, late)
    cluster.kubectl("run", "late", f"--image={late}", "--labels=app=late")

    def waiting() -> str:
        status = cluster.get("pod", "late")["status"].get("containerStatuses") or [{}]
        state = status[0].get("state", {}).get("waiting", {})
        return state["message"] if state.get("reason") == "ImagePullBackOff" else ""

    said = until("the pull fails", waiting)
    assert f'failed to resolve reference "{late}": {late}: not found' in said
    image(cluster, "push", "-q", late)
    cluster.running(1, "app=late")
