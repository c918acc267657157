"""A kubelet's certificate: what is its node's, and nothing of another's."""

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from realcluster import until
from securityworld import Outside

POD = """
apiVersion: v1
kind: Secret
metadata: {name: of-two}
stringData: {k: v}
---
apiVersion: v1
kind: Secret
metadata: {name: of-nobody}
stringData: {k: v}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: of-two}
data: {k: v}
---
apiVersion: v1
kind: Pod
metadata: {name: two}
spec:
  nodeName: node-2
  containers:
  - name: c
    image: busybox
    command: [sleep, "3600"]
    env: [{name: S, valueFrom: {secretKeyRef: {name: of-two, key: k}}}]
    envFrom: [{configMapRef: {name: of-two}}]
"""
ONE, TWO = "kubelet-node-1", "kubelet-node-2"
MERGE = "application/merge-patch+json"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


@pytest.fixture(scope="module")
def cluster(outside: Outside) -> Outside:
    outside.apply(POD)
    outside.running("two")
    return outside


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/default/secrets/of-two", "/api/v1/namespaces/default/configmaps/of-two",
        "/api/v1/namespaces/default/pods/two", "/api/v1/nodes/node-2", f"{LEASES}/node-2",
    ],
)  # fmt: skip
def test_its_own_node_reads_what_another_may_not(cluster: Outside, path: str) -> None:
    assert cluster.ask("GET", path, TWO).status == 200
    assert cluster.ask("GET", path, ONE).status == 403


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/default/secrets", "/api/v1/secrets", "/api/v1/pods", "/api/v1/nodes",
        "/api/v1/namespaces/default/secrets/of-nobody",
        "/api/v1/secrets?fieldSelector=metadata.name%3Dof-two",
        "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-2",
        "/api/v1/pods?fieldSelector=spec.nodeName!%3Dnode-1",
        "/api/v1/watch/namespaces/default/secrets/of-two",
        "/api/v1/namespaces/default/secrets?watch=1&fieldSelector=metadata.name%3Dof-two",
        "/api/v1/namespaces/default/pods/two/log", "/api/v1/nodes/node-2/proxy/pods",
        "/api/v1/nodes/node-1/proxy/pods", LEASES,
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    ],
)  # fmt: skip
def test_there_is_no_way_round(cluster: Outside, path: str) -> None:
    assert cluster.ask("GET", path, ONE).status == 403


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/api/v1/nodes/node-2", {"metadata": {"labels": {"x": "y"}}}),
        ("PATCH", "/api/v1/nodes/node-2/status", {"status": {"phase": "x"}}),
        ("DELETE", "/api/v1/nodes/node-2", None),
        ("DELETE", "/api/v1/nodes/node-1", None),
        ("PATCH", "/api/v1/namespaces/default/pods/two/status", {"status": {"message": "x"}}),
        ("PATCH", "/api/v1/namespaces/default/pods/two", {"metadata": {"labels": {"x": "y"}}}),
        ("DELETE", "/api/v1/namespaces/default/pods/two", None),
        ("PATCH", f"{LEASES}/node-2", {"spec": {"holderIdentity": "node-1"}}),
        ("DELETE", f"{LEASES}/node-2", None),
        (
            "PATCH", "/api/v1/nodes/node-1",
            {"metadata": {"labels": {"node-restriction.kubernetes.io/x": "y"}}},
        ),
        (
            "PATCH", "/api/v1/nodes/node-1",
            {"spec": {"taints": [{"key": "x", "effect": "NoExecute"}]}},
        ),
        (
            "POST", "/api/v1/nodes",
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-9"}},
        ),
        (
            "POST", "/api/v1/namespaces/default/pods/two/eviction",
            {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "two"}},
        ),
        (
            "POST", "/api/v1/namespaces/default/serviceaccounts/default/token",
            {
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                "spec": {"boundObjectRef": {
                    "kind": "Pod", "apiVersion": "v1", "name": "two", "uid": "x",
                }},
            },
        ),
        (
            "POST", "/api/v1/namespaces/default/pods",
            {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "x", "annotations": {"kubernetes.io/config.mirror": "x"}},
                "spec": {"nodeName": "node-2", "containers": [{"name": "c", "image": "busybox"}]},
            },
        ),
        (
            "POST", "/api/v1/namespaces/default/pods",
            {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "x", "annotations": {"kubernetes.io/config.mirror": "x"}},
                "spec": {
                    "nodeName": "node-1", "containers": [{"name": "c", "image": "busybox"}],
                    "volumes": [{"name": "v", "secret": {"secretName": "of-nobody"}}],
                },
            },
        ),
        ("POST", "/api/v1/namespaces/default/secrets", {"metadata": {"name": "x"}}),
    ],
)  # fmt: skip
def test_it_changes_nothing_of_others(
    cluster: Outside, method: str, path: str, body: object
) -> None:
    media = MERGE if method == "PATCH" else "application/json"
    found = cluster.ask(method, path, ONE, body, media=media)
    assert found.status == 403, found.body


def request_of(node: str) -> dict[str, Any]:
    """A CertificateSigningRequest for the client certificate of a node."""
    names = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes"),
        x509.NameAttribute(NameOID.COMMON_NAME, f"system:node:{node}"),
    ]
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return {
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
        "metadata": {"name": f"for-{node}"},
        "spec": {
            "request": base64.b64encode(pem).decode(),
            "usages": ["digital signature", "client auth"],
            "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
        },
    }  # fmt: skip


def test_it_approves_no_certificate_and_gets_none_of_another_node(cluster: Outside) -> None:
    cluster.cluster.kubectl(
        "create", "clusterrolebinding", "rotation", "--group=system:nodes",
        "--clusterrole=system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
    )  # fmt: skip
    for node in ("node-2", "node-1"):
        assert cluster.ask("POST", CSRS, ONE, request_of(node)).status == 201
    told = {"status": {"conditions": [{"type": "Approved", "status": "True", "reason": "x"}]}}
    found = cluster.ask("PATCH", f"{CSRS}/for-node-2/approval", ONE, told, media=MERGE)
    assert found.status == 403

    def issued() -> Any:
        return cluster.cluster.get("csr", "for-node-1").get("status", {}).get("certificate")

    # Its own, which it asked for later, is signed: so the approver has looked at the other.
    until("its own certificate", issued, 10)
    assert cluster.cluster.get("csr", "for-node-2").get("status", {}) == {}


def test_what_was_refused_is_in_the_audit_log(cluster: Outside) -> None:
    cluster.ask("GET", "/api/v1/namespaces/default/secrets/of-two?canary=1", ONE)

    def told() -> list[Any]:
        return [each for each in cluster.audited() if "canary=1" in each["requestURI"]]

    (event,) = until("the audit event", told, 10)
    assert event["user"]["username"] == "system:node:node-1"
    assert event["responseStatus"]["code"] == 403
    assert event["annotations"]["authorization.k8s.io/decision"] == "forbid"
