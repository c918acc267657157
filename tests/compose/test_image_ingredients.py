"""What the Dockerfile is given, without Docker."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_layer_of_packages_has_all_that_the_project_needs() -> None:
    project = ROOT / "pyproject.toml"
    told = subprocess.run(
        [sys.executable, ROOT / "compose/image/needs.py", project],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.splitlines() == tomllib.loads(project.read_text())["project"]["dependencies"]
