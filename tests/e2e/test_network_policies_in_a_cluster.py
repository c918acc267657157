"""Pods of different nodes, NetworkPolicies, and the deaths of those who carry them out."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from realcluster import Cluster, until

pytestmark = pytest.mark.usefixtures("kubectl")

PODS = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  nodeName: node-1
  containers: [{name: c, image: nginx, ports: [{name: http, containerPort: 80}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: far}
spec:
  nodeName: node-2
  containers: [{name: c, image: busybox, command: [sleep, "100000"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: hollow, labels: {may: enter}}
spec:
  nodeName: hollow-1
  containers: [{name: c, image: busybox, command: [sleep, "100000"]}]
"""

POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{podSelector: {matchLabels: {may: enter}}}]
    ports: [{port: http}]
"""


@pytest.fixture(scope="module")
def cluster(clusters: Callable[..., Cluster], tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    made = clusters("policies", "--nodes", "2", "--hollow", "3")
    path = tmp_path_factory.mktemp("files") / "pods.yaml"
    path.write_text(PODS)
    made.kubectl("apply", "-f", str(path))
    made.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=30s")
    return made


def reaches(cluster: Cluster, client: str = "far") -> bool:
    address = cluster.get("pod", "web")["status"]["podIP"]
    command = f"wget -qO- -T 1 http://{address} || true"
    return "Welcome to nginx" in cluster.kubectl("exec", client, "--", "sh", "-c", command)


def test_nodes_have_addresses_of_their_own_and_say_how_they_are_reached(cluster: Cluster) -> None:
    nodes = cluster.get("nodes", "node-1", "node-2")["items"]
    addresses = [
        each["address"] for node in nodes for each in node["status"]["addresses"]
        if each["type"] == "InternalIP"
    ]  # fmt: skip
    assert len(set(addresses)) == 2
    told = [node["metadata"]["annotations"] for node in nodes]
    assert [each["flannel.alpha.coreos.com/public-ip"] for each in told] == addresses
    for each in told:
        assert json.loads(each["flannel.alpha.coreos.com/backend-data"])["VNI"] == 1
    for node in nodes:
        found = {each["type"]: each["status"] for each in node["status"]["conditions"]}
        assert (found["Ready"], found["NetworkUnavailable"]) == ("True", "False")


def test_a_policy_holds_while_its_agent_is_away_and_is_changed_by_its_heir(
    cluster: Cluster, tmp_path: Path
) -> None:
    until("pods of two nodes reach each other", lambda: reaches(cluster))
    (tmp_path / "policy.yaml").write_text(POLICY)
    cluster.kubectl("apply", "-f", str(tmp_path / "policy.yaml"))
    until("the policy keeps strangers out", lambda: not reaches(cluster))
    until("a pod of a hollow node may enter", lambda: reaches(cluster, "hollow"))
    cluster.kubemu("stop", "kube-proxy-node-1")
    cluster.kubectl("label", "pod", "far", "may=enter")
    assert not reaches(cluster), "there is nobody who could let it in"
    cluster.kubemu("start", "kube-proxy-node-1")
    until("the policy lets its friends in", lambda: reaches(cluster))


def test_a_machine_that_comes_back_has_a_new_vtep_and_its_policies(cluster: Cluster) -> None:
    data = "flannel.alpha.coreos.com/backend-data"

    def told() -> str:
        return str(cluster.get("node", "node-1")["metadata"]["annotations"][data])

    before = told()
    cluster.kubemu("kill", "runtime-node-1")
    until("the VTEP is another one", lambda: told() != before)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=30s")
    until("the pod is reached again", lambda: reaches(cluster))
    until("and from a hollow node", lambda: reaches(cluster, "hollow"))
    cluster.kubectl("label", "pod", "far", "may-")
    until("the policy keeps strangers out", lambda: not reaches(cluster))
