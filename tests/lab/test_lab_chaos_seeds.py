"""Seeds of the rough lab: nothing acknowledged is lost, and each kind of fault would be found."""

import subprocess
import sys
from pathlib import Path

import pytest

from cluster.lab.seeds import run

pytestmark = pytest.mark.usefixtures("seldom_collected")
SCRIPT = Path(__file__).parents[2] / "scripts" / "chaos_seeds.py"


@pytest.mark.parametrize("seed", range(10))
def test_nothing_acknowledged_is_lost(seed):
    outcome = run.run(seed)
    assert outcome.faults == []
    assert len(outcome.kills) == 8
    assert outcome.calls > 70


def test_a_seed_gives_the_same_event_log_again(tmp_path):
    first = run.run(1000)
    again = tmp_path / "log"
    subprocess.run(
        [sys.executable, SCRIPT, "--seed", "1000", "--log", again], check=True, timeout=110
    )
    assert again.read_text() == first.log
    assert "kill" in first.log
    assert run.run(1001).log != first.log


@pytest.mark.slow
def test_a_thousand_seeds():
    command = [sys.executable, SCRIPT, "--seeds", "1000", "--start", "2000", "--jobs", "2"]
    subprocess.run(command, check=True, timeout=900)
