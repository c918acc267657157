"""A DaemonSet on real and hollow nodes: rolled out, rolled back, and drained around, by kubectl."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from realcluster import Cluster, until

pytestmark = pytest.mark.usefixtures("kubectl")

NODES = 33
AGENT = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  updateStrategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 20%}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      containers: [{name: agent, image: "nginx:1.25"}]
"""


@pytest.fixture(scope="module")
def agents(clusters: Callable[..., Cluster], tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """A cluster of three nodes and thirty hollow ones, each with its agent."""
    cluster = clusters("daemons", "--nodes", "3", "--hollow", "30")
    manifest = tmp_path_factory.mktemp("daemons") / "agent.yaml"
    manifest.write_text(AGENT)
    cluster.kubectl("apply", "-f", str(manifest))
    rolled_out(cluster)
    return cluster


def rolled_out(cluster: Cluster) -> None:
    told = cluster.kubectl("rollout", "status", "daemonset/agent", "--timeout=60s")
    assert told.endswith('daemon set "agent" successfully rolled out\n')


def images(cluster: Cluster) -> Counter[str]:
    alive = cluster.running(NODES, "app=agent")
    nodes = {pod["spec"]["nodeName"] for pod in alive}
    assert len(nodes) == NODES, "one on each"
    return Counter(pod["spec"]["containers"][0]["image"] for pod in alive)


def counts(cluster: Cluster) -> list[str]:
    """DESIRED, CURRENT, READY, UP-TO-DATE and AVAILABLE."""
    return cluster.kubectl("get", "daemonset", "agent", "--no-headers").split()[1:6]


def history(cluster: Cluster) -> list[str]:
    lines = cluster.kubectl("rollout", "history", "daemonset/agent").splitlines()
    return [line.split()[0] for line in lines[2:] if line]


def test_an_image_is_rolled_out_and_back(agents: Cluster) -> None:
    assert counts(agents) == [str(NODES)] * 5
    agents.kubectl("set", "image", "daemonset/agent", "agent=nginx:1.26")
    rolled_out(agents)
    assert images(agents) == {"nginx:1.26": NODES}
    assert history(agents) == ["1", "2"]
    shown = agents.kubectl("rollout", "history", "daemonset/agent", "--revision=1")
    assert "nginx:1.25" in shown
    agents.kubectl("rollout", "undo", "daemonset/agent")
    rolled_out(agents)
    assert images(agents) == {"nginx:1.25": NODES}
    assert history(agents) == ["2", "3"]


def test_a_restart_makes_every_pod_anew(agents: Cluster) -> None:
    before = {pod["metadata"]["uid"] for pod in agents.running(NODES, "app=agent")}
    agents.kubectl("rollout", "restart", "daemonset/agent")
    rolled_out(agents)
    after = {pod["metadata"]["uid"] for pod in agents.running(NODES, "app=agent")}
    assert not before & after


def test_a_drain_leaves_the_agent_where_it_is(agents: Cluster) -> None:
    refused = agents.kubectl("drain", "node-2", code=1)
    assert "cannot delete DaemonSet-managed Pods" in refused
    agents.kubectl("drain", "node-2", "--ignore-daemonsets")
    assert counts(agents) == [str(NODES)] * 5
    agents.kubectl("uncordon", "node-2")


def test_taints_and_labels_move_the_pods(agents: Cluster, tmp_path: Path) -> None:
    agents.kubectl("taint", "node", "node-1", "dedicated=db:NoExecute")
    until("the pod leaves", lambda: counts(agents) == [str(NODES - 1)] * 5)
    agents.kubectl("taint", "node", "node-1", "dedicated-")
    until("the pod is back", lambda: counts(agents) == [str(NODES)] * 5)
    selecting = tmp_path / "selecting.yaml"
    spec = "    spec:\n      nodeSelector: {disk: ssd}\n"
    selecting.write_text(AGENT.replace("    spec:\n", spec))
    agents.kubectl("apply", "-f", str(selecting))
    agents.kubectl("label", "node", "node-3", "hollow-7", "disk=ssd")
    until("two nodes are chosen", lambda: counts(agents) == ["2"] * 5)
    alive = agents.running(2, "app=agent")
    assert {pod["spec"]["nodeName"] for pod in alive} == {"node-3", "hollow-7"}
