"""`kubemu chaos` on real processes: an experiment with its report, and what undoes the rest."""

import json
import os
import signal
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from realcluster import KUBEMU, Cluster, until

TOPOLOGY = """
apiVersion: kubemu.dev/v1alpha1
kind: Cluster
nodes: [{count: 2}]
dns: false
registry: false
flags:
  controller-manager: {node-monitor-grace-period: 3s, node-monitor-period: 500ms}
  kubelet: {node-lease-duration-seconds: 4}
"""

EXPERIMENT = """
apiVersion: kubemu.dev/v1alpha1
kind: Experiment
name: short-stop
workload: |
  apiVersion: v1
  kind: Namespace
  metadata: {name: short}
  ---
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web, namespace: short}
  spec:
    replicas: 2
    selector: {matchLabels: {app: web}}
    template:
      metadata: {labels: {app: web}}
      spec:
        terminationGracePeriodSeconds: 1
        containers: [{name: web, image: nginx, ports: [{containerPort: 80}]}]
        tolerations:
        - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute,
           tolerationSeconds: 1}
  ---
  apiVersion: v1
  kind: Service
  metadata: {name: web, namespace: short}
  spec: {type: NodePort, selector: {app: web}, ports: [{port: 80}]}
steadyState:
  for: 1s
  probes:
  - {name: nodes, type: nodesReady}
  - {name: web, type: deploymentAvailable, deployment: web, namespace: short}
  - {name: requests, type: http, service: web, namespace: short, timeout: 3s, availability: 90%}
faults:
- {at: 0s, for: 9s, do: stop, target: {node: any, only: kubelet}}
expect: {notReady: 9s, evicted: 9s}
"""

REFUSED = """
apiVersion: kubemu.dev/v1alpha1
kind: Experiment
name: refused
steadyState:
  for: 1s
  probes:
  - {name: asked, type: api, rate: 20}
faults:
- {for: 2s, do: api, users: [kubernetes-admin], resources: [RESOURCE], code: 503}
"""

HANGING = """
apiVersion: kubemu.dev/v1alpha1
kind: Experiment
name: hanging
workload: |
  apiVersion: v1
  kind: ConfigMap
  metadata: {name: hanging}
steadyState: {for: 0s}
faults:
- {for: 10m, do: stop, target: {process: kubelet-node-1}}
- {for: 10m, do: slow, target: {process: kube-proxy-node-1}, cpu: 50%}
- {for: 10m, do: api, users: [nobody], code: 503}
"""


@pytest.fixture(scope="module")
def quick(clusters: Callable[..., Cluster], tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    file = tmp_path_factory.mktemp("files") / "cluster.yaml"
    file.write_text(TOPOLOGY)
    return clusters("chaos", "-f", str(file))


def test_a_stopped_kubelet_is_told_of_in_text_json_and_a_picture(
    quick: Cluster, tmp_path: Path
) -> None:
    file, told, drawn = (tmp_path / name for name in ("short.yaml", "report.json", "report.svg"))
    file.write_text(EXPERIMENT)
    arguments = ("--json", str(told), "--svg", str(drawn))
    text = quick.run([*KUBEMU, "chaos", "run", str(file), "--name", quick.name, *arguments], 0)
    assert text.startswith("short-stop: PASSED")
    report = json.loads(told.read_text())
    (fault,) = report["faults"]
    (kubelet,) = fault["done to"]
    assert kubelet in ("kubelet-node-1", "kubelet-node-2")
    assert 0 < fault["detected"] <= fault["notReady"] < fault["evicted"] < 9
    assert 9 <= fault["ended"] - fault["began"] < 12
    requests = next(one for one in report["probes"] if one["name"] == "requests")
    assert requests["requests"] > 50
    assert requests["availability"] >= 0.9
    ET.parse(drawn)
    assert quick.process(kubelet).pid
    again = quick.run([*KUBEMU, "chaos", "report", str(told)], 0)
    assert again == text


@pytest.mark.parametrize("resource", ["namespaces", "namespace"])
def test_a_fault_of_the_api_tells_how_many_requests_it_was_done_to(
    quick: Cluster, tmp_path: Path, resource: str
) -> None:
    file, told = tmp_path / "refused.yaml", tmp_path / "report.json"
    file.write_text(REFUSED.replace("RESOURCE", resource))
    run = [*KUBEMU, "chaos", "run", str(file), "--name", quick.name, "--json", str(told)]
    quick.run(run, 0)
    report = json.loads(told.read_text())
    (fault,), (probe,) = report["faults"], report["probes"]
    # The server is asked just before it is told to end it.
    assert fault["requests"] <= probe["failed"]
    assert (fault["requests"] > 20) is (resource == "namespaces")
    assert (fault["requests"] == 0) is (resource == "namespace")
    assert len(report["notes"]) == (resource == "namespace")


def test_what_a_killed_experiment_did_is_undone(quick: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "hanging.yaml"
    file.write_text(HANGING)
    command = [*KUBEMU, "chaos", "run", str(file), "--name", quick.name]
    with subprocess.Popen(
        command, env=quick.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        until("the kubelet is stopped", lambda: not quick.process("kubelet-node-1").pid)
        until("the proxy is slow", lambda: quick.process("kube-proxy-node-1").cpu)
        os.kill(run.pid, signal.SIGKILL)
    until("the kubelet is back", lambda: quick.process("kubelet-node-1").pid)
    until("the proxy is quick", lambda: not quick.process("kube-proxy-node-1").cpu)
    journal = quick.home / ".chaos" / f"local-{quick.name}.json"
    until("nothing is left to undo", lambda: not journal.exists())
    get = [*KUBEMU, "get", "configmaps", "--name", quick.name]
    assert "hanging" not in quick.run(get, 0)


def test_an_interrupted_experiment_undoes_itself_and_says_so(
    quick: Cluster, tmp_path: Path
) -> None:
    file = tmp_path / "hanging.yaml"
    file.write_text(HANGING)
    command = [*KUBEMU, "chaos", "run", str(file), "--name", quick.name]
    with subprocess.Popen(
        command, env=quick.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as run:
        until("the kubelet is stopped", lambda: not quick.process("kubelet-node-1").pid)
        began = time.monotonic()
        run.send_signal(signal.SIGINT)
        out, _ = run.communicate(timeout=30)
    assert run.returncode == 3
    assert time.monotonic() - began < 20
    assert "ABORTED" in out
    assert quick.process("kubelet-node-1").pid
    healed = quick.run([*KUBEMU, "chaos", "heal", "--name", quick.name], 0)
    assert "nothing was left" in healed
