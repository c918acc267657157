"""kubectl top, component statuses, cluster-info and the end of a full namespace, for real."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubectl_world
import minimal_objects
import pytest
from realcluster import Cluster, until

from cluster.api import resources

pytestmark = pytest.mark.usefixtures("kubectl")

BINARIES = kubectl_world.versions() or ["kubectl"]
BUSY = """
apiVersion: v1
kind: Pod
metadata:
  name: busy
  labels: {app: busy}
  annotations: {kubemu.dev/cpu: 750m, kubemu.dev/memory.side: 96Mi}
spec:
  containers:
  - {name: main, image: nginx, resources: {requests: {memory: 64Mi}}}
  - {name: side, image: nginx}
"""


@pytest.fixture(scope="module")
def measured(clusters: Callable[..., Cluster], tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """A cluster with process nodes and hollow ones, whose pods are known by their usage."""
    cluster = clusters("top", "--hollow", "3", "--no-dns")
    manifest = tmp_path_factory.mktemp("top") / "busy.yaml"
    manifest.write_text(BUSY)
    cluster.kubectl("apply", "-f", str(manifest))
    cluster.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=6")
    cluster.running(7)

    def known() -> bool:
        found = json.loads(cluster.kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/pods"))
        return len(found["items"]) == 7

    until("all pods are known by what they use", known)
    return cluster


@pytest.mark.parametrize("binary", BINARIES, ids=[Path(path).name for path in BINARIES])
def test_top_tells_of_nodes_pods_and_containers(measured: Cluster, binary: str) -> None:
    def top(*arguments: str) -> list[list[str]]:
        shown = measured.run([binary, "top", *arguments, "--no-headers"], 0)
        return [line.split() for line in shown.splitlines()]

    nodes = {row[0]: row for row in top("node")}
    assert sorted(nodes) == sorted(
        each["metadata"]["name"] for each in measured.get("nodes")["items"]
    )
    assert all(int(row[1].removesuffix("m")) >= 50 for row in nodes.values())
    assert ["busy", "1500m", "128Mi"] in top("pod")
    assert top("pod", "busy", "--containers") == [
        ["busy", "main", "750m", "32Mi"], ["busy", "side", "750m", "96Mi"],
    ]  # fmt: skip
    assert len(top("pod", "-l", "app=web")) == 6
    assert top("pod", "--sort-by=cpu")[0][0] == "busy"
    assert len(top("pod", "-A")) == 7


def test_metrics_look_as_with_a_metrics_server(measured: Cluster) -> None:
    service = measured.get("apiservice", "v1beta1.metrics.k8s.io")
    (available,) = service["status"]["conditions"]
    assert (available["type"], available["status"]) == ("Available", "True")
    assert (service["spec"]["groupPriorityMinimum"], service["spec"]["versionPriority"]) == (
        100,
        100,
    )
    shown = measured.kubectl("get", "pods.metrics.k8s.io", "busy")
    assert shown.split() == ["NAME", "CPU", "MEMORY", "WINDOW", "busy", "1500m", "128Mi", "15s"]
    assert "usage" in measured.kubectl(
        "explain", "nodes.usage", "--api-version=metrics.k8s.io/v1beta1"
    )
    measured.kubectl("create", "clusterrolebinding", "viewer", "--clusterrole=view", "--user=jane")
    can = ("auth", "can-i", "list", "pods.metrics.k8s.io", "--as")
    assert measured.kubectl(*can, "jane").strip() == "yes"
    measured.kubectl(*can, "joe", code=1)


def test_components_are_healthy_and_cluster_info_is_there(measured: Cluster) -> None:
    shown = measured.kubectl("get", "componentstatuses", "--no-headers")
    lines = [line.split() for line in shown.splitlines() if "Warning" not in line]
    assert lines == [
        ["controller-manager", "Healthy", "ok"], ["etcd-0", "Healthy", "ok"],
        ["scheduler", "Healthy", "ok"],
    ]  # fmt: skip
    assert "START logs for container" in measured.kubectl("cluster-info", "dump")

    def published() -> Any:
        found = measured.kubectl(
            "get", "configmap", "cluster-info", "-n", "kube-public", "--ignore-not-found", "-o",
            "jsonpath={.data.kubeconfig}",
        )  # fmt: skip
        return "certificate-authority-data" in found

    until("cluster-info is published", published)


def test_a_namespace_with_an_object_of_every_kind_goes(measured: Cluster, tmp_path: Path) -> None:
    measured.kubectl("create", "namespace", "full")
    served = measured.kubectl(
        "api-resources", "--namespaced", "--verbs=create,delete", "-o", "name"
    )
    made = []
    for row in {row.id: row for row in resources.built_in()}.values():
        if row.namespaced and not row.stored_as and row.id in served.split():
            obj = minimal_objects.of(row) | {"apiVersion": row.api_version, "kind": row.kind}
            obj["metadata"]["namespace"] = "full"
            if "involvedObject" in obj:
                obj["involvedObject"]["namespace"] = "full"
            made.append(obj)
    path = tmp_path / "every.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
    measured.kubectl("create", "-f", str(path))
    assert len(made) >= 25
    measured.kubectl("delete", "namespace", "full", "--timeout=30s")
    for row in resources.built_in():
        if row.namespaced and row.id in served.split():
            assert measured.get(row.id, "-n", "full")["items"] == []
