"""The client that docs/grpc.md shows, against a real cluster."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from realcluster import Cluster

EXAMPLE = Path(__file__).parents[2] / "examples" / "watch_pods.py"

pytestmark = pytest.mark.usefixtures("kubectl")


@pytest.fixture
def cluster(clusters: Callable[..., Cluster]) -> Cluster:
    return clusters("grpc", "--nodes", "1", "--no-dns")


@pytest.fixture
def lines(cluster: Cluster) -> Iterator[Iterator[str]]:
    """What the example prints; pytest's time limit ends a wait for a line that never comes."""
    cluster.run(["kubectl", "run", "first", "--image=nginx"])
    cluster.running(1)
    with subprocess.Popen(
        [sys.executable, str(EXAMPLE), str(cluster.folder.kubeconfig)],
        stdout=subprocess.PIPE, text=True,
    ) as example:  # fmt: skip
        assert example.stdout is not None
        yield iter(example.stdout)
        example.kill()


def test_the_example_lists_pods_and_then_sees_them_come(
    cluster: Cluster, lines: Iterator[str]
) -> None:
    assert next(lines).split() == ["LISTED", "first", "Running"]
    cluster.run(["kubectl", "run", "second", "--image=nginx"])
    assert next(lines).split() == ["ADDED", "second", "Pending"]
    assert any(line.split() == ["MODIFIED", "second", "Running"] for line in lines)
