"""Quotas, limits and the Pod Security Standards as kubectl shows them."""

import subprocess
from collections.abc import Callable

import pytest
from realcluster import Cluster, until

pytestmark = pytest.mark.usefixtures("kubectl")

TEAM = """
apiVersion: v1
kind: LimitRange
metadata: {name: defaults, namespace: team}
spec:
  limits:
  - type: Container
    default: {cpu: 200m, memory: 128Mi}
    defaultRequest: {cpu: 100m, memory: 64Mi}
    max: {cpu: "1"}
"""


@pytest.fixture(scope="module")
def team(clusters: Callable[..., Cluster], tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """A cluster with a namespace that has a quota, limits, and warns of what is not restricted."""
    cluster = clusters("quota", "--nodes", "1")
    cluster.kubectl("create", "namespace", "team")
    cluster.kubectl("label", "namespace", "team", "pod-security.kubernetes.io/warn=restricted")
    limits = tmp_path_factory.mktemp("limits") / "limits.yaml"
    limits.write_text(TEAM)
    cluster.kubectl("apply", "-f", str(limits))
    cluster.kubectl(
        "-n", "team", "create", "quota", "few",
        "--hard=pods=2,requests.cpu=1,limits.memory=1Gi,count/deployments.apps=1",
    )  # fmt: skip
    return cluster


def described(cluster: Cluster) -> dict[str, list[str]]:
    text = cluster.kubectl("-n", "team", "describe", "quota", "few")
    rows = [line.split() for line in text.splitlines()]
    return {row[0]: row[1:] for row in rows if len(row) == 3}


def test_a_quota_tells_what_is_used_and_refuses_the_rest(team: Cluster) -> None:
    def pods(used: str) -> Callable[[], bool]:
        return lambda: described(team).get("pods") == [used, "2"]

    until("the quota is counted", pods("0"))
    team.kubectl("-n", "team", "create", "deployment", "web", "--image=nginx", "--replicas=3")
    until("two pods are used", pods("2"))
    shown = described(team)
    assert shown["requests.cpu"] == ["200m", "1"]
    assert shown["limits.memory"] == ["256Mi", "1Gi"]
    assert shown["count/deployments.apps"] == ["1", "1"]
    refused = team.kubectl("-n", "team", "run", "more", "--image=nginx", code=1)
    assert (
        'pods "more" is forbidden: exceeded quota: few, requested: pods=1, used: pods=2, limited: '
        "pods=2"
    ) in refused
    refused = team.kubectl("-n", "team", "create", "deployment", "two", "--image=nginx", code=1)
    assert "exceeded quota: few, requested: count/deployments.apps=1" in refused
    until(
        "an event tells of it",
        lambda: "exceeded quota: few" in team.kubectl("-n", "team", "get", "events"),
    )
    team.kubectl("-n", "team", "scale", "deployment", "web", "--replicas=1")
    until("one pod is given back", pods("1"))


def test_a_pod_carries_what_the_namespace_gives(team: Cluster) -> None:
    note = r"jsonpath={.items[0].metadata.annotations.kubernetes\.io/limit-ranger}"
    text = team.kubectl("-n", "team", "get", "pods", "-o", note)
    assert text == (
        "LimitRanger plugin set: cpu, memory request for container nginx; cpu, memory limit for "
        "container nginx"
    )


def test_kubectl_shows_the_warning_of_pod_security(team: Cluster) -> None:
    command = ["kubectl", "-n", "team", "create", "job", "j", "--image=busybox"]
    done = subprocess.run(
        [*command, "--dry-run=server"], env=team.environment, capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    assert (
        'Warning: would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false '
        '(container "j" must set securityContext.allowPrivilegeEscalation=false), unrestricted '
        "capabilities"
    ) in done.stderr
    team.kubectl("label", "namespace", "default", "pod-security.kubernetes.io/enforce=baseline")
    overrides = '{"spec":{"hostNetwork":true}}'
    refused = team.kubectl("run", "host", "--image=nginx", f"--overrides={overrides}", code=1)
    assert (
        'pods "host" is forbidden: violates PodSecurity "baseline:latest": host namespaces '
        "(hostNetwork=true)"
    ) in refused


def test_the_node_works_though_kubelets_are_restricted(team: Cluster) -> None:
    def runs() -> bool:
        return "1/1" in team.kubectl("-n", "team", "get", "pods")

    until("the pod runs", runs)
    logs = [path.read_text() for path in (team.home / team.name / "logs").iterdir()]
    assert [text for text in logs if "is not allowed to" in text] == []
