"""Real clusters for tests: started by the real command, and gone without a trace at the end."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from realcluster import Cluster


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def kubectl() -> str:
    found = shutil.which("kubectl")
    if found is None:
        pytest.skip("there is no kubectl on the PATH")
    return found


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Cluster]]:
    """Starts clusters of one module; takes them down and looks for what they left."""
    home = tmp_path_factory.mktemp("kubemu")
    made: list[Cluster] = []

    def start(name: str = "e2e", *arguments: str) -> Cluster:
        found = Cluster(home, name)
        made.append(found)
        found.kubemu("up", "--timeout", "60s", *arguments)
        return found

    yield start
    for found in made:
        found.end()
    left = [path for path in home.rglob("*") if path.is_socket()]
    assert left == []


@pytest.fixture(scope="module")
def three_nodes(clusters: Callable[..., Cluster]) -> Cluster:
    return clusters()
