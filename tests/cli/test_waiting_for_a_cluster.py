"""`kubemu up` does not wait for processes that somebody has stopped or paused."""

import pytest

from cluster.cli import progress
from cluster.pb.cluster.v1 import control_pb2 as pb


def watch() -> progress._Watch:
    return progress._Watch(progress._Line(), nodes=1, flag=" --name demo")


@pytest.mark.parametrize(
    ("process", "told"),
    [
        (
            pb.Process(name="apiserver", phase=pb.Process.STOPPED, last_exit="exit code 0"),
            "apiserver is stopped; start it with: kubemu start apiserver --name demo",
        ),
        (
            pb.Process(name="scheduler", phase=pb.Process.RUNNING, paused=True),
            "scheduler is paused; let it go on with: kubemu resume scheduler --name demo",
        ),
    ],
)
def test_it_does_not_wait_for_what_somebody_stopped(process: pb.Process, told: str) -> None:
    with pytest.raises(progress.NotUp) as caught:
        watch().processes([process])
    assert str(caught.value) == told


def test_it_waits_for_what_has_not_been_started_yet() -> None:
    found = watch()
    found.processes([pb.Process(name="apiserver", phase=pb.Process.STOPPED)])
    assert not found.processes_ready.is_set()
