"""scripts/*.py started as documented, by a Python that has none of the packages."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_PARTS = ("installed.py", "shipped.py")
SCRIPTS = sorted(path.name for path in (ROOT / "scripts").glob("*.py") if path.name not in _PARTS)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository as far as scripts ask for it."""
    (tmp_path / "scripts").mkdir()
    for path in (ROOT / "scripts").glob("*.py"):
        shutil.copy(path, tmp_path / "scripts")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def bare(script: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Without site-packages."""
    return subprocess.run(
        [sys.executable, "-S", str(script), *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_goes_over_to_the_python_that_up_installed_for(name: str, clone: Path) -> None:
    python = clone / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$@"; exit 7\n')
    python.chmod(0o755)
    done = bare(clone / "scripts" / name, "--seed", "1")
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout == f"{clone / 'scripts' / name} --seed 1\n"


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_says_what_to_do_where_nothing_is_installed(name: str, clone: Path) -> None:
    done = bare(clone / "scripts" / name)
    assert done.returncode == 3
    assert "aiohttp" in done.stderr
    assert "./scripts/up" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_script_runs_as_it_is_where_all_is_installed(clone: Path) -> None:
    code = "import installed; installed.here(); print('here')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False,
        cwd=clone / "scripts",
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("here\n", "")


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name.startswith("chaos_")])
def test_a_script_tells_of_itself_in_whole_sentences(name: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / name, "--help"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert f"scripts/{name}" in done.stdout or f"usage: {name}" in done.stdout
    told = next(part for part in done.stdout.split("\n\n") if not part.startswith("usage"))
    assert told.strip()[-1] in ".:"
