"""Three nodes, the guestbook, and what happens when each kind of process is killed."""

import os
import signal
from pathlib import Path

import pytest
from realcluster import Cluster, containers, until

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.usefixtures("kubectl")


@pytest.fixture(scope="module")
def guestbook(three_nodes: Cluster) -> Cluster:
    three_nodes.kubectl("apply", "-f", str(EXAMPLES / "guestbook.yaml"))
    three_nodes.kubectl("wait", "--for=condition=Available", "--timeout=40s", "deployment", "--all")
    return three_nodes


def kill(cluster: Cluster, name: str) -> None:
    """kill -9, and wait until the supervisor has brought it back."""
    before = cluster.process(name)
    os.kill(before.pid, signal.SIGKILL)
    until(f"{name} comes back", lambda: cluster.process(name).restarts > before.restarts)
    until(f"{name} is ready", lambda: cluster.is_in(name, "RUNNING"))
    assert cluster.process(name).pid != before.pid


def test_three_nodes_are_ready(three_nodes: Cluster) -> None:
    said = three_nodes.kubectl("get", "nodes", "--no-headers")
    assert [line.split()[:2] for line in said.splitlines()] == [
        [f"node-{number}", "Ready"] for number in (1, 2, 3)
    ]


def test_the_guestbook_runs_on_all_nodes_behind_its_services(guestbook: Cluster) -> None:
    pods = guestbook.running(6)
    assert {pod["spec"]["nodeName"] for pod in pods} == {"node-1", "node-2", "node-3"}
    addresses = {pod["status"]["podIP"] for pod in pods if "frontend" in pod["metadata"]["name"]}

    def served() -> bool:
        slices = guestbook.get("endpointslices", "-l", "kubernetes.io/service-name=frontend")
        ends = [end for one in slices["items"] for end in one.get("endpoints") or []]
        return {address for end in ends for address in end["addresses"]} == addresses

    until("the service has all frontends", served)


def test_applying_it_again_changes_nothing(guestbook: Cluster) -> None:
    said = guestbook.kubectl("apply", "-f", str(EXAMPLES / "guestbook.yaml"))
    assert {line.split()[-1] for line in said.splitlines()} == {"unchanged"}


@pytest.mark.parametrize("name", ["apiserver", "scheduler", "controller-manager"])
def test_a_killed_control_plane_process_comes_back_and_works(guestbook: Cluster, name: str) -> None:
    before = containers(guestbook.running(3, "app=guestbook"))
    kill(guestbook, name)
    guestbook.kubectl("scale", "deployment", "frontend", "--replicas=4")
    after = containers(guestbook.running(4, "app=guestbook"))
    assert before.items() <= after.items()
    guestbook.kubectl("scale", "deployment", "frontend", "--replicas=3")
    guestbook.running(3, "app=guestbook")


def test_a_killed_kubelet_finds_its_containers_again(guestbook: Cluster) -> None:
    before = containers(guestbook.running(6))
    kill(guestbook, "kubelet-node-1")
    guestbook.kubectl("wait", "--for=condition=Ready", "--timeout=30s", "node", "node-1")
    assert containers(guestbook.running(6)) == before
    guestbook.kubectl("delete", "pod", "--selector", "app=guestbook", "--wait=false")
    new = containers(guestbook.running(3, "app=guestbook"))
    assert not set(new) & set(before)


def test_a_killed_kube_proxy_programs_its_node_anew(guestbook: Cluster) -> None:
    kill(guestbook, "kube-proxy-node-2")
    assert len(guestbook.running(6)) == 6


def test_a_killed_runtime_takes_its_containers_and_they_come_back(guestbook: Cluster) -> None:
    before = guestbook.running(6)
    here = {pod["metadata"]["name"] for pod in before if pod["spec"]["nodeName"] == "node-3"}
    assert here
    kill(guestbook, "runtime-node-3")
    old = containers(before)

    def replaced() -> bool:
        now = containers(
            [pod for pod in guestbook.pods() if pod["status"].get("containerStatuses")]
        )
        return all(now.get(name, old[name])[0] != old[name][0] for name in here)

    until("the containers of node-3 are new ones", replaced)
    after = containers(guestbook.running(6))
    assert {name: after[name] for name in after if name not in here} == {
        name: old[name] for name in old if name not in here
    }


def test_the_zygote_may_die(guestbook: Cluster) -> None:
    from cluster.launcher import state

    os.kill(state.recorded(guestbook.folder)[state.ZYGOTE].pid, signal.SIGKILL)
    kill(guestbook, "scheduler")
    assert len(guestbook.running(6)) == 6


def test_status_and_ps_tell_what_runs(guestbook: Cluster) -> None:
    # Six of its own, and the name server.
    assert "3/3           7/7" in guestbook.kubemu("status")
    listed = [line.split()[0] for line in guestbook.kubemu("ps").splitlines()]
    assert listed[1:4] == ["apiserver", "scheduler", "controller-manager"]
    assert len(listed) == 1 + 13 + 3
    assert "serving" in guestbook.kubemu("logs", "apiserver")
