"""Clusters of docker-compose.yml: started by the real commands, and gone without a trace."""

import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest
from composecluster import VERSIONS, ComposeCluster


def _answers(*command: str) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


@pytest.fixture(scope="session")
def docker() -> None:
    """A Docker daemon that answers, and a kubectl."""
    if not _answers("docker", "info"):
        pytest.skip("no Docker daemon answers (scripts/docker brings one)")
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl on the PATH")


@pytest.fixture(scope="session")
def compose(docker: None) -> Callable[[str], tuple[str, ...]]:
    """The command of a version of Compose."""

    def command(version: str) -> tuple[str, ...]:
        found = VERSIONS[version]
        if not _answers(*found, "version"):
            pytest.skip(f"there is no Compose {version} (scripts/docker brings it)")
        return found

    return command


@pytest.fixture(scope="module")
def clusters(
    compose: Callable[[str], tuple[str, ...]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., ComposeCluster]]:
    """Starts clusters of one module; takes them down, whatever happened, and looks for remains."""
    made: list[ComposeCluster] = []

    def start(version: str, *options: str, **settings: str) -> ComposeCluster:
        folder = tmp_path_factory.mktemp("compose")
        # v1 builds without BuildKit, which takes minutes and keeps nothing for v2.
        builder = VERSIONS["v2"] if _answers(*VERSIONS["v2"], "version") else compose(version)
        found = ComposeCluster(
            (*compose(version), *options), (*builder, *options), folder, len(made), settings
        )
        made.append(found)
        found.up()
        return found

    yield start
    remains = [remain for found in made for remain in found.down()]
    assert remains == []
