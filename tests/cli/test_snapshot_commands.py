"""What `kubemu snapshot` says to a shell."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from cluster.cli.commands.snapshot import snapshot
from cluster.storage import snapshot as snapshots
from cluster.storage.interface import Record


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A snapshot of one object."""
    path = tmp_path / "whole.snap"
    with snapshots.Writer(path, snapshots.Header(9, 0.0, "")) as writer:
        writer.add(Record("/registry/pods/default/web", b"{}", 9, 9))
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
