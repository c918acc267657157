"""Every kubectl that is at hand can do the daily work."""

from pathlib import Path

import kubectl_world
import pytest

pytestmark = pytest.mark.e2e

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "nginx:1.27", ports: [{containerPort: 80}]}]}
"""
VERSIONS = kubectl_world.versions() or [""]


@pytest.mark.parametrize("binary", VERSIONS, ids=[Path(path).name for path in VERSIONS])
def test_the_daily_work(binary: str, tmp_path: Path) -> None:
    with kubectl_world.running(tmp_path) as world:
        kubectl = kubectl_world.Kubectl(world, binary)
        apply = ("apply", "-f", "-")
        assert kubectl(*apply, stdin=MANIFEST) == "deployment.apps/web created\n"
        assert kubectl(*apply, stdin=MANIFEST) == "deployment.apps/web unchanged\n"
        changed = MANIFEST.replace("nginx:1.27", "nginx:1.28")
        assert kubectl(*apply, stdin=changed) == "deployment.apps/web configured\n"
        container = world.get("deployments.apps", "web")["spec"]["template"]["spec"]["containers"][
            0
        ]
        assert (container["image"], container["ports"][0]["containerPort"]) == ("nginx:1.28", 80)
        kubectl("scale", "deployment/web", "--replicas=3")
        assert kubectl("get", "deploy").splitlines()[1].split()[:2] == ["web", "0/3"]
        kubectl("create", "deployment", "other", "--image=nginx")
        kubectl("create", "configmap", "c", "--from-literal=a=b")
        assert "deployments" in kubectl("api-resources")
        assert "containers" in kubectl("explain", "pod.spec")
        assert "web" in kubectl("describe", "deployment", "web")
        assert kubectl("delete", "deployment", "--all").count("deleted") == 2
