"""What `kubemu snapshot` says to a shell."""

import shutil
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from cluster.aio.clock import SystemClock
from cluster.api import faults
from cluster.cli.commands.snapshot import snapshot
from cluster.launcher import plan, preparing, state, topology
from cluster.storage import snapshot as snapshots
from cluster.storage.interface import Record

KEY = "/registry/pods/default/web"


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A snapshot of one object."""
    path = tmp_path / "whole.snap"
    with snapshots.Writer(path, snapshots.Header(9, 0.0, "")) as writer:
        writer.add(Record(KEY, b"{}", 9, 9))
    return path


def test_the_exit_code_of_a_list_tells_whether_all_are_whole(whole: Path) -> None:
    cut = whole.with_name("cut.snap")
    cut.write_bytes(whole.read_bytes()[:-5])
    listed = CliRunner().invoke(snapshot, ["ls", str(whole)])
    assert (listed.exit_code, "whole" in listed.output) == (0, True)
    listed = CliRunner().invoke(snapshot, ["ls", str(whole), str(cut)])
    assert (listed.exit_code, "damaged" in listed.output) == (1, True)
    listed = CliRunner().invoke(snapshot, ["ls", str(whole.with_name("none"))])
    assert (listed.exit_code, "cannot be read" in listed.output) == (1, True)


def test_a_snapshot_is_not_written_to_standard_output() -> None:
    asked = CliRunner().invoke(snapshot, ["save", "-"])
    assert (asked.exit_code, "FILE is a path" in asked.output) == (2, True)
    assert not Path("-").exists()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@pytest.fixture
def resting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> state.Folder:
    """The folder of a cluster with three members of etcd that does not run."""
    if shutil.which("etcd") is None:
        pytest.skip("there is no etcd on the PATH (scripts/etcd)")
    monkeypatch.setenv("KUBEMU_HOME", str(tmp_path / "home"))
    wanted = topology.Topology("resting", nodes=topology.numbered(1), etcd_members=3)
    ports = _free_ports(8)
    pairs = tuple(zip(ports[2:5], ports[5:], strict=True))
    folder = state.Folder(tmp_path / "home" / "resting")
    preparing.prepare(
        wanted, folder, plan.Ports(ports[0], ports[1], members=pairs), SystemClock().now()
    )
    return folder


@pytest.mark.timeout(90)
def test_a_snapshot_is_restored_into_the_etcd_of_a_cluster_that_is_stopped(
    whole: Path, resting: state.Folder
) -> None:
    run = CliRunner()
    restored = run.invoke(
        snapshot, ["restore", str(whole), "--name", "resting", "--bump-revision", "5"]
    )
    assert restored.exit_code == 0, restored.output + repr(restored.exception)
    assert "restored 1 objects of revision 9" in restored.output
    assert not (resting.data / "store.db").exists()
    assert state.recorded(resting) == {}
    assert state.holder(resting) is None

    again = whole.with_name("again.snap")
    saved = run.invoke(snapshot, ["save", str(again), "--name", "resting"])
    assert saved.exit_code == 0, saved.output + repr(saved.exception)
    with again.open("rb") as file:
        records = list(snapshots.Reader(file, "again").records())
    assert [(record.key, record.value) for record in records] == [(KEY, b"{}")]
    assert records[0].revision > 14
    assert f"Note: {KEY} is no object that an API server can read" in saved.output


def test_members_that_cannot_start_are_a_sentence(
    whole: Path, resting: state.Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(resting.path))
    failed = CliRunner().invoke(snapshot, ["restore", str(whole), "--name", "resting"])
    assert isinstance(failed.exception, faults.Fault)
    assert "ended; see" in str(failed.exception)
    assert "no etcd on the PATH" in (resting.logs / "etcd-1.log").read_text()
