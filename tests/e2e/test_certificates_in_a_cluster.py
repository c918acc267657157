"""A real cluster: a user gets a certificate as the documents tell, and is let in with it.

kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import certificate_objects
import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from realcluster import Cluster, until

pytestmark = pytest.mark.usefixtures("kubectl")


@pytest.fixture(scope="module")
def cluster(clusters: Callable[..., Cluster]) -> Cluster:
    return clusters("certificates", "--nodes", "1")


def ask(cluster: Cluster, tmp_path: Path, name: str, usages: list[str]) -> None:
    request = certificate_objects.encoded(certificate_objects.request(name, ["devs"]))
    signer = "kubernetes.io/kube-apiserver-client"
    manifest = tmp_path / f"{name}.json"
    spec = {"request": request, "signerName": signer, "usages": usages}
    manifest.write_text(json.dumps({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
        "metadata": {"name": name}, "spec": spec,
    }))  # fmt: skip
    cluster.kubectl("apply", "-f", str(manifest))


def test_an_approved_certificate_lets_in(cluster: Cluster, tmp_path: Path) -> None:
    ask(cluster, tmp_path, "jane", ["client auth"])
    assert "Pending" in cluster.kubectl("get", "csr", "jane")
    cluster.kubectl("certificate", "approve", "jane")
    encoded = until(
        "a certificate", lambda: cluster.get("csr", "jane")["status"].get("certificate")
    )
    assert "Approved,Issued" in cluster.kubectl("get", "csr", "jane")
    certificate, key = tmp_path / "jane.crt", tmp_path / "jane.key"
    certificate.write_bytes(base64.b64decode(encoded))
    key.write_bytes(
        certificate_objects.KEY.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    found = yaml.safe_load(cluster.folder.kubeconfig.read_text())["clusters"][0]["cluster"]
    who = cluster.kubectl(
        "--kubeconfig=/dev/null", "--server", found["server"],
        "--certificate-authority", str(cluster.folder.pki / "ca.crt"),
        "--client-certificate", str(certificate), "--client-key", str(key),
        "auth", "whoami", "-o", "json",
    )  # fmt: skip
    user = json.loads(who)["status"]["userInfo"]
    assert (user["username"], "devs" in user["groups"]) == ("jane", True)


def test_what_is_denied_or_cannot_be_signed_says_so(cluster: Cluster, tmp_path: Path) -> None:
    ask(cluster, tmp_path, "joe", ["client auth"])
    cluster.kubectl("certificate", "deny", "joe")
    assert "Denied" in cluster.kubectl("get", "csr", "joe")
    ask(cluster, tmp_path, "jim", ["server auth"])
    cluster.kubectl("certificate", "approve", "jim")
    until("its failure", lambda: "Approved,Failed" in cluster.kubectl("get", "csr", "jim"))
    described = cluster.kubectl("describe", "csr", "jim")
    assert "Requesting User" in described
