"""`kubemu chaos`: its exit codes, which tell a failed experiment from one that never was."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cluster.api import errors
from cluster.chaos.world import Unable
from cluster.cli import __main__
from cluster.cli.commands.chaos import common, group

CLUSTER = """
apiVersion: kubemu.dev/v1alpha1
kind: Experiment
name: none
faults: [{do: kill, target: {process: apiserver}}]
"""
WRONG_FILE, NOT_CARRIED_OUT = 2, 3


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("KUBE")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KUBEMU_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(CLUSTER)
    (tmp_path / "bad.yaml").write_text("kind: Experiment\n")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "report.json").write_text("{}")
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "project").mkdir()
    return tmp_path / "home"


def kubemu(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int | str | None, str]:
    with pytest.raises(SystemExit) as ended:
        __main__.main(["chaos", *arguments])
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("run bad.yaml", "bad.yaml:1: apiVersion: is missing"),
        ("run bytes.yaml", "bytes.yaml is not a text in UTF-8"),
        ("run project", "project cannot be read (Is a directory)"),
        ("run nosuch", "no experiment of that name comes with kubemu"),
        ("run", "Missing argument"),
        ("run good.yaml --seed x", "is not a valid integer"),
        ("run good.yaml --json nowhere/report.json", "there is no folder nowhere"),
        ("run good.yaml --svg nowhere/report.svg", "there is no folder nowhere"),
        ("random --json nowhere/report.json", "there is no folder nowhere"),
        ("random --write nowhere/plan.yaml", "there is no folder nowhere"),
        ("show bad.yaml", "bad.yaml:1: apiVersion: is missing"),
        ("show nosuch", "no experiment of that name"),
        ("report report.json", "report.json is no report of kubemu chaos: it has no field kind"),
        ("report good.yaml", "good.yaml is no report of kubemu chaos: it is not JSON (line 2: "),
        ("report list.json", "list.json is no report of kubemu chaos: its fields are others"),
        ("report bytes.yaml", "bytes.yaml is no report of kubemu chaos: it is not JSON"),
    ],
)
def test_a_wrong_command_or_file_is_2(
    arguments: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = kubemu(capsys, *arguments.split())
    assert (code, said in told) == (WRONG_FILE, True), told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("run kubelet-stop --name nobody", "no cluster named nobody is running"),
        ("run good.yaml", "no cluster named kubemu is running"),
        ("run good.yaml --compose project", "there is no project/kubeconfig"),
        ("run good.yaml --compose nosuch", "there is no folder nosuch"),
        ("random --for 10s", "no cluster named kubemu is running"),
        ("random --compose nosuch", "there is no folder nosuch"),
        ("heal", "no cluster named kubemu is running"),
    ],
)
def test_what_cannot_be_carried_out_is_3(
    arguments: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = kubemu(capsys, *arguments.split())
    assert (code, said in told) == (NOT_CARRIED_OUT, True), told


def test_another_experiment_in_the_way_is_3(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = home / ".chaos" / "local-kubemu.json"
    journal.parent.mkdir(parents=True)
    journal.write_text(json.dumps([{"op": "start", "member": "apiserver"}]))
    code, told = kubemu(capsys, "run", "good.yaml")
    assert code == NOT_CARRIED_OUT
    assert "undo it with: kubemu chaos heal --name=kubemu" in told


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (Unable("there is no docker command on this machine"), "there is no docker command"),
        (errors.ServiceUnavailable("nobody answers"), "the API server: nobody answers"),
    ],
)
def test_a_cluster_that_does_not_answer_is_3(
    trouble: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf:
        class client:
            @staticmethod
            async def list(_resource: str) -> None:
                raise trouble

    async def opened(_name: str):
        yield Deaf

    monkeypatch.setattr(common, "_local", common.asynccontextmanager(opened))
    found = CliRunner().invoke(group.chaos, ["random", "--for", "10s"])
    assert found.exit_code == NOT_CARRIED_OUT
    assert said in found.output
    assert not isinstance(found.exception, click.ClickException)


def test_the_list_tells_of_faults_that_take_one_after_the_other() -> None:
    lines = CliRunner().invoke(group.chaos, ["list"]).output.splitlines()
    lasts = {line.split()[0]: " ".join(line.split("  ")[1:-1]).strip() for line in lines[1:]}
    assert lasts["kubelet-stop"] == "1m32s"
    assert lasts["rolling-restart-of-everything"] == "2s, and 3s for each process"


@pytest.mark.parametrize("arguments", ["run good.yaml", "heal"])
def test_nobody_comes_in_the_way_of_an_experiment_that_runs(
    arguments: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def opened(_name: str):
        yield None

    monkeypatch.setattr(common, "_local", common.asynccontextmanager(opened))
    with common.Where("kubemu").alone():
        code, told = kubemu(capsys, *arguments.split())
    assert code == NOT_CARRIED_OUT
    assert f"another experiment runs (process {os.getpid()})" in told
    assert not list((home / ".chaos").glob("*.json"))


def test_an_experiment_may_come_by_standard_input() -> None:
    command = [sys.executable, "-m", "cluster.cli", "chaos", "show", "-"]
    done = subprocess.run(
        command, input=CLUSTER, capture_output=True, text=True, timeout=60, check=True
    )
    assert "name: none" in done.stdout


def journal(folder: str) -> Path:
    return common.Where("kubemu", Path(folder)).journal.path


def test_a_compose_project_has_one_journal_however_its_folder_is_written(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = journal("project")
    monkeypatch.chdir(tmp_path / "project")
    ways = (".", "../project", "../project/", f"{tmp_path}/./project", f"{tmp_path}/x/../project")
    assert {journal(way) for way in ways} == {usual}
    assert usual.parent == home / ".chaos"


@pytest.mark.parametrize(
    ("one", "other"), [("/a/b-c", "/a/b/c"), ("/a/c", "/b/c"), ("/a", "/a-"), ("/", "/a")]
)
def test_no_two_projects_have_one_journal(one: str, other: str) -> None:
    assert journal(one) != journal(other)


def test_a_journal_has_a_name_that_a_file_may_have() -> None:
    assert len(os.fsencode(journal("/" + "ä" * 120).with_suffix(".json.new").name)) < 200
