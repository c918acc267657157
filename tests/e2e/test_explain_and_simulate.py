"""kubemu explain and kubemu scheduler simulate against a real cluster, beside kubectl."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from realcluster import KUBEMU, Cluster, until

pytestmark = pytest.mark.usefixtures("kubectl")

CONFIGURATION = """
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: default-scheduler
- schedulerName: packer
  plugins:
    score: {disabled: [{name: "*"}], enabled: [{name: NodeResourcesFit, weight: 5}]}
  pluginConfig:
  - name: NodeResourcesFit
    args: {scoringStrategy: {type: MostAllocated}}
"""
PODS = """
apiVersion: v1
kind: Pod
metadata: {name: big}
spec: {containers: [{name: c, image: nginx, resources: {requests: {cpu: "100"}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: gated}
spec: {schedulingGates: [{name: a.b/c}], containers: [{name: c, image: nginx}]}
---
apiVersion: v1
kind: Pod
metadata: {name: stranger}
spec: {schedulerName: stranger, containers: [{name: c, image: nginx}]}
---
apiVersion: v1
kind: Pod
metadata: {name: pinned}
spec: {nodeName: node-1, containers: [{name: c, image: nginx}]}
---
apiVersion: v1
kind: Pod
metadata: {name: packed}
spec:
  schedulerName: packer
  containers: [{name: c, image: nginx, resources: {requests: {cpu: 1}}}]
"""
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: REPLICAS
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: nginx, resources: {requests: {cpu: "1"}}}]}
"""


@pytest.fixture(scope="module")
def asked(clusters: Callable[..., Cluster], tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """A cluster with two profiles, and pods of every kind of fate."""
    folder = tmp_path_factory.mktemp("manifests")
    (folder / "scheduler.yaml").write_text(CONFIGURATION)
    (folder / "pods.yaml").write_text(PODS)
    (folder / "web.yaml").write_text(WEB.replace("REPLICAS", "2"))
    cluster = clusters(
        "asked", "--nodes", "2", "--scheduler-config", str(folder / "scheduler.yaml")
    )
    cluster.kubectl("apply", "-f", str(folder / "pods.yaml"), "-f", str(folder / "web.yaml"))
    cluster.running(2, "app=web")

    def tried() -> bool:
        found = {one["metadata"]["name"]: one for one in cluster.pods()}
        return (
            bool(found["big"]["status"].get("conditions"))
            and "nodeName" in (found["packed"]["spec"])
        )

    until("pods are tried", tried)
    return cluster


def explained(cluster: Cluster, pod: str, code: int = 0) -> Any:
    text = cluster.run([*KUBEMU, "explain", "pod", pod, "--name", cluster.name, "-o", "json"], code)
    return json.loads(text) if not code else text


def simulated(cluster: Cluster, text: str, folder: Path, code: int = 0) -> dict[str, Any]:
    (folder / "wanted.yaml").write_text(text)
    done = subprocess.run(
        [*KUBEMU, "scheduler", "simulate", "-f", str(folder / "wanted.yaml"),
         "--name", cluster.name, "-o", "json"],
        capture_output=True, text=True, timeout=60, check=False, env=cluster.environment,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return {one["pod"]: one for one in json.loads(done.stdout)["placements"]}


def test_a_pod_that_was_placed_is_explained_by_its_scores(asked: Cluster):
    pod = asked.pods("app=web")[0]
    told = explained(asked, pod["metadata"]["name"])
    assert (told["remembered"], told["node"]) == (True, pod["spec"]["nodeName"])
    assert [one["node"] for one in told["nodes"]] == ["node-1", "node-2"]
    for one in told["nodes"]:
        assert one["total"] == sum(part["score"] for part in one["scores"])
        for part in one["scores"]:
            assert part["score"] == part["normalized"] * part["weight"]
    best = max(one["total"] for one in told["nodes"])
    chosen = next(one for one in told["nodes"] if one["node"] == told["node"])
    assert chosen["total"] == best


def test_a_profile_scores_by_its_own_plugins(asked: Cluster):
    told = explained(asked, "packed")
    (score,) = told["nodes"][0]["scores"]
    assert (told["scheduler"], score["plugin"], score["weight"]) == (
        "packer", "NodeResourcesFit", 5,
    )  # fmt: skip


def test_a_pod_that_fits_nowhere_is_explained_by_who_refused_it(asked: Cluster):
    told = explained(asked, "big")
    assert (told["remembered"], told["node"], told["queue"]) == (True, "", "unschedulable")
    assert told["message"].startswith("0/2 nodes are available: 2 Insufficient cpu.")
    assert [(one["refusedBy"], one["reasons"]) for one in told["nodes"]] == [
        ("NodeResourcesFit", ["Insufficient cpu"])
    ] * 2


@pytest.mark.parametrize(
    ("pod", "note"),
    [
        ("gated", "it was never tried: it waits for scheduling gates: [a.b/c]"),
        ("stranger",
         "it was not tried: no scheduler here has the profile stranger (spec.schedulerName)"),
        ("pinned", "the attempt is not remembered: computed anew, from the present state"),
    ],
)  # fmt: skip
def test_pods_that_were_never_tried_say_why(asked: Cluster, pod: str, note: str):
    told = explained(asked, pod)
    assert not told["remembered"]
    assert note in told["notes"]


def test_what_a_new_scheduler_does_not_remember_is_computed_anew(asked: Cluster):
    asked.kubemu("restart", "scheduler")
    name = asked.pods("app=web")[0]["metadata"]["name"]
    told = explained(asked, name)
    assert "the attempt is not remembered: computed anew, from the present state" in told["notes"]
    assert any(note.startswith("it was put on node-") for note in told["notes"])
    assert len(told["nodes"]) == 2


def test_a_pod_that_is_not_there_is_an_error(asked: Cluster):
    explained(asked, "nope", code=1)


def test_the_pods_that_are_missing_of_a_deployment_are_simulated_and_nothing_is_made(
    asked: Cluster, tmp_path: Path
):
    before = len(asked.pods())
    found = simulated(asked, WEB.replace("REPLICAS", "4"), tmp_path)
    assert set(found) == {"web-2", "web-3"}
    assert all(one["node"] in ("node-1", "node-2") for one in found.values())
    assert len(asked.pods()) == before


def test_what_fits_nowhere_is_exit_code_1_with_the_message(asked: Cluster, tmp_path: Path):
    text = PODS.split("---")[0].replace("big", "bigger")
    found = simulated(asked, text, tmp_path, code=1)
    assert found["bigger"]["node"] is None
    assert "2 Insufficient cpu" in found["bigger"]["message"]


def test_a_simulation_tells_where_kubectl_then_finds_the_pod(asked: Cluster, tmp_path: Path):
    text = PODS.split("---")[4].replace("packed", "next")
    found = simulated(asked, text, tmp_path)
    asked.kubectl("apply", "-f", str(tmp_path / "wanted.yaml"))
    until("it is bound", lambda: asked.get("pod", "next")["spec"].get("nodeName"))
    told = explained(asked, "next")
    scores = {one["node"]: one["total"] for one in told["nodes"]}
    assert scores[found["next"]["node"]] == max(scores.values()) == found["next"]["score"]
