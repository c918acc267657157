"""Rounds of kill -9 with real processes: a few, and two hundred with `--slow`."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "chaos_kill_rounds.py"

pytestmark = pytest.mark.e2e


def play(*arguments: str, within: float) -> str:
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        capture_output=True, text=True, timeout=within, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def test_a_few_rounds_lose_nothing() -> None:
    said = play("--rounds", "3", "--seed", "5", within=110)
    assert "3 rounds in" in said
    assert "rounds with faults: none" in said


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_hundred_rounds_lose_nothing() -> None:
    assert "200 rounds in" in play("--rounds", "200", "--seed", "6", within=3500)
