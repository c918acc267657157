"""CertificateApproval, CertificateSigning, CertificateSubjectRestriction, ClusterTrustBundleAttest.

Who may write to a request is RBAC's; for which signer, these ask: the verbs approve, sign and
attest on `signers`. Source: k8s.io/kubernetes plugin/pkg/admission/certificates.
"""

from typing import ClassVar, Final

from cluster.api import certificates, errors, objects
from cluster.apiserver.admission.plugin import Act, Plugin, Request
from cluster.apiserver.authz.attributes import Attributes

_GROUP: Final = "certificates.k8s.io"
_REQUESTS: Final = f"certificatesigningrequests.{_GROUP}"
_BUNDLES: Final = f"clustertrustbundles.{_GROUP}"
_MASTERS: Final = "system:masters"


class CertificateApproval(Plugin):
    """Refuses approvals and denials to those who may not approve for the signer."""

    name: ClassVar[str] = "CertificateApproval"
    resources: ClassVar[tuple[str, ...]] = (_REQUESTS,)

    def validate(self, request: Request) -> None:
        """errors.Forbidden."""
        if request.subresource == "approval" and request.old is not None:
            signer = objects.spec(request.old).get("signerName") or ""
            _check(request, "approve", signer, "approve requests with")


class CertificateSigning(Plugin):
    """Refuses certificates and conditions of those who may not sign for the signer."""

    name: ClassVar[str] = "CertificateSigning"
    resources: ClassVar[tuple[str, ...]] = (_REQUESTS,)

    def validate(self, request: Request) -> None:
        """errors.Forbidden."""
        if request.subresource != "status" or request.old is None:
            return
        was, now = objects.status(request.old), objects.status(request.object)
        if any((was.get(field) or None) != (now.get(field) or None) for field in _SIGNED):
            signer = objects.spec(request.old).get("signerName") or ""
            _check(request, "sign", signer, "sign requests with")


_SIGNED: Final = ("certificate", "conditions")


class CertificateSubjectRestriction(Plugin):
    """Refuses requests for client certificates of the group that may do everything."""

    name: ClassVar[str] = "CertificateSubjectRestriction"
    resources: ClassVar[tuple[str, ...]] = (_REQUESTS,)

    def validate(self, request: Request) -> None:
        """errors.Forbidden."""
        if request.act is not Act.CREATE:
            return
        spec = objects.spec(request.object)
        if spec.get("signerName") != certificates.APISERVER_CLIENT:
            return
        try:
            asked = certificates.request_of(spec.get("request") or "")
        except certificates.Unreadable as error:
            raise _forbidden(request, f"failed to parse CSR: {error}") from None
        if _MASTERS in certificates.subject(asked)[1]:
            why = (
                f"use of {certificates.APISERVER_CLIENT} signer with {_MASTERS} group is not "
                "allowed"
            )
            raise _forbidden(request, why)


class ClusterTrustBundleAttest(Plugin):
    """Refuses trust bundles of those who may not attest for the signer."""

    name: ClassVar[str] = "ClusterTrustBundleAttest"
    resources: ClassVar[tuple[str, ...]] = (_BUNDLES,)

    def validate(self, request: Request) -> None:
        """errors.Forbidden."""
        if request.act not in (Act.CREATE, Act.UPDATE):
            return
        signer = objects.spec(request.object).get("signerName") or ""
        same = request.old is not None and objects.spec(request.old) == objects.spec(request.object)
        if signer and not same:
            _check(request, "attest", signer, "attest for")


def _check(request: Request, verb: str, signer: str, what: str) -> None:
    """errors.Forbidden unless the user may do `verb` for the signer, or for all of its domain."""
    authz = request.call.authz
    if authz is None:
        return
    domain = signer.partition("/")[0]
    for name in (signer, f"{domain}/*"):
        asked = Attributes(request.call.user, verb, _GROUP, "*", "signers", "", "", name)
        if authz.authorizer.authorize(asked).allowed:
            return
    raise _forbidden(request, f'user not permitted to {what} signerName "{signer}"')


def _forbidden(request: Request, why: str) -> errors.Forbidden:
    return errors.forbidden(request.row.id, objects.name(request.object), why)
