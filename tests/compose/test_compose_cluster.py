"""docker-compose.yml: three nodes, a service, a kubelet that is stopped and comes back."""

from collections.abc import Callable
from pathlib import Path

import pytest
from composecluster import NODES, ComposeCluster, answered, condition, page, until

pytestmark = [
    pytest.mark.usefixtures("docker"),
    pytest.mark.e2e,
    pytest.mark.composed,
    pytest.mark.timeout(1200),
]

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
      - key: node.kubernetes.io/unreachable
        operator: Exists
        effect: NoExecute
        tolerationSeconds: 2
      containers: [{name: web, image: nginx}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 80, nodePort: 30080}]
"""


@pytest.fixture(scope="module")
def web(clusters: Callable[..., ComposeCluster], tmp_path_factory: pytest.TempPathFactory) -> (
    ComposeCluster
):  # fmt: skip
    # Kubernetes' default of 50 s is what the lab tests.
    cluster = clusters("v2", KUBEMU_NODE_MONITOR_GRACE_PERIOD="20s")
    manifest: Path = tmp_path_factory.mktemp("files") / "web.yaml"
    manifest.write_text(MANIFEST)
    until("three nodes are Ready", lambda: cluster.ready_nodes() == NODES)
    dns = ("rollout", "status", "--namespace", "kube-system", "deployment/coredns")
    until("names are answered", lambda: answered(lambda: cluster.kubectl(*dns)))
    cluster.kubectl("apply", "-f", str(manifest))
    until("six pods are Ready", lambda: len(cluster.pods("app=web")) == 6)
    return cluster


def on_node_2(cluster: ComposeCluster) -> int:
    return sum(pod["spec"]["nodeName"] == "node-2" for pod in cluster.pods("app=web"))


def test_a_service_answers_at_every_node_and_inside(web: ComposeCluster) -> None:
    for node in (1, 2, 3):
        assert b"nginx" in page(f"http://{web.address(node)}:30080/")
    inside = web.kubectl(
        "run", "client", "--image=busybox", "--restart=Never", "--rm", "--quiet", "--stdin",
        "--command", "--", "wget", "-q", "-O", "-", "http://web",
    )  # fmt: skip
    assert "nginx" in inside
    assert all(pod["status"]["podIP"].startswith("10.244.") for pod in web.pods("app=web"))


def test_pods_leave_a_node_whose_kubelet_stops_until_it_is_back(web: ComposeCluster) -> None:
    assert on_node_2(web) > 0
    web.compose("stop", "kubelet-2")
    until(
        "node-2 is not Ready",
        lambda: condition(web.get("node", "node-2"), "Ready") == "Unknown",
    )
    until(
        "all pods are elsewhere",
        lambda: len(web.pods("app=web")) == 6 and on_node_2(web) == 0,
    )
    assert b"nginx" in page(f"http://{web.address(1)}:30080/")
    web.compose("start", "kubelet-2")
    until("node-2 is Ready again", lambda: web.ready_nodes() == NODES)
    # The taint stays until nodes are looked through (5 s), and who comes before it goes is evicted.
    until("nobody has to leave node-2", lambda: not web.get("node", "node-2")["spec"].get("taints"))
    web.kubectl("scale", "deployment", "web", "--replicas=9")
    until("node-2 has pods again", lambda: len(web.pods("app=web")) == 9 and on_node_2(web) > 0)


def test_a_machine_that_goes_comes_back_with_its_pods(web: ComposeCluster) -> None:
    before = {pod["metadata"]["uid"] for pod in web.pods("app=web")}
    web.compose("restart", "runtime-3")

    def restarted() -> bool:
        pods = [pod for pod in web.pods("app=web") if pod["spec"]["nodeName"] == "node-3"]
        counts = [pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods]
        return bool(counts) and all(count > 0 for count in counts)

    until("the containers of node-3 were started anew", restarted)
    assert {pod["metadata"]["uid"] for pod in web.pods("app=web")} == before


def test_objects_and_identities_outlive_the_api_server(web: ComposeCluster) -> None:
    before = web.get("service", "web")["metadata"]["uid"]
    # init runs again, and leaves what fits as it is.
    web.compose("up", "-d", "--force-recreate", "--no-deps", "init", "apiserver")
    found = until("the API server answers", lambda: answered(lambda: web.get("service", "web")))
    assert found["metadata"]["uid"] == before
    until("three nodes are Ready", lambda: web.ready_nodes() == NODES)


def test_nobody_is_root_and_nothing_of_the_image_can_be_changed(web: ComposeCluster) -> None:
    for service in ("apiserver", "controller-manager", "kubelet-1", "runtime-1"):
        script = (
            "id -u; touch /opt/kubemu/new 2>/dev/null || echo unchanged; grep CapEff /proc/1/status"
        )
        said = web.compose("exec", "-T", service, "sh", "-c", script).split()
        assert said[:2] == ["10001", "unchanged"]
        assert "0000000000000000" in said


def test_a_node_has_no_secrets_of_others(web: ComposeCluster) -> None:
    files = web.compose("exec", "-T", "kubelet-1", "ls", "/etc/kubemu").split()
    assert files == ["ca.crt", "kube-proxy.conf", "kubelet.conf", "kubelet.crt", "kubelet.key"]
    assert "ca.key" not in web.compose("exec", "-T", "scheduler", "ls", "/etc/kubemu").split()


def test_every_container_says_that_it_is_well(web: ComposeCluster) -> None:
    def well() -> bool:
        states = web.health()
        bare = {name for name, health in states.items() if not health}
        return bare == set(NODES) and set(states.values()) == {"healthy", ""}

    until("all are healthy", well)


def test_compose_v1_starts_the_same(clusters: Callable[..., ComposeCluster]) -> None:
    cluster = clusters("v1")
    until("three nodes are Ready", lambda: cluster.ready_nodes() == NODES)
    cluster.compose("stop", "kubelet-2")
    cluster.compose("start", "kubelet-2")
