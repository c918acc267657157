"""A real cluster whose kubelet has certificates that end within seconds: it gets others in time."""

import datetime
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from realcluster import Cluster, until

from cluster.api import certificates
from cluster.launcher import kubeconfig

pytestmark = pytest.mark.usefixtures("kubectl")

KUBELET = "kubelet-node-1"
SIGNED_SECONDS = 30
"""The life of what the controller manager signs here."""
OLD_SECONDS, LEFT_SECONDS = 60, 9
"""The first ones are so old, and have so long to live: they are to be renewed at once."""
CONFIGURATION = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
    "rotateCertificates": True, "serverTLSBootstrap": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def cluster(clusters: Callable[..., Cluster], tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    folder = tmp_path_factory.mktemp("given")
    (folder / "kubelet.yaml").write_text(yaml.safe_dump(CONFIGURATION))
    given = {
        "apiVersion": "kubemu.dev/v1alpha1", "kind": "Cluster", "nodes": [{"count": 1}],
        "registry": False, "dns": False,
        "flags": {
            "kubelet": {"config": str(folder / "kubelet.yaml")},
            "controller-manager": {"cluster-signing-duration": f"{SIGNED_SECONDS}s"},
        },
    }  # fmt: skip
    (folder / "cluster.yaml").write_text(yaml.safe_dump(given))
    found = clusters("rotation", "-f", str(folder / "cluster.yaml"))
    found.kubectl(
        "create", "clusterrolebinding", "rotation", "--group=system:nodes",
        "--clusterrole=system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
    )  # fmt: skip
    found.kubectl("run", "one", "--image=busybox", "--", "sh", "-c", "echo hello; sleep 3600")
    found.running(1)
    return found


def shortened(cluster: Cluster, pem: bytes, begins: float, ends: float) -> bytes:
    """The same certificate for another time, signed by the cluster's authority."""
    old = x509.load_pem_x509_certificate(pem)
    key: Any = serialization.load_pem_private_key(
        (cluster.folder.pki / "ca.key").read_bytes(), None
    )
    builder = x509.CertificateBuilder(
        old.issuer, old.subject, old.public_key(), x509.random_serial_number(),
        *(datetime.datetime.fromtimestamp(moment, datetime.UTC) for moment in (begins, ends)),
    )  # fmt: skip
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def age(cluster: Cluster) -> float:
    """Let the kubelet start with certificates that are about to end; when they do."""
    cluster.kubemu("stop", KUBELET)
    now = time.time()  # noqa: TID251 - it is what certificates are about
    begins, ends = now - OLD_SECONDS, now + LEFT_SECONDS
    config, serving = cluster.folder.conf / f"{KUBELET}.conf", cluster.folder.pki / f"{KUBELET}.crt"
    access = kubeconfig.access(config)
    client = shortened(cluster, access.certificate, begins, ends)
    kubeconfig.write(config, kubeconfig.document("c", "u", replace(access, certificate=client)))
    serving.write_bytes(shortened(cluster, serving.read_bytes(), begins, ends))
    shutil.rmtree(kept(cluster))
    cluster.kubemu("start", KUBELET)
    return ends


def kept(cluster: Cluster) -> Path:
    """Where the kubelet keeps what it was given."""
    return cluster.folder.node_root("node-1") / "pki"


def requests(cluster: Cluster, signer: str) -> list[Any]:
    """What was asked of a signer, oldest first."""
    found = [each for each in cluster.get("csr")["items"] if each["spec"]["signerName"] == signer]
    return sorted(found, key=lambda each: each["metadata"]["creationTimestamp"])


def issued(request: Any) -> bool:
    """Whether there is a certificate of it."""
    return "certificate" in request.get("status", {})


def approve(cluster: Cluster) -> int:
    """Approve what waits for somebody to do so; how many these were."""
    asked = requests(cluster, certificates.KUBELET_SERVING)
    waiting = [each["metadata"]["name"] for each in asked if not each.get("status")]
    if waiting:
        cluster.kubectl("certificate", "approve", *waiting)
    return len(waiting)


def readiness(cluster: Cluster) -> tuple[str, str]:
    """Whether the node is Ready, and since when."""
    conditions = cluster.get("node", "node-1")["status"]["conditions"]
    (found,) = [each for each in conditions if each["type"] == "Ready"]
    return found["status"], found["lastTransitionTime"]


def used(cluster: Cluster) -> None:
    """The node is at work: a pod's log and its command go by way of the API server."""
    assert cluster.kubectl("logs", "one") == "hello\n"
    assert cluster.kubectl("exec", "one", "--", "echo", "there") == "there\n"


def test_both_certificates_are_others_before_they_end_and_nobody_notices(cluster: Cluster) -> None:
    before = readiness(cluster)
    ends = age(cluster)
    until("it has another", (kept(cluster) / "kubelet-client-current.pem").exists)
    (own,) = requests(cluster, certificates.KUBELET_CLIENT)
    assert own["spec"]["username"] == "system:node:node-1"
    (approval,) = own["status"]["conditions"]
    assert approval["type"] == "Approved"
    assert approval["message"].startswith("Auto approving self kubelet client certificate")

    (asked,) = until("it asks", lambda: requests(cluster, certificates.KUBELET_SERVING))
    assert asked.get("status", {}) == {}, "nobody but a person approves it"
    assert approve(cluster) == 1
    until(
        "it has another to serve with",
        (kept(cluster) / "kubelet-server-current.pem").is_symlink,
    )
    until("the first are over", lambda: time.time() > ends + 1)  # noqa: TID251
    used(cluster)
    cluster.kubectl("run", "two", "--image=busybox", "--", "sleep", "3600")
    cluster.running(2)
    assert readiness(cluster) == before
    log = cluster.folder.log(KUBELET).read_text()
    assert "was renewed" in log
    assert '"level": "error"' not in log


@pytest.mark.slow
def test_it_goes_on_and_on(cluster: Cluster) -> None:
    before = readiness(cluster)

    def renewed() -> int:
        return len(list(filter(issued, requests(cluster, certificates.KUBELET_CLIENT))))

    first, approved = renewed(), 0
    end = time.monotonic() + 3.5 * SIGNED_SECONDS
    while renewed() < first + 3 or approved < 3:
        assert time.monotonic() < end
        approved += approve(cluster)
        used(cluster)
        assert readiness(cluster) == before
        time.sleep(0.5)  # noqa: TID251 - real processes
