"""A token of one namespace: its own, and nothing of another's."""

import base64
from typing import NamedTuple

import pytest
from securityworld import Outside

SETUP = """
apiVersion: v1
kind: Namespace
metadata: {name: mine}
---
apiVersion: v1
kind: Namespace
metadata: {name: other}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: worker, namespace: mine}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: worker, namespace: mine}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
subjects: [{kind: ServiceAccount, name: worker, namespace: mine}]
---
apiVersion: v1
kind: Secret
metadata: {name: theirs, namespace: other}
stringData: {k: canary-of-another}
---
apiVersion: v1
kind: Secret
metadata: {name: own, namespace: mine}
stringData: {k: v}
"""
RBAC = "/apis/rbac.authorization.k8s.io/v1"


class Worker(NamedTuple):
    outside: Outside
    token: str

    def status(self, method: str, path: str, body: object = None) -> int:
        return self.outside.ask(method, path, token=self.token, body=body).status


@pytest.fixture(scope="module")
def worker(outside: Outside) -> Worker:
    outside.apply(SETUP)
    token = outside.cluster.kubectl("-n", "mine", "create", "token", "worker").strip()
    return Worker(outside, token)


def test_it_reads_its_own(worker: Worker) -> None:
    assert worker.status("GET", "/api/v1/namespaces/mine/secrets/own") == 200
    assert worker.status("GET", "/api/v1/namespaces/mine/secrets") == 200
    assert worker.status("GET", "/api") == 200  # discovery is for whoever is known


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/other/secrets", "/api/v1/namespaces/other/secrets/theirs",
        "/api/v1/secrets", "/api/v1/secrets?fieldSelector=metadata.namespace%3Dmine",
        "/api/v1/namespaces/mine/../other/secrets", "/api/v1/namespaces/mine%2f..%2fother/secrets",
        "/api/v1/namespaces/mine/%2e%2e/other/secrets", "/api/v1/namespaces/other%00/secrets",
        "/api/v1//namespaces/other/secrets", "/api/v1/namespaces//secrets",
        "/api/v1/namespaces/Other/secrets", "/api/v1/watch/namespaces/other/secrets",
        "/api/v1/watch/secrets", "/api/v1/namespaces/other/pods/x/log",
        "/api/v1/namespaces/other/services/x:80/proxy/", "/api/v1/nodes/node-1/proxy/pods",
        "/api/v1/namespaces/other/serviceaccounts/default", "/api/v1/namespaces",
        "/api/v1/namespaces/other", f"{RBAC}/namespaces/other/rolebindings", "/metrics",
        "/apis/metrics.k8s.io/v1beta1/namespaces/other/pods",
        "/api/v1/namespaces/mine/secrets/..%2f..%2fother%2fsecrets%2ftheirs",
    ],
)  # fmt: skip
def test_it_reads_nothing_of_another(worker: Worker, path: str) -> None:
    found = worker.outside.ask("GET", path, token=worker.token)
    assert found.status in (403, 404)
    assert base64.b64encode(b"canary-of-another") not in found.body
    assert b'"kind":"SecretList"' not in found.body


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/api/v1/namespaces/mine/secrets",
            {"metadata": {"name": "x", "namespace": "other"}},
        ),
        (
            f"{RBAC}/namespaces/mine/rolebindings",
            {
                "metadata": {"name": "x"},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": "cluster-admin",
                },
                "subjects": [{"kind": "ServiceAccount", "name": "worker", "namespace": "mine"}],
            },
        ),
        (
            f"{RBAC}/namespaces/mine/roles",
            {
                "metadata": {"name": "x"},
                "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
            },
        ),
        (f"{RBAC}/clusterrolebindings", {"metadata": {"name": "x"}}),
        (
            "/api/v1/namespaces/other/serviceaccounts/default/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
        ),
        (
            "/apis/authentication.k8s.io/v1/tokenreviews",
            {"spec": {"token": "x"}},
        ),
    ],
)
def test_it_gives_itself_nothing(worker: Worker, path: str, body: object) -> None:
    assert worker.status("POST", path, body) in (400, 403)


def test_it_is_nobody_else(worker: Worker) -> None:
    for headers in (
        {"Impersonate_User": "system:serviceaccount:other:default"},
        {"Impersonate_User": "kubernetes-admin", "Impersonate_Group": "system:masters"},
        {"X_Remote_User": "kubernetes-admin", "X_Remote_Group": "system:masters"},
    ):
        found = worker.outside.ask(
            "GET", "/api/v1/namespaces/other/secrets", token=worker.token, **headers
        )
        assert found.status == 403


def test_a_token_ends_with_its_account(worker: Worker) -> None:
    cluster = worker.outside.cluster
    cluster.kubectl("-n", "mine", "create", "serviceaccount", "short")
    token = cluster.kubectl("-n", "mine", "create", "token", "short").strip()
    assert worker.outside.ask("GET", "/api", token=token).status == 200
    cluster.kubectl("-n", "mine", "delete", "serviceaccount", "short")
    assert worker.outside.ask("GET", "/api", token=token).status == 401


def test_a_changed_token_is_nobodys(worker: Worker) -> None:
    head, payload, signature = worker.token.split(".")
    for token in (
        f"{head}.{payload}.",
        f"{head}.{payload}.{signature[:-4]}AAAA",
        f"{head}.{head}.x",
    ):
        assert worker.outside.ask("GET", "/api", token=token).status == 401
