"""The example that docs/lab.md begins with."""

import runpy
from pathlib import Path

import pytest

from cluster.lab.lab import Lab

EXAMPLE = Path(__file__).parents[2] / "examples" / "node_dies.py"


def test_the_example_tells_when_the_pods_of_a_dead_node_are_back():
    short = Lab(seed=1, nodes=3).run(runpy.run_path(str(EXAMPLE))["scenario"])
    # 50 s of silence make a node NotReady, and its pods tolerate that for 300 s.
    assert short == pytest.approx(360, abs=30)
