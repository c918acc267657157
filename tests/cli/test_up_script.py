"""`scripts/up` with a kubemu that does nothing: which cluster its hints are about."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "up"
KUBEMU = """#!/bin/sh
case "$1" in
  kubeconfig) echo "/kubeconfig of $3" ;;
esac
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone in which everything is installed, and nothing does anything."""
    for folder in ("scripts", ".venv/bin", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(SCRIPT, tmp_path / "scripts" / "up")
    stub = f"prepare() {{ python={sys.executable}; }}\nsay() {{ printf '%s\\n' \"$*\" >&2; }}\n"
    (tmp_path / "scripts" / "environment").write_text(stub)
    for name, text in ((".venv/bin/kubemu", KUBEMU), ("bin/kubectl", "#!/bin/sh\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "named.yaml").write_text("name: of-file\n")
    (tmp_path / "bare.yaml").write_text("nodes: []\n")
    return tmp_path


def said(clone: Path, *arguments: str, name: str = "") -> str:
    path = f"{clone / 'bin'}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "KUBEMU_NAME": name}
    done = subprocess.run(
        [str(clone / "scripts" / "up"), *arguments],
        env=environment, capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize(
    ("arguments", "environment", "name"),
    [
        ((), "", "kubemu"),
        ((), "of-environment", "of-environment"),
        (("--name", "a-rather-long-name"), "of-environment", "a-rather-long-name"),
        (("--name=flag", "-f", "named.yaml"), "of-environment", "flag"),
        (("-f", "named.yaml"), "of-environment", "of-file"),
        (("--file=bare.yaml",), "of-environment", "of-environment"),
        (("--file=bare.yaml",), "", "kubemu"),
    ],
)
def test_the_hints_are_of_the_cluster_that_was_started_and_aligned(
    clone: Path, arguments: tuple[str, ...], environment: str, name: str
) -> None:
    shown = said(clone, *arguments, name=environment)
    flag = "" if name == "kubemu" else f" --name {name}"
    assert f"export KUBECONFIG=/kubeconfig of {name}\n" in shown
    assert f"\nkubemu down{flag} ends it.\n" in shown
    _, _, rest = shown.partition("What to try next:\n\n")
    rows = rest.partition("\n\n")[0].splitlines()
    assert len(rows) == 6
    assert rows[1].startswith(f"  kubemu kill kubelet-node-1{flag}  ")
    explained = ("every", "kill one", "stop one", "five minutes", "watch", "a second")
    columns = {row.rindex(words) for row, words in zip(rows, explained, strict=True)}
    assert len(columns) == 1
