"""A minute of scripts/soak.py: too short to judge memory by, long enough for tasks and descriptors.

The whole of it is `scripts/soak.py`, twenty minutes.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "soak.py"

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="not on Linux")
def test_a_minute_of_pods_leaves_no_tasks_and_no_descriptors(tmp_path: Path) -> None:
    told = tmp_path / "soak.json"
    done = subprocess.run(
        [sys.executable, SCRIPT, "--minutes", "1", "--rate", "10", "--json", told],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    # What is bounded is not full after half a minute.
    assert "NOT JUDGED memory" in done.stdout
    soak = json.loads(told.read_text())
    assert min(soak["rates"]) > 9
    assert soak["counts"]["exec"] > 5
    names = {each["name"] for each in soak["verdicts"]}
    assert {"apiserver", "scheduler", "controller-manager", "kubelet-node-1"} <= names
    assert all(each["growth"] < 0.2 for each in soak["verdicts"] if each["name"] != "apiserver")
