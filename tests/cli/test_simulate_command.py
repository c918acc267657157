"""kubemu scheduler simulate without any cluster, and what it says of manifests that are wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cluster.cli.components.scheduler import scheduler
from cluster.cli.simulating import Unusable

NODES = """
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Node
  metadata: {name: a}
  status: {capacity: {cpu: "2", memory: 4Gi, pods: "10"}}
- apiVersion: v1
  kind: Node
  metadata: {name: b}
  status: {allocatable: {cpu: "4", memory: 4Gi, pods: "10"}}
- apiVersion: example.com/v1
  kind: Unknown
  metadata: {name: x}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {containers: [{name: c, image: x, resources: {requests: {cpu: CPU}}}]}
"""


def simulate(folder: Path, text: str, *more: str, nodes: str = NODES) -> Result:
    (folder / "nodes.yaml").write_text(nodes)
    (folder / "pods.yaml").write_text(text)
    arguments = ["simulate", "-f", str(folder / "pods.yaml")]
    return CliRunner().invoke(
        scheduler, [*arguments, "--nodes-file", str(folder / "nodes.yaml"), *more]
    )


def test_a_table_says_where_pods_would_go(tmp_path: Path):
    done = simulate(tmp_path, POD.replace("CPU", '"3"'))
    assert done.exit_code == 0
    head, row, _, summary = done.output.splitlines()
    assert head.split() == ["NAMESPACE", "POD", "NODE", "SCORE", "EVICTS"]
    assert row.split()[:3] == ["default", "p", "b"]
    assert summary == "1 of 1 pods have a place"


def test_what_fits_nowhere_ends_with_exit_code_1(tmp_path: Path):
    done = simulate(tmp_path, POD.replace("CPU", '"5"'))
    assert done.exit_code == 1
    assert "default/p: 0/2 nodes are available: 2 Insufficient cpu." in done.output


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_it_is_printed_for_programs(tmp_path: Path, output: str):
    import yaml

    done = simulate(tmp_path, POD.replace("CPU", '"3"'), "-o", output, "-n", "x")
    read: Any = json.loads if output == "json" else yaml.safe_load
    (one,) = read(done.output)["placements"]
    assert (one["node"], one["message"], one["victims"]) == ("b", "", [])


def test_another_configuration_is_tried(tmp_path: Path):
    (tmp_path / "config.yaml").write_text(
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
        "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: "
        "{type: MostAllocated}}}]}]\n"
    )
    text = POD.replace("CPU", "100m")
    least = json.loads(simulate(tmp_path, text, "-o", "json").output)["placements"]
    most = simulate(tmp_path, text, "-o", "json", "--config", str(tmp_path / "config.yaml"))
    assert least[0]["node"] == "b"
    assert json.loads(most.output)["placements"][0]["node"] == "a"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is nothing in the manifests"),
        ("a: [", "is not YAML"),
        ("kind: Pod", "document 1: an object needs apiVersion and kind"),
        ("{apiVersion: v1, kind: Pod}", "metadata.name is missing"),
        ("{apiVersion: x/v1, kind: Y, metadata: {name: a}}", 'no matches for kind "Y"'),
        (POD.replace("spec", "spek").replace("CPU", "1"), 'unknown field "spek"'),
        (POD.replace("CPU", "-1"), "must be greater than or equal to 0"),
        (POD.replace("image: x", "image: 7").replace("CPU", "1"), "cannot unmarshal number"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_said(tmp_path: Path, text: str, said: str):
    done = simulate(tmp_path, text)
    assert isinstance(done.exception, Unusable)
    assert said in str(done.exception)


def test_the_component_itself_still_wants_its_api_server():
    done = CliRunner().invoke(scheduler, [])
    assert done.exit_code == 2
    assert "Nothing says where the API server is" in done.output


def test_a_configuration_that_cannot_be_used_is_said_line_by_line(tmp_path: Path):
    path = tmp_path / "bad.yaml"
    path.write_text(
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
        "parallelism: 0\npodInitialBackoffSeconds: 0\n"
    )
    done = CliRunner().invoke(scheduler, ["--config", str(path)])
    lines = str(done.exception).splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{path}: ") for line in lines)


def test_times_of_an_election_that_do_not_fit_are_said_before_it_begins(tmp_path: Path):
    path = tmp_path / "bad.yaml"
    path.write_text(
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
        "leaderElection: {leaseDuration: 10s}\n"
    )
    done = CliRunner().invoke(scheduler, ["--config", str(path), "--server", "127.0.0.1:1"])
    assert "leaderElection: the lease duration must be longer" in str(done.exception)


def test_a_port_is_served_by_mutual_tls_alone(tmp_path: Path):
    done = CliRunner().invoke(scheduler, ["--server", "127.0.0.1:1", "--listen", "127.0.0.1:7010"])
    assert done.exit_code == 2
    assert "--listen on a port needs --tls-cert-file" in done.output
