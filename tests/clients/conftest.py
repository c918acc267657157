"""One real cluster for all clients, and a namespace of its own for each test."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import clientworld
import pytest

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[clientworld.World]:
    """A cluster of two nodes, taken down at the end."""
    world = clientworld.World(tmp_path_factory.mktemp("clients"))
    world.cluster.kubemu("up", "--timeout", "60s", "--nodes", "2")
    try:
        yield world
    finally:
        world.cluster.end()


@pytest.fixture(scope="session")
def web(cluster: clientworld.World) -> str:
    """The namespace of a pod `web` that serves pages on port 80, and the service before it."""
    cluster.make_namespace("served")
    cluster.post(
        "/api/v1/namespaces/served/pods", clientworld.pod("web", "example.com/pages", port=80)
    )
    cluster.post("/api/v1/namespaces/served/services", clientworld.service("web"))
    cluster.until_ready("served", "web")
    return "served"


@pytest.fixture
def namespace(cluster: clientworld.World, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for one test, deleted when it ends."""
    make: Callable[[str], str] = cluster.make_namespace
    name = make(
        f"{request.path.stem.removeprefix('test_client_')}-{next(_numbers)}".replace("_", "-")
    )
    yield name
    cluster.call("DELETE", f"/api/v1/namespaces/{name}")
