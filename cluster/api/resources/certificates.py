"""The group `certificates.k8s.io`."""

from cluster.api.resources.model import META, NAME, Resource

_GROUP = "certificates.k8s.io"
_SIGNER = {"spec.signerName": ("spec", "signerName")}

ROWS: tuple[Resource, ...] = (
    Resource(
        _GROUP, "v1", "CertificateSigningRequest", "certificatesigningrequests",
        namespaced=False, short_names=("csr",), subresources=("approval", "status"),
        fields=NAME | _SIGNER,
    ),
    Resource(
        _GROUP, "v1", "ClusterTrustBundle", "clustertrustbundles", namespaced=False,
        fields=NAME | _SIGNER, since=37,
    ),
    Resource(
        _GROUP, "v1", "PodCertificateRequest", "podcertificaterequests", subresources=("status",),
        fields=META | _SIGNER | {
            "spec.podName": ("spec", "podName"), "spec.nodeName": ("spec", "nodeName"),
        },
        since=37,
    ),
)  # fmt: skip
