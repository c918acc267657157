"""What becomes of a CertificateSigningRequest: pure.

Source: k8s.io/kubernetes pkg/controller/certificates (approver, signer, cleaner).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cluster.api import certificates, objects, timestamps
from cluster.api.objects import Object

if TYPE_CHECKING:
    from cryptography import x509

KEPT_WHEN_DONE: Final = 3600.0
"""Seconds for which a request is kept that was denied, has failed, or has its certificate."""
KEPT_WHEN_PENDING: Final = 24 * 3600.0
SHORTEST: Final = 600.0
"""Seconds that a certificate lives at the least."""

_Check = Callable[["x509.CertificateSigningRequest", Sequence[str]], str]
SIGNERS: Final[Mapping[str, _Check]] = {
    certificates.APISERVER_CLIENT: lambda request, usages: certificates.client_fault(usages),
    certificates.KUBELET_CLIENT: certificates.kubelet_client_fault,
    certificates.KUBELET_SERVING: certificates.kubelet_serving_fault,
    certificates.LEGACY_UNKNOWN: lambda request, usages: "",
}
"""What each of Kubernetes' signers has against a request; "" where it has nothing."""


@dataclass(frozen=True, slots=True)
class Recognized:
    """A node's request for its client certificate: who may create `subresource` gets it."""

    subresource: str
    message: str


_SELF: Final = Recognized(
    "selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview."
)
_NODE: Final = Recognized(
    "nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."
)


def to_sign(csr: Object) -> bool:
    """Whether a request waits for one of Kubernetes' signers."""
    if objects.spec(csr).get("signerName") not in SIGNERS:
        return False
    types = _types(csr)
    waiting = certificates.APPROVED in types and certificates.FAILED not in types
    return waiting and not objects.status(csr).get("certificate")


def fault(csr: Object, request: "x509.CertificateSigningRequest") -> str:
    """What the signer has against the request, "" where it has nothing."""
    spec = objects.spec(csr)
    return SIGNERS[spec["signerName"]](request, spec.get("usages") or [])


def recognized(csr: Object) -> tuple[Recognized, ...]:
    """The ways in which a pending request may be approved by itself, none for most.

    One that cannot be read is nobody's.
    """
    spec = objects.spec(csr)
    if spec.get("signerName") != certificates.KUBELET_CLIENT or objects.status(csr).get(
        "certificate"
    ):
        return ()
    types = _types(csr)
    if certificates.APPROVED in types or certificates.DENIED in types:
        return ()
    try:
        request = certificates.request_of(spec.get("request") or "")
    except certificates.Unreadable:
        return ()
    if certificates.kubelet_client_fault(request, spec.get("usages") or []):
        return ()
    own = spec.get("username") == certificates.subject(request)[0]
    return (_SELF, _NODE) if own else (_NODE,)


def question(csr: Object, way: Recognized) -> Object:
    """The SubjectAccessReview that decides."""
    spec = objects.spec(csr)
    asked: Object = {
        "user": spec.get("username") or "",
        "groups": spec.get("groups") or [],
        "resourceAttributes": {
            "group": "certificates.k8s.io",
            "resource": "certificatesigningrequests",
            "verb": "create",
            "subresource": way.subresource,
        },
    }
    for field in ("uid", "extra"):
        if spec.get(field):
            asked[field] = spec[field]
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": asked,
    }


def with_condition(csr: Object, type: str, reason: str, message: str) -> Object:
    """The request with one condition more."""
    status = objects.status(csr)
    told = {"type": type, "status": "True", "reason": reason, "message": message}
    return {**csr, "status": {**status, "conditions": [*(status.get("conditions") or ()), told]}}


def outlived(csr: Object, now: float) -> bool:
    """Whether a request is kept no longer; `now` is in seconds since the epoch."""
    status = objects.status(csr)
    listed = status.get("conditions") or ()
    if not listed:
        created = objects.meta(csr).get("creationTimestamp")
        return _older(created, now, KEPT_WHEN_PENDING)
    issued = bool(status.get("certificate"))
    for condition in listed:
        kind = condition.get("type")
        ended = kind in (certificates.DENIED, certificates.FAILED)
        if ended or (kind == certificates.APPROVED and issued):
            if _older(condition.get("lastUpdateTime"), now, KEPT_WHEN_DONE):
                return True
            if kind == certificates.APPROVED and _expired(status["certificate"], now):
                return True
    return False


def _older(text: str | None, now: float, seconds: float) -> bool:
    return text is not None and now - timestamps.decode(text) > seconds


def _expired(encoded: str, now: float) -> bool:
    try:
        first = certificates.certificates_of(encoded)[0]
    except certificates.Unreadable:
        return False
    return now > first.not_valid_after_utc.timestamp()


def _types(csr: Object) -> list[str]:
    return [str(each.get("type")) for each in objects.status(csr).get("conditions") or ()]


def life(asked: int | None, most: float) -> float:
    """Seconds for which a certificate is issued: as was asked, within bounds."""
    return most if asked is None else min(max(float(asked), SHORTEST), most)
