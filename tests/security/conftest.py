"""One cluster for all tests from outside: audited, encrypted, with short deadlines for clients."""

from collections.abc import Iterator

import pytest
import yaml
from realcluster import Cluster
from securityworld import ENCRYPTION, POLICY, Outside


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "security":
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """What somebody with a socket sees of a cluster of two nodes."""
    home = tmp_path_factory.mktemp("kubemu")
    folder = tmp_path_factory.mktemp("given")
    (folder / "policy.yaml").write_text(yaml.safe_dump(POLICY))
    (folder / "encryption.yaml").write_text(yaml.safe_dump(ENCRYPTION))
    settings = {
        "audit-policy-file": str(folder / "policy.yaml"),
        "audit-log-path": str(folder / "audit.log"),
        "encryption-provider-config": str(folder / "encryption.yaml"),
        "read-header-timeout": "2s",
        "request-timeout": "2s",
    }
    given = {
        "apiVersion": "kubemu.dev/v1alpha1", "kind": "Cluster", "nodes": [{"count": 2}],
        "flags": {"apiserver": settings},
    }  # fmt: skip
    (folder / "cluster.yaml").write_text(yaml.safe_dump(given))
    cluster = Cluster(home, "security")
    try:
        cluster.kubemu("up", "--timeout", "60s", "-f", str(folder / "cluster.yaml"))
        yield Outside(cluster, folder)
    finally:
        cluster.end()
