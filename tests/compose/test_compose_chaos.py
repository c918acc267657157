"""Experiments on docker-compose.yml: what the script tells, and runs that are killed midway."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from composecluster import NODES, ROOT, ComposeCluster, until

pytestmark = [
    pytest.mark.usefixtures("docker"),
    pytest.mark.e2e,
    pytest.mark.composed,
    pytest.mark.timeout(1200),
]

CUT_SHORT = """
apiVersion: kubemu.dev/v1alpha1
kind: Experiment
name: cut-short
steadyState: {for: 0s}
faults:
- {ACTION, target: {process: kubelet-2}}
"""


OF_COMPOSE = ("--compose", ".", "--kubeconfig")


@pytest.fixture(scope="module")
def hurt(clusters: Callable[..., ComposeCluster], tmp_path_factory: pytest.TempPathFactory) -> (
    ComposeCluster
):  # fmt: skip
    home = str(tmp_path_factory.mktemp("home"))
    cluster = clusters("v2", KUBEMU_NODE_MONITOR_GRACE_PERIOD="20s", KUBEMU_HOME=home)
    until("three nodes are Ready", lambda: cluster.ready_nodes() == NODES)
    return cluster


def test_the_script_tells_what_became_of_a_kubelet_that_was_stopped(
    hurt: ComposeCluster, tmp_path: Path
) -> None:
    told = tmp_path / "report.json"
    script = (sys.executable, "scripts/chaos_kubelet_stop.py", "--json", str(told))
    hurt.run(*script, *OF_COMPOSE, str(hurt.kubeconfig), deadline=600)
    report = json.loads(told.read_text())
    assert (report["verdict"], report["backend"]) == ("passed", "compose")
    (fault,) = report["faults"]
    (kubelet,) = fault["done to"]
    assert kubelet in ("kubelet-1", "kubelet-2", "kubelet-3")
    assert 0 < fault["detected"] <= fault["notReady"] < fault["evicted"] <= fault["rescheduled"]
    assert fault["recovered"] > 0
    requests = next(one for one in report["probes"] if one["name"] == "requests")
    assert requests["requests"] > 500
    assert requests["availability"] >= requests["wanted"] > 0.9
    until("three nodes are Ready", lambda: hurt.ready_nodes() == NODES)


@pytest.mark.parametrize("action", ["do: kill", "do: restart", "for: 10m, do: stop"])
def test_a_run_that_is_killed_leaves_nobody_dead(
    hurt: ComposeCluster, tmp_path: Path, action: str
) -> None:
    file = tmp_path / "cut-short.yaml"
    file.write_text(CUT_SHORT.replace("ACTION", action))
    home = Path(hurt.environment["KUBEMU_HOME"])
    journals = home / ".chaos"
    kubelet = hurt.container("kubelet-2")
    assert kubelet
    command = [sys.executable, "-m", "cluster.cli", "chaos", "run", str(file)]
    with (
        subprocess.Popen(["docker", "wait", kubelet], stdout=subprocess.DEVNULL) as dead,
        subprocess.Popen(
            [*command, *OF_COMPOSE, str(hurt.kubeconfig)],
            cwd=ROOT,
            env=hurt.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as run,
    ):
        try:
            assert dead.wait(timeout=60) == 0
            begun = list(journals.glob("compose-*.json"))
        finally:
            dead.kill()
            os.kill(run.pid, signal.SIGKILL)
            said = run.communicate(timeout=60)[0].decode()
    assert begun, said
    until("nothing is left to undo", lambda: not list(journals.glob("compose-*.json")))
    until("the kubelet runs", lambda: hurt.health().get("kubelet-2") == "healthy")
    until("three nodes are Ready", lambda: hurt.ready_nodes() == NODES)
