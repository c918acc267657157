"""Clusters side by side, clusters left over, clusters kept."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from realcluster import KUBEMU, Cluster, until

from cluster.launcher import state

pytestmark = pytest.mark.usefixtures("kubectl")


def test_two_clusters_know_nothing_of_each_other(clusters: Callable[..., Cluster]) -> None:
    one, two = clusters("one", "--nodes", "1"), clusters("two", "--nodes", "2")
    one.kubectl("create", "configmap", "mine")
    assert "mine" not in two.kubectl("get", "configmaps")
    assert len(two.get("nodes")["items"]) == 2
    everything = one.run([*KUBEMU, "status"])
    listed = [line.split()[:2] for line in everything.splitlines()[1:]]
    assert listed == [["one", "Running"], ["two", "Running"]]
    assert list(one.folder.run.iterdir())
    one.end()
    assert two.kubectl("get", "--raw", "/readyz") == "ok"


def test_up_again_is_the_same_cluster_and_another_shape_is_refused(
    clusters: Callable[..., Cluster],
) -> None:
    cluster = clusters("again", "--nodes", "1")
    pid = cluster.process("apiserver").pid
    assert "Cluster again is up" in cluster.kubemu("up", "--nodes", "1")
    flags = dict(flag.split("=") for flag in cluster.process("apiserver").arguments[1:])
    port = flags["--secure-port"]
    assert "Cluster again is up" in cluster.kubemu("up", "--nodes", "1", "--port", port)
    assert cluster.process("apiserver").pid == pid
    said = cluster.kubemu("up", "--nodes", "1", "--port", "1", code=1)
    assert f"not like this (apiserver runs with --secure-port={port}, " in said
    said = cluster.kubemu("up", "--nodes", "2", code=1)
    assert "running already, and not like this (runtime-node-2 would be new, " in said
    assert "kubemu down --name again" in said


def test_data_is_kept_on_request(clusters: Callable[..., Cluster]) -> None:
    cluster = clusters("kept", "--nodes", "1")
    cluster.kubectl("create", "configmap", "remembered", "--from-literal=a=b")
    kubeconfig = cluster.folder.kubeconfig.read_text()
    cluster.kubemu("down", "--keep-data")
    assert state.holder(cluster.folder) is None
    cluster.kubemu("up", "--nodes", "1")
    assert cluster.get("configmap", "remembered")["data"] == {"a": "b"}
    assert authority(cluster.folder.kubeconfig.read_text()) == authority(kubeconfig)


def test_nodes_that_a_kept_cluster_is_started_without_are_told(
    clusters: Callable[..., Cluster],
) -> None:
    cluster = clusters("smaller", "--nodes", "2", "--hollow", "2")
    less = [*KUBEMU, "up", "--name", cluster.name, "--nodes", "1", "--hollow", "1"]
    both = ("sh", "-c", 'exec "$@" 2>&1', "sh")  # notes are on standard error
    cluster.kubemu("down", "--keep-data")
    said = cluster.run([*both, *less])
    assert "had nodes that it is started without: node-2, hollow-1. They will be NotReady" in said
    cluster.kubemu("down", "--keep-data")
    assert "started without" not in cluster.run([*both, *less])


def authority(text: str) -> str:
    return next(line for line in text.splitlines() if "certificate-authority-data" in line)


def test_a_cluster_whose_supervisor_and_zygote_were_killed_is_cleared_up(
    clusters: Callable[..., Cluster],
) -> None:
    cluster = clusters("orphaned", "--nodes", "1")
    recorded = state.recorded(cluster.folder)
    # The zygote first: it would end the others when its supervisor is gone.
    supervisor = recorded.pop(state.SUPERVISOR)
    os.kill(supervisor.pid, signal.SIGSTOP)
    os.kill(recorded.pop(state.ZYGOTE).pid, signal.SIGKILL)
    os.kill(supervisor.pid, signal.SIGKILL)
    until("the supervisor is gone", lambda: state.holder(cluster.folder) is None)
    assert all(state.alive(process) for process in recorded.values())
    said = cluster.kubemu("up", "--nodes", "1", code=1)
    assert "processes of an earlier cluster orphaned still run" in said
    assert "kubemu down --name orphaned" in said
    assert "Left over" in cluster.kubemu("status")
    assert "were left of cluster orphaned" in cluster.kubemu("down")
    assert not any(state.alive(process) for process in recorded.values())


def test_a_port_in_use_is_told(clusters: Callable[..., Cluster]) -> None:
    cluster = clusters("first", "--nodes", "1")
    flags = dict(flag.split("=") for flag in cluster.process("apiserver").arguments[1:])
    port = flags["--secure-port"]
    other = Cluster(cluster.home, "second")
    said = other.kubemu("up", "--port", port, code=1)
    assert said.startswith(f"Error: port {port} is in use by another program; choose another")
    assert not other.folder.exists()


def test_the_port_of_a_stopped_api_server_is_not_given_away(
    clusters: Callable[..., Cluster],
) -> None:
    one = clusters("resting", "--nodes", "1")
    one.kubemu("stop", "apiserver")
    clusters("newcomer", "--nodes", "1")
    one.kubemu("start", "apiserver")
    until("its API server serves again", lambda: one.is_in("apiserver", "RUNNING"))


def test_a_component_that_cannot_start_is_named_and_nothing_is_left(
    clusters: Callable[..., Cluster], tmp_path: Path
) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(
        "apiVersion: kubemu.dev/v1alpha1\nkind: Cluster\nnodes: [{count: 1}]\n"
        "flags: {scheduler: {permit-timeout: 0s}}\n"
    )
    cluster = Cluster(clusters("other", "--nodes", "1").home, "broken")
    said = cluster.kubemu("up", "-f", str(path), code=1)
    assert said.startswith("Error: scheduler does not start: ")
    assert "permit_timeout and bind_timeout must be more than 0 seconds" in said
    assert said.count("\n") == 1
    assert state.holder(cluster.folder) is None
    cluster.end()
