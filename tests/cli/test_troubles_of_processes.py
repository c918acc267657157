"""What `kubemu status` says about processes with which something is wrong."""

from pathlib import Path

import pytest

from cluster.cli.commands import status
from cluster.launcher import state
from cluster.pb.cluster.v1 import control_pb2 as pb


@pytest.mark.parametrize(
    ("process", "told"),
    [
        (pb.Process(phase=pb.Process.RUNNING, status="ready"), ""),
        (
            pb.Process(phase=pb.Process.RUNNING, paused=True),
            "it is paused; let it go on with: kubemu resume it --name demo",
        ),
        (
            pb.Process(phase=pb.Process.STOPPED, status="ready", last_exit="exit code 0"),
            "it is stopped; start it with: kubemu start it --name demo",
        ),
        (
            pb.Process(phase=pb.Process.BACKOFF, status="cpu is '-3'", last_exit="exit code 1"),
            "it is backoff (cpu is '-3')",
        ),
        (
            pb.Process(phase=pb.Process.BACKOFF, last_exit="killed by SIGKILL"),
            "it is backoff (killed by SIGKILL)",
        ),
    ],
)  # fmt: skip
def test_a_trouble_is_told_with_its_way_out(process: pb.Process, told: str) -> None:
    process.name = "it"
    folder = state.Folder(Path("/nowhere/demo"))
    assert status._trouble(process, folder) == (f"demo: {told}" if told else "")
