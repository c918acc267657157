from collections import Counter

import pytest
from authz_world import asks

from cluster.api import identity, objects
from cluster.apiserver.authz import rules
from cluster.apiserver.authz.policy import wanted
from cluster.apiserver.authz.policy.reconciliation import amended
from cluster.apiserver.authz.rbac import Rbac


def held() -> Rbac:
    rbac = Rbac()
    for obj in wanted():
        put = rbac.put_binding if "roleRef" in obj else rbac.put_role
        put(objects.namespace(obj), objects.name(obj), obj)
    return rbac


def test_it_is_whole() -> None:
    found = list(wanted())
    kinds = Counter(obj["kind"] for obj in found)
    assert kinds["ClusterRole"] >= 70
    roles = {objects.name(obj) for obj in found if obj["kind"] == "ClusterRole"}
    assert {
        "cluster-admin", "admin", "edit", "view", "system:node", "system:kube-scheduler",
        "system:discovery", "system:basic-user", "system:public-info-viewer",
        "system:controller:replicaset-controller",
    } <= roles  # fmt: skip
    for obj in found:
        assert obj["metadata"]["labels"]["kubernetes.io/bootstrapping"] == "rbac-defaults"
        if obj["kind"] == "ClusterRoleBinding":
            assert obj["roleRef"]["name"] in roles


@pytest.mark.parametrize(
    ("user", "groups", "text", "allowed"),
    [
        ("x", ("system:authenticated",), "get /api", True),
        ("x", ("system:authenticated",), "list core pods", False),
        (
            "x",
            ("system:authenticated",),
            "create authorization.k8s.io selfsubjectaccessreviews",
            True,
        ),
        ("system:anonymous", ("system:unauthenticated",), "get /healthz", True),
        ("system:anonymous", ("system:unauthenticated",), "get /api", False),
        ("system:kube-scheduler", (), "create core pods/binding", True),
        ("system:kube-scheduler", (), "create core pods", False),
        ("system:kube-controller-manager", (), "create core pods", True),
        ("system:kube-controller-manager", (), "patch apps deployments/status", True),
        ("system:kube-proxy", (), "watch discovery.k8s.io endpointslices", True),
        ("system:kube-proxy", (), "get core secrets", False),
        ("system:kube-proxy", (), "watch networking.k8s.io networkpolicies", True),
        ("system:kube-proxy", (), "patch core nodes/status", True),
        ("system:kube-proxy", (), "patch core nodes", False),
        ("kubemu:hollow-node:h", ("kubemu:hollow-nodes",), "patch core pods/status", True),
        ("kubemu:hollow-node:h", ("kubemu:hollow-nodes",), "create apps deployments", False),
        ("system:node:n", ("system:nodes",), "get core pods", False),
    ],
)
def test_whom_it_lets_do_what(user, groups, text, allowed) -> None:
    assert held().authorize(asks(identity.User(user, groups), text)).allowed is allowed


def test_view_reads_no_secrets_and_edit_grants_no_roles() -> None:
    roles = {objects.name(obj): rules.of(obj.get("rules")) for obj in wanted()
             if obj["kind"] == "ClusterRole"}  # fmt: skip

    def may(role: str, verb: str, group: str, resource: str) -> bool:
        return any(rule.allows(verb, group, resource, "") for rule in roles[role])

    assert may("view", "get", "", "pods")
    assert not may("view", "get", "", "secrets")
    assert not may("view", "create", "", "pods")
    assert may("edit", "get", "", "secrets")
    assert may("edit", "create", "apps", "deployments")
    assert not may("edit", "create", "rbac.authorization.k8s.io", "roles")
    assert may("admin", "create", "rbac.authorization.k8s.io", "roles")


def named(name: str, kind: str = "ClusterRole") -> objects.Object:
    return next(obj for obj in wanted() if (obj["kind"], objects.name(obj)) == (kind, name))


def test_missing_rights_are_added_back_and_further_ones_stay() -> None:
    whole = named("system:kube-dns")
    own = {"verbs": ["get"], "apiGroups": ["x"], "resources": ["y"]}
    changed = amended(whole | {"rules": [own, whole["rules"][0]]}, whole)
    assert changed is not None
    assert changed["rules"][:2] == [own, whole["rules"][0]]
    assert not rules.missing(rules.of(changed["rules"]), rules.of(whole["rules"]))
    assert amended(changed, whole) is None


def test_what_opted_out_is_left_alone() -> None:
    whole = named("system:kube-dns")
    off = {"rbac.authorization.kubernetes.io/autoupdate": "false"}
    bare = whole | {"rules": [], "metadata": whole["metadata"] | {"annotations": off}}
    assert amended(bare, whole) is None


def test_missing_subjects_come_back_and_a_wrong_role_is_replaced() -> None:
    whole = named("system:kube-dns", "ClusterRoleBinding")
    other = {"kind": "User", "name": "x", "apiGroup": "rbac.authorization.k8s.io"}
    changed = amended(whole | {"subjects": [other]}, whole)
    assert changed is not None
    assert changed["subjects"] == [other, *whole["subjects"]]
    wrong = whole | {"roleRef": whole["roleRef"] | {"name": "view"}}
    changed = amended(wrong, whole)
    assert changed is not None
    assert changed["roleRef"] == whole["roleRef"]


def test_labels_that_somebody_took_away_come_back() -> None:
    whole = named("view")
    bare = whole | {"metadata": whole["metadata"] | {"labels": {"own": "1"}}}
    changed = amended(bare, whole)
    assert changed is not None
    assert changed["metadata"]["labels"] == {"own": "1"} | whole["metadata"]["labels"]
