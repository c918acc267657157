"""kubectl reads the OpenAPI documents to explain every kind, and has bodies checked strictly."""

from pathlib import Path

import kubectl_world
import pytest

pytestmark = pytest.mark.e2e

_WANTED = ("kubectl.1.27", "kubectl.1.33")
VERSIONS = [path for path in kubectl_world.versions() if Path(path).name in _WANTED] or [""]
MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  %s: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
"""

by_version = pytest.mark.parametrize("binary", VERSIONS, ids=[Path(path).name for path in VERSIONS])


@pytest.mark.slow
@by_version
def test_every_kind_is_explained_whole(binary: str, tmp_path: Path) -> None:
    if not binary:
        pytest.skip("there is no kubectl on the PATH")
    with kubectl_world.running(tmp_path) as world:
        kubectl = kubectl_world.Kubectl(world, binary)
        listed = kubectl("api-resources", "--no-headers").splitlines()
        assert len(listed) > 50
        for line in listed:
            plural, (api_version, _, kind) = line.split()[0], line.split()[-3:]
            told = kubectl("explain", plural, "--api-version", api_version, "--recursive")
            assert kind in told, line


@by_version
def test_an_unknown_field_is_found_by_the_server(binary: str, tmp_path: Path) -> None:
    if not binary:
        pytest.skip("there is no kubectl on the PATH")
    with kubectl_world.running(tmp_path) as world:
        kubectl = kubectl_world.Kubectl(world, binary)
        strict = ("apply", "--dry-run=server", "--validate=strict", "-f", "-")
        assert "created (server dry run)" in kubectl(*strict, stdin=MANIFEST % "replicas")
        refused = kubectl.run(*strict, stdin=MANIFEST % "replica")
        assert refused.code == 1
        assert 'strict decoding error: unknown field "spec.replica"' in refused.err
