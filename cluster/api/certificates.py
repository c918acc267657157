"""Certificate signing requests: what they hold, and what the signers of Kubernetes ask of them.

Source: k8s.io/kubernetes pkg/apis/certificates (helpers.go) and pkg/controller/certificates. What
reads certificates is imported when it is first needed: it weighs more than all else here.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography import x509

APISERVER_CLIENT: Final = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT: Final = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING: Final = "kubernetes.io/kubelet-serving"
LEGACY_UNKNOWN: Final = "kubernetes.io/legacy-unknown"

APPROVED: Final = "Approved"
DENIED: Final = "Denied"
FAILED: Final = "Failed"

NODES: Final = "system:nodes"
_NODE_PREFIX: Final = "system:node:"
_CLIENT_USAGES: Final = ("client auth", "digital signature", "key encipherment")
_SERVER_USAGES: Final = ("digital signature", "key encipherment", "server auth")
_REQUEST_TYPE: Final = "CERTIFICATE REQUEST"
_BLOCK: Final = re.compile(rb"-----BEGIN ([^\n-]*)-----[ \t]*\r?\n(.*?)-----END \1-----", re.DOTALL)
_MAX_BITS: Final = 16384


class Unreadable(ValueError):
    """Bytes that are no certificate or request; the message says so as Kubernetes does."""


def blocks(pem: bytes) -> list[tuple[str, bytes, bool]]:
    """The PEM blocks in `pem`: type, DER, and whether there are headers. What is between is
    ignored, as encoding/pem does.
    """
    found: list[tuple[str, bytes, bool]] = []
    for match in _BLOCK.finditer(pem):
        body, headers = match.group(2), False
        if b":" in body:
            headers = True
            _, _, body = body.partition(b"\n\n")
        try:
            der = binascii.a2b_base64(b"".join(body.split()), strict_mode=True)
        except binascii.Error:
            continue
        found.append((match.group(1).decode("latin-1"), der, headers))
    return found


@lru_cache(64)
def request_of(encoded: str) -> "x509.CertificateSigningRequest":
    """The request in spec.request: base64 of PEM. Unreadable."""
    found = blocks(_decoded(encoded))
    if not found or found[0][0] != _REQUEST_TYPE:
        raise Unreadable("PEM block type must be CERTIFICATE REQUEST")
    return request_from_der(found[0][1])


def request_from_der(der: bytes) -> "x509.CertificateSigningRequest":
    """A PKCS#10 request. Unreadable."""
    from cryptography import x509

    try:
        request = x509.load_der_x509_csr(der)
        # What is read late fails late: the subject, the key and the extensions are needed.
        _ = request.subject, request.extensions, request.public_key()
    except Exception as error:  # noqa: BLE001
        # Of hostile bytes the library says what it likes: ValueError, UnsupportedAlgorithm, …
        raise Unreadable(f"asn1: structure error: {_first_line(error)}") from None
    return request


def check_signature(request: "x509.CertificateSigningRequest") -> None:
    """Unreadable where the request is not signed by its own key."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    key = request.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        why = "crypto/rsa: verification error"
        if key.key_size > _MAX_BITS or key.public_numbers().e > 1 << 31:
            raise Unreadable(why)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        why = "x509: ECDSA verification failure"
    elif isinstance(key, ed25519.Ed25519PublicKey):
        why = "x509: Ed25519 verification failure"
    else:
        raise Unreadable("x509: cannot verify signature: algorithm unimplemented")
    try:
        valid = request.is_signature_valid
    except Exception as error:
        raise Unreadable(why) from error
    if not valid:
        raise Unreadable(why)


def certificates_of(encoded: str) -> "list[x509.Certificate]":
    """The certificates in status.certificate: base64 of PEM of nothing else. Unreadable."""
    from cryptography import x509

    found: list[x509.Certificate] = []
    for kind, der, headers in blocks(_decoded(encoded)):
        if kind != "CERTIFICATE":
            raise Unreadable(f'only CERTIFICATE PEM blocks are allowed, found "{kind}"')
        if headers:
            raise Unreadable("no PEM block headers are permitted")
        try:
            found.append(x509.load_der_x509_certificate(der))
        except Exception as error:  # noqa: BLE001 - as above
            raise Unreadable(f"x509: malformed certificate: {_first_line(error)}") from None
    if not found:
        raise Unreadable("must contain at least one CERTIFICATE PEM block")
    return found


def subject(request: "x509.CertificateSigningRequest") -> tuple[str, list[str]]:
    """The common name and the organizations that a request is for."""
    from cryptography.x509.oid import NameOID

    names = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    organizations = request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    name = str(names[-1].value) if names else ""
    return name, [str(each.value) for each in organizations]


def client_fault(usages: Sequence[str]) -> str:
    """Why the signer of clients of the API refuses these usages; "" where it does not."""
    for usage in usages:
        if usage not in _CLIENT_USAGES:
            return f"invalid usage for client certificate: {usage}"
    if "client auth" not in usages:
        return "missing required usage for client certificate: client auth"
    return ""


def kubelet_client_fault(request: "x509.CertificateSigningRequest", usages: Sequence[str]) -> str:
    """Why this is no request of a kubelet for its client certificate; "" where it is one."""
    name, organizations = subject(request)
    if organizations != [NODES]:
        return "subject organization is not system:nodes"
    kinds = _names(request)
    for kind, told in (("DNS", "DNS"), ("Email", "Email"), ("IP", "IP"), ("URI", "URI")):
        if kind in kinds:
            return f"{told} subjectAltNames are not allowed"
    if not name.startswith(_NODE_PREFIX):
        return "subject common name does not begin with system:node:"
    return _usages_fault(usages, _CLIENT_USAGES)


def kubelet_serving_fault(request: "x509.CertificateSigningRequest", usages: Sequence[str]) -> str:
    """Why this is no request of a kubelet for its serving certificate; "" where it is one."""
    name, organizations = subject(request)
    if organizations != [NODES]:
        return "subject organization is not system:nodes"
    kinds = _names(request)
    if "DNS" not in kinds and "IP" not in kinds:
        return "DNS or IP subjectAltName is required"
    for kind in ("Email", "URI"):
        if kind in kinds:
            return f"{kind} subjectAltNames are not allowed"
    if fault := _usages_fault(usages, _SERVER_USAGES):
        return fault
    if not name.startswith(_NODE_PREFIX):
        return "subject common name does not begin with system:node:"
    return ""


def _usages_fault(usages: Sequence[str], wanted: tuple[str, ...]) -> str:
    given = sorted(set(usages))
    fewer = [usage for usage in wanted if usage != "key encipherment"]
    if given in (list(wanted), fewer):
        return ""
    return f"usages did not match [{' '.join(wanted)}]"


def _names(request: "x509.CertificateSigningRequest") -> list[str]:
    """Which kinds of subjectAltNames a request has."""
    from cryptography import x509

    try:
        found = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    kinds: tuple[tuple[str, type[x509.GeneralName]], ...] = (
        ("DNS", x509.DNSName), ("Email", x509.RFC822Name), ("IP", x509.IPAddress),
        ("URI", x509.UniformResourceIdentifier),
    )  # fmt: skip
    return [name for name, kind in kinds if any(isinstance(each, kind) for each in found)]


def has_condition(types: Iterable[str], obj: dict[str, object]) -> bool:
    """Whether a request has a condition of one of the types."""
    status = obj.get("status")
    listed = status.get("conditions") if isinstance(status, dict) else None
    return any(each.get("type") in types for each in listed or ())


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded)
    except (ValueError, binascii.Error):
        return b""


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
