"""A kubelet that is stopped for good: its node turns NotReady and its pods move."""

from collections.abc import Callable
from typing import Any

import pytest
from realcluster import Cluster, containers, leaving, until

pytestmark = pytest.mark.usefixtures("kubectl")

# Kubernetes' defaults, 50 s and 300 s, are what the lab tests.
TOPOLOGY = """
apiVersion: kubemu.dev/v1alpha1
kind: Cluster
nodes: [{count: 3}]
flags:
  controller-manager: {node-monitor-grace-period: 4s, node-monitor-period: 500ms}
  kubelet: {node-lease-duration-seconds: 4}
"""

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 6
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      tolerations:
      - key: node.kubernetes.io/not-ready
        operator: Exists
        effect: NoExecute
        tolerationSeconds: 1
      - key: node.kubernetes.io/unreachable
        operator: Exists
        effect: NoExecute
        tolerationSeconds: 1
      containers: [{name: web, image: nginx}]
"""


UNREACHABLE = "node.kubernetes.io/unreachable"


@pytest.fixture(scope="module")
def web(clusters: Callable[..., Cluster], tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    folder = tmp_path_factory.mktemp("files")
    for name, text in (("cluster.yaml", TOPOLOGY), ("web.yaml", MANIFEST)):
        (folder / name).write_text(text)
    cluster = clusters("lost", "-f", str(folder / "cluster.yaml"))
    cluster.kubectl("apply", "-f", str(folder / "web.yaml"))
    cluster.running(6, "app=web")
    return cluster


def ready_condition(cluster: Cluster, node: str) -> str:
    conditions = cluster.get("node", node)["status"]["conditions"]
    return next(each["status"] for each in conditions if each["type"] == "Ready")


def nodes_of(pods: list[Any]) -> set[str]:
    return {pod["spec"]["nodeName"] for pod in pods}


def taints(cluster: Cluster, node: str) -> set[str]:
    return {taint["key"] for taint in cluster.get("node", node)["spec"].get("taints", ())}


def staying(cluster: Cluster) -> list[Any]:
    return [pod for pod in cluster.pods("app=web") if not leaving(pod)]


def test_pods_of_a_lost_node_come_up_elsewhere_and_the_node_can_return(web: Cluster) -> None:
    before = web.pods("app=web")
    assert nodes_of(before) == {"node-1", "node-2", "node-3"}
    kept = {pod["metadata"]["name"] for pod in before if pod["spec"]["nodeName"] != "node-2"}
    web.kubemu("stop", "kubelet-node-2")
    assert web.process("runtime-node-2").pid
    until("node-2 is silent", lambda: ready_condition(web, "node-2") == "Unknown")
    until("it is tainted", lambda: UNREACHABLE in taints(web, "node-2"))
    until("its pods leave", lambda: "node-2" not in nodes_of(staying(web)))
    after = web.running(6, "app=web")
    assert nodes_of(after) == {"node-1", "node-3"}
    assert kept <= {pod["metadata"]["name"] for pod in after}

    web.kubemu("start", "kubelet-node-2")
    until("node-2 is back", lambda: ready_condition(web, "node-2") == "True")
    until("what was evicted is gone", lambda: len(web.pods("app=web")) == 6)
    assert containers(web.running(6, "app=web")) == containers(after)


def test_the_other_nodes_stayed_ready(web: Cluster) -> None:
    events = web.get("events", "-A")["items"]
    lost = {
        event["involvedObject"]["name"] for event in events if event["reason"] == "NodeNotReady"
    }
    assert {name for name in lost if name.startswith("node-")} <= {"node-2"}
