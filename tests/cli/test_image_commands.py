"""`kubemu image`: what its commands print, and what they say of input that is none."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cluster.cli.app import kubemu


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KUBEMU_HOME", str(tmp_path / "home"))
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    return tmp_path


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(kubemu, ["image", *arguments], input=stdin)


def column(text: str, number: int) -> list[str]:
    return [line.split()[number] for line in text.splitlines()[1:]]


@pytest.mark.parametrize("tag", [("-t", "app:1"), ()])
def test_build_prints_the_id_that_ls_shows_and_others_take(
    home: Path, tag: tuple[str, ...]
) -> None:
    built = run("build", *tag, str(home / "context"))
    (told,) = [line for line in built.output.splitlines() if "Successfully built" in line]
    short = told.split()[-1]
    assert column(run("ls").output, 2) == [short]
    full = run("build", "-q", str(home / "context")).output.strip()
    assert full.startswith(f"sha256:{short}")
    for number, name in enumerate((full, short, short[:4], full[7:])):
        assert run("tag", name, f"other:{number}").exit_code == 0
    assert set(column(run("ls").output, 2)) == {short}
    assert "No such image: beef" in str(run("tag", "beef", "x").exception)


def test_an_image_goes_through_a_pipe(home: Path) -> None:
    run("build", "-t", "app:1", str(home / "context"))
    command = [sys.executable, "-m", "cluster.cli", "image", "save", "app:1"]
    saved = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert (saved.returncode, saved.stderr) == (0, b"")
    run("rm", "app:1")
    assert run("load", stdin=saved.stdout).output == "Loaded image: app:1\n"


def test_an_image_without_a_name_is_loaded_by_its_id(home: Path) -> None:
    run("build", str(home / "context"))
    full = run("build", "-q", str(home / "context")).output.strip()
    path = str(home / "x.tar")
    assert run("save", "-o", path, full).exit_code == 0
    run("prune")
    assert run("load", "-i", path).output == f"Loaded image ID: {full}\n"
    assert column(run("ls").output, 2) == [full[7:19]]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "standard input is empty"),
        (b"garbage" * 99, "standard input is no tar: archive/tar: invalid tar header"),
    ],
)
def test_load_says_what_is_wrong_with_its_input(home: Path, data: bytes, said: str) -> None:
    found = run("load", stdin=data)
    assert str(found.exception) == said
