"""`scripts/docker` where no registry has the base image, with a Docker that does nothing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# No image is there, and none can be pulled.
DOCKER = """#!/bin/sh
case "$1" in
  image | pull) exit 1 ;;
  import) cat >/dev/null ;;
esac
"""
DEBOOTSTRAP = """#!/bin/sh
mkdir -p "$4/usr/local/bin" "$4/etc/ssl/certs"
"""
NOTHING = "#!/bin/sh\n"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    texts = {
        "docker": DOCKER, "debootstrap": DEBOOTSTRAP, "id": "#!/bin/sh\necho 0\n",
        "dockerd": NOTHING, "docker-compose": NOTHING, "apt-get": NOTHING,
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def test_the_first_run_ends_well_and_leaves_no_folder(tmp_path: Path, programs: Path) -> None:
    clone, scratch = tmp_path / "clone", tmp_path / "scratch"
    (clone / "scripts").mkdir(parents=True)
    scratch.mkdir()
    for name in ("docker", "debian", "environment"):
        shutil.copy(ROOT / "scripts" / name, clone / "scripts" / name)
    for name in ("Dockerfile", "docker-compose.yml"):
        shutil.copy(ROOT / name, clone / name)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(scratch)}
    done = subprocess.run(
        [str(clone / "scripts" / "docker")],
        env=environment, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert "building python:" in done.stderr
    assert "unbound variable" not in done.stderr
    assert done.returncode == 0
    assert list(scratch.iterdir()) == []
