"""A cluster that runs wholly under Node and RBAC, and what kubectl shows of it."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from realcluster import Cluster, until

from cluster.launcher import pki

pytestmark = pytest.mark.usefixtures("kubectl")

WRONG = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reconciled}
rules:
- {apiGroups: [""], resources: [pods], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reconciled}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reconciled}
subjects:
- {kind: Group, name: dev, apiGroup: rbac.authorization.k8s.io}
"""


@pytest.fixture(scope="module")
def guarded(clusters: Callable[..., Cluster], tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """A cluster with hollow nodes, a Deployment, and jane, who may view the namespace default."""
    cluster = clusters("rbac", "--hollow", "20")
    cluster.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=12")
    cluster.running(12)
    cluster.kubectl("create", "rolebinding", "jane", "--clusterrole=view", "--user=jane")
    folder = tmp_path_factory.mktemp("jane")
    now = time.time()  # noqa: TID251 - real processes
    pair = pki.ensure_authority(cluster.folder.pki, now).client(pki.Subject("jane", ("dev",)), now)
    (folder / "jane.crt").write_bytes(pair.certificate)
    (folder / "jane.key").write_bytes(pair.key)
    cluster.kubectl(
        "config", "set-credentials", "jane", f"--client-certificate={folder / 'jane.crt'}",
        f"--client-key={folder / 'jane.key'}",
    )  # fmt: skip
    return cluster


def test_no_component_is_refused_what_it_needs(guarded: Cluster) -> None:
    logs = [path.read_text() for path in (guarded.home / guarded.name / "logs").iterdir()]
    assert any("serving" in text for text in logs)
    assert [text for text in logs if "forbidden" in text.lower()] == []


def test_who_may_view_reads_and_is_refused_writes(guarded: Cluster) -> None:
    shown = guarded.kubectl("--user=jane", "get", "pods", "-o", "name")
    assert len(shown.splitlines()) == 12
    refused = guarded.kubectl("--user=jane", "create", "configmap", "x", code=1)
    assert 'configmaps is forbidden: User "jane" cannot create resource "configmaps"' in refused
    refused = guarded.kubectl("--user=jane", "delete", "deployment", "web", code=1)
    assert 'deployments.apps "web" is forbidden' in refused
    assert "cannot list" in guarded.kubectl("--user=jane", "get", "nodes", code=1)
    assert "cannot list" in guarded.kubectl("--user=jane", "get", "secrets", code=1)
    assert "cannot impersonate" in guarded.kubectl(
        "--user=jane", "--as=root", "get", "pods", code=1
    )


def test_a_node_sees_itself_and_no_other(guarded: Cluster) -> None:
    conf = f"--kubeconfig={guarded.folder.conf / 'kubelet-node-1.conf'}"
    assert guarded.kubectl(conf, "get", "node", "node-1", "-o", "name").strip() == "node/node-1"
    refused = guarded.kubectl(conf, "get", "node", "node-2", code=1)
    assert "node 'node-1' cannot read 'node-2', only its own Node object" in refused
    refused = guarded.kubectl(conf, "get", "pods", "-A", code=1)
    assert "can only list/watch pods with spec.nodeName field selector" in refused


def test_kubectl_auth(guarded: Cluster) -> None:
    assert guarded.kubectl("auth", "can-i", "list", "pods", "--as=jane").strip() == "yes"
    guarded.kubectl("auth", "can-i", "delete", "pods", "--as=jane", code=1)
    listed = guarded.kubectl("auth", "can-i", "--list", "--as=jane")
    assert "deployments.apps" in listed
    assert "[get list watch]" in listed
    told = json.loads(
        guarded.kubectl("auth", "whoami", "--as=jane", "--as-group=ops", "-o", "json")
    )
    assert told["status"]["userInfo"] == {
        "username": "jane", "groups": ["ops", "system:authenticated"],
    }  # fmt: skip


def test_roles_are_made_reconciled_and_shown(guarded: Cluster, tmp_path: Path) -> None:
    guarded.kubectl("create", "role", "r", "--verb=get,list", "--resource=pods,deployments.apps")
    guarded.kubectl("create", "clusterrole", "probe", "--verb=get", "--non-resource-url=/metrics")
    guarded.kubectl("create", "clusterrole", "sum", "--aggregation-rule=example.com/into-sum=true")
    guarded.kubectl("label", "clusterrole", "probe", "example.com/into-sum=true")
    gathered = until(
        "the aggregated role follows", lambda: guarded.get("clusterrole", "sum").get("rules")
    )
    assert gathered == [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
    shown = guarded.kubectl("get", "rolebinding", "jane", "-o", "wide").splitlines()
    assert shown[0].split() == ["NAME", "ROLE", "AGE", "USERS", "GROUPS", "SERVICEACCOUNTS"]
    assert shown[1].split()[:2] == ["jane", "ClusterRole/view"]
    assert "deployments.apps" in guarded.kubectl("describe", "role", "r")
    path = tmp_path / "wanted.yaml"
    path.write_text(WRONG)
    for _ in range(2):
        told = guarded.kubectl("auth", "reconcile", "-f", str(path))
        assert "clusterrole.rbac.authorization.k8s.io/reconciled reconciled" in told
    assert guarded.kubectl("auth", "can-i", "get", "pods", "--as=x", "--as-group=dev").strip() == (
        "yes"
    )
