"""A cluster of the oldest emulated version: it becomes ready, runs pods, and tells what it is."""

import json
import re
from collections.abc import Callable

import pytest
from realcluster import Cluster

pytestmark = pytest.mark.e2e
OLDEST = "1.25"


def test_a_cluster_of_the_oldest_version_runs_pods(
    clusters: Callable[..., Cluster], kubectl: str
) -> None:
    cluster = clusters("oldest", "--nodes", "1", "--kubernetes-version", OLDEST)
    said = json.loads(cluster.kubectl("version", "-o", "json"))["serverVersion"]
    assert said["gitVersion"] == f"v{OLDEST}.0+kubemu"
    names = cluster.kubectl("api-resources", "-o", "name").split()
    assert {"pods", "deployments.apps", "cronjobs.batch"} <= set(names)
    assert not any(re.match("servicecidrs|validatingadmissionpolicies", name) for name in names)
    cluster.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2")
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    cluster.kubectl("expose", "deployment/web", "--port=80")
    assert cluster.kubectl("get", "service", "web", "-o", "name").strip() == "service/web"
