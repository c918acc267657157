"""kubemu compare, which needs no cluster, and what it says of what cannot be compared."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from cluster.cli import comparing
from cluster.cli.commands.compare import compare
from cluster.cli.simulating import Unusable

EXAMPLE = Path(__file__).parents[2] / "examples" / "compare.yaml"
DOCUMENT = Path(__file__).parents[2] / "docs" / "runtime-classes.md"
POD = """
apiVersion: v1
kind: Pod
metadata: {name: one}
spec: {containers: [{name: c, image: nginx}]}
"""


def run(*arguments, home):
    return CliRunner().invoke(compare, list(arguments), env={"KUBEMU_HOME": str(home)})


def pod(folder: Path, text: str = POD) -> str:
    (folder / "pod.yaml").write_text(text)
    return str(folder / "pod.yaml")


def documented() -> tuple[list[str], list[str]]:
    """The command of docs/runtime-classes.md, and the lines that it shows."""
    (block,) = re.findall(
        r"```console\n\$ kubemu compare (.*?)```", DOCUMENT.read_text(), re.DOTALL
    )
    command, *shown = block.splitlines()
    return command.replace("examples/compare.yaml", str(EXAMPLE)).split(), shown


def timeless(line: str) -> list[str]:
    """The cells of a line, without the digits of times below an hour."""
    cells = re.split(r"  +", line.partition("…")[0].rstrip())
    return [re.sub(r"^(\d+m)?(\d+)(\.\d+)?(m?s)$", r"\1…\4", cell) for cell in cells]


def test_the_example_shows_what_the_documentation_says(tmp_path):
    arguments, shown = documented()
    done = run(*arguments, home=tmp_path)
    assert done.exit_code == 0, done.output
    said = done.output.splitlines()
    assert len(said) == len(shown)
    for line, wanted in zip(said, shown, strict=True):
        cut = len(wanted.partition("…")[0]) if "…" in wanted else None
        assert timeless(line[:cut]) == timeless(wanted)


def test_json_is_the_same_for_the_same_seed_and_another_for_another(tmp_path):
    def told(seed):
        done = run(
            "vm", "-f", pod(tmp_path), "--nodes", "1", "--seed", seed, "-o", "json", home=tmp_path
        )
        assert done.exit_code == 0, done.output
        return json.loads(done.output)

    once = told("3")
    assert once == told("3")
    assert once["nodes"] == [{"name": "node-1", "cpu": "4", "memory": "16Gi"}]
    (one,) = once["classes"]
    assert (one["handler"], one["ready"], one["pending"]) == ("vm", 1, 0)
    assert one["startup"]["all"] != told("4")["classes"][0]["startup"]["all"]


def test_nodes_come_from_a_cluster_file(tmp_path):
    file = tmp_path / "cluster.yaml"
    file.write_text(
        "apiVersion: kubemu.dev/v1alpha1\nkind: Cluster\n"
        "nodes:\n- {name: big, cpu: 8, memory: 64Gi}\n"
    )
    arguments = ("-f", pod(tmp_path), "--cluster-file", str(file), "-o", "yaml")
    done = run("none", *arguments, home=tmp_path)
    assert done.exit_code == 0, done.output
    assert "name: big" in done.output
    assert "memory: 64Gi" in done.output


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", "there is no workload"),
        (POD.replace("name: c", "name: C"), "pod.yaml, document 1: .*RFC 1123 label"),
    ],
)
def test_manifests_that_cannot_be_compared_are_refused(tmp_path, text, why):
    done = run("vm", "-f", pod(tmp_path, text), "--nodes", "1", home=tmp_path)
    assert isinstance(done.exception, Unusable)
    with pytest.raises(Unusable, match=why):
        raise done.exception


def test_a_job_needs_no_selector_of_its_own(tmp_path):
    job = """
apiVersion: batch/v1
kind: Job
metadata: {name: pi}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: pi, image: busybox, command: [echo, "3"]}]
"""
    asked = ("-f", pod(tmp_path, job), "--nodes", "1", "-o", "json")
    done = run("container", *asked, home=tmp_path)
    assert done.exit_code == 0, done.exception
    (one,) = json.loads(done.output)["classes"]
    assert (one["pods"], one["ready"], one["problems"]) == (1, 1, [])


def test_a_class_that_is_not_there_is_refused(tmp_path):
    done = run("kata", "-f", pod(tmp_path), "--nodes", "1", home=tmp_path)
    assert isinstance(done.exception, Unusable)
    assert "there is no RuntimeClass kata: there are container, vm" in str(done.exception)


def test_a_cluster_gives_its_nodes_as_they_are():
    node = {
        "metadata": {"name": "a", "labels": {"disk": "ssd"}},
        "spec": {
            "taints": [
                {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"},
                {"key": "team", "value": "red", "effect": "NoSchedule"},
            ]
        },
        "status": {"capacity": {"cpu": "2", "memory": "8Gi", "pods": "30"}},
    }
    made = comparing.of_node(node)
    assert (made.cpu, made.memory, made.max_pods) == ("2", "8Gi", 30)
    assert made.labels == {"disk": "ssd"}
    assert [(one.key, one.value) for one in made.taints] == [("team", "red")]
