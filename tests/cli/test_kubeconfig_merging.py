"""`kubemu kubeconfig --merge` and what `kubemu down` takes out again."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from cluster.cli import clusters
from cluster.cli.commands import kubeconfig as command
from cluster.cli.commands.down import down
from cluster.launcher import kubeconfig, state


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> state.Folder:
    """A cluster's folder under a home directory of its own; no KUBECONFIG."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBEMU_HOME", str(tmp_path / ".kubemu"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    found = clusters.folder("demo")
    found.path.mkdir(parents=True)
    access = kubeconfig.Access("https://localhost:6443", "localhost:6444", b"a", b"b", b"c")
    kubeconfig.write(found.kubeconfig, kubeconfig.document("demo", "demo-admin", access))
    found.plan.write_text("{}")
    return found


def merge() -> str:
    done = CliRunner().invoke(command.kubeconfig, ["--name", "demo", "--merge"])
    assert done.exit_code == 0, done.output
    return done.output


def contexts(path: Path) -> list[str]:
    return [each["name"] for each in kubeconfig.read(path)["contexts"]]


@pytest.mark.usefixtures("folder")
def test_it_goes_into_the_file_that_kubectl_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "mine"))
    merge()
    assert contexts(tmp_path / "mine") == ["demo"]


def test_it_is_not_merged_into_itself(
    folder: state.Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(folder.kubeconfig))
    assert merge() == f"context demo is current in {tmp_path}/.kube/config\n"
    assert contexts(tmp_path / ".kube" / "config") == ["demo"]


def test_down_finds_it_although_kubeconfig_says_something_else_by_then(
    folder: state.Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge()
    monkeypatch.setenv("KUBECONFIG", str(folder.kubeconfig))
    done = CliRunner().invoke(down, ["--name", "demo"])
    assert f"taken out of {tmp_path}/.kube/config" in done.output
    assert contexts(tmp_path / ".kube" / "config") == []
    assert not folder.path.exists()
