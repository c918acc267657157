"""Our stack and Linux' understand each other, over a TAP device in a namespace of its own."""

import json
import pathlib
import shutil
import subprocess
import sys

import pytest

from cluster.network.io import plugging

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="TAP devices are Linux'")
_SCRIPT = pathlib.Path(__file__).with_name("kernelpeer.py")
_MTU_WINDOW = 1 << 20


@pytest.fixture(scope="module")
def scenarios():
    lacking = plugging.why_no_tap()
    if lacking:
        pytest.skip(lacking)
    ran = subprocess.run(
        [sys.executable, str(_SCRIPT)], capture_output=True, text=True, timeout=100, check=False
    )
    if "unshare" in ran.stderr or "TUNSETIFF" in ran.stderr or "PermissionError" in ran.stderr:
        pytest.skip(f"no network namespace here: {ran.stderr.splitlines()[-1]}")
    assert ran.returncode == 0, ran.stderr
    found = {}
    for line in ran.stdout.splitlines():
        found.update(json.loads(line))
    return found


@pytest.mark.parametrize("name", ["to_kernel", "from_kernel", "lossy", "plain"])
def test_what_is_sent_arrives_whole(scenarios, name):
    assert scenarios[name].get("whole") is True, scenarios[name]


def test_ports_where_nobody_listens_refuse_on_both_sides(scenarios):
    assert scenarios["refused"] == {
        "we": "ConnectionRefusedError",
        "kernel": "ConnectionRefusedError",
    }


def test_resets_reach_the_other_side(scenarios):
    assert scenarios["resets"] == {"kernel": "reset", "we": "reset"}


def test_slow_readers_close_the_window_and_open_it_again(scenarios):
    found = scenarios["stalled"]
    assert found.get("whole") is True, found
    assert found["blocked"]
    assert _MTU_WINDOW // 2 < found["held"] <= _MTU_WINDOW


def test_datagrams_go_both_ways_in_fragments_and_their_errors_return(scenarios):
    assert scenarios["datagrams"] == {"in": True, "out": True, "refused": True, "told": True}


def test_the_kernel_answers_our_pings(scenarios):
    assert scenarios["pings"] == {"sizes": [8, 64, 5008], "types": [True, True, True]}


@pytest.mark.skipif(not shutil.which("ping"), reason="no ping on the PATH (scripts/peers)")
def test_we_answer_the_kernels_pings(scenarios):
    assert scenarios["pinged"] == {"received": True}
