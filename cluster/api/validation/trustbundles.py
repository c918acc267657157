"""ClusterTrustBundle and PodCertificateRequest (pkg/apis/certificates/validation)."""

import base64
from typing import TYPE_CHECKING, Any, Final

from cluster.api import causes, certificates, metadata
from cluster.api.objects import Object
from cluster.api.validation import family, metaconditions, values
from cluster.api.validation.certificates import signer_name
from cluster.api.validation.values import Causes

if TYPE_CHECKING:
    from cryptography import x509

_BUNDLES: Final = "clustertrustbundles.certificates.k8s.io"
_REQUESTS: Final = "podcertificaterequests.certificates.k8s.io"
_BUNDLE_SIZE: Final = 1024 * 1024
_CHAIN_SIZE: Final = 100 * 1024
_STUB_SIZE: Final = 10 * 1024
_UID_LENGTH: Final = 128
_SHORTEST: Final = 3600
_LONGEST: Final = 7862400  # 91 days
_LONGEST_OF_KUBERNETES: Final = 86400
_ENDS: Final = ("Denied", "Failed", "Issued")
_OMITTED: Final = "<value omitted>"
_TIMES: Final = ("notBefore", "notAfter", "beginRefreshAt")


def _spec(obj: Object) -> Object:
    return obj.get("spec") or {}


def bundle(obj: Object) -> Causes:
    """What is wrong with a trust bundle, new or changed."""
    spec, name = _spec(obj), obj["metadata"].get("name") or ""
    signer = spec.get("signerName") or ""
    found: Causes = []
    if signer:
        prefix = f"{signer.replace('/', ':')}:"
        if not name.startswith(prefix):
            detail = (
                f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"
            )
            found.append(causes.invalid("metadata.name", name, detail))
        else:
            rest = name.removeprefix(prefix)
            found += values.complaints("metadata.name", rest, metadata.dns1123_subdomain(rest))
        found += signer_name("spec.signerName", signer)
    elif ":" in name:
        detail = 'ClusterTrustBundle without signer name must not have ":" in its name'
        found.append(causes.invalid("metadata.name", name, detail))
    else:
        found += values.complaints("metadata.name", name, metadata.dns1123_subdomain(name))
    return found + _anchors("spec.trustBundle", spec.get("trustBundle") or "")


def bundle_update(old: Object, new: Object) -> Causes:
    """What is wrong with a changed trust bundle: its signer stays."""
    was, now = (_spec(obj).get("signerName") or "" for obj in (old, new))
    return bundle(new) + values.immutable("spec.signerName", was, now)


def _anchors(path: str, text: str) -> Causes:
    if len(text.encode()) > _BUNDLE_SIZE:
        return [causes.too_long(path, _BUNDLE_SIZE)]
    told: list[str] = []
    seen: dict[bytes, list[int]] = {}
    for index, (kind, der, headers) in enumerate(certificates.blocks(text.encode())):
        fault = _anchor_fault(kind, der, headers)
        if fault:
            told.append(f"entry {index} {fault}")
        seen.setdefault(der, []).append(index)
    if not told and not seen:
        told = ["at least one trust anchor must be provided"]
    elif not told:
        told = [
            f"duplicate trust anchor (indices [{' '.join(map(str, places))}])"
            for places in seen.values()
            if len(places) > 1
        ]
    return [causes.invalid(path, _OMITTED, each) for each in told]


def _anchor_fault(kind: str, der: bytes, headers: bool) -> str:
    from cryptography import x509

    if kind != "CERTIFICATE":
        return f"has bad block type: {kind}"
    if headers:
        return "has PEM block headers"
    try:
        found = x509.load_der_x509_certificate(der)
        extensions = found.extensions
    except Exception:  # noqa: BLE001  (of hostile bytes the library says what it likes)
        return "does not parse as X.509"
    try:
        basic = extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return "does not have the CA bit set"
    return "" if basic.ca else "does not have the CA bit set"


def request(obj: Object) -> Causes:
    """What is wrong with a new request of a pod's certificate."""
    spec = _spec(obj)
    found = signer_name("spec.signerName", spec.get("signerName") or "")
    for key in spec.get("unverifiedUserAnnotations") or {}:
        at = "spec.unverifiedUserAnnotations"
        found += values.complaints(at, key, metadata.qualified_name(key.lower()))
    for kind in ("pod", "serviceAccount", "node"):
        name, uid = spec.get(f"{kind}Name") or "", spec.get(f"{kind}UID") or ""
        told = metadata.dns1123_subdomain(name)
        found += values.complaints(f"spec.{kind}Name", name, told)
        if not uid:
            found.append(causes.invalid(f"spec.{kind}UID", uid, "must not be empty"))
        if len(uid) > _UID_LENGTH:
            found.append(causes.too_long(f"spec.{kind}UID", _UID_LENGTH))
    return found + _lifetime(spec) + _stub("spec.stubPKCS10Request", spec)


def _lifetime(spec: Object) -> Causes:
    path, seconds = "spec.maxExpirationSeconds", spec.get("maxExpirationSeconds")
    if seconds is None:
        return [causes.required(path, "must be set")]
    own = (spec.get("signerName") or "").partition("/")[0].endswith("kubernetes.io")
    most = _LONGEST_OF_KUBERNETES if own else _LONGEST
    if _SHORTEST <= seconds <= most:
        return []
    return [causes.invalid(path, seconds, f"must be in the range [{_SHORTEST}, {most}]")]


def _stub(path: str, spec: Object) -> Causes:
    der = base64.b64decode(spec.get("stubPKCS10Request") or "")
    if not der:
        return [causes.required(path)]
    if len(der) > _STUB_SIZE:
        return [causes.too_long(path, _STUB_SIZE)]
    try:
        certificates.check_signature(certificates.request_from_der(der))
    except certificates.Unreadable:
        return [causes.invalid(path, _OMITTED, "must be a valid PKCS#10 certificate request")]
    return []


def request_update(old: Object, new: Object) -> Causes:
    """What is wrong with a changed request: it stays."""
    return values.immutable("spec", _spec(old), _spec(new))


def request_status(old: Object, new: Object) -> Causes:
    """What is wrong with a changed status: a request ends once, and in one way."""
    status, was = new.get("status") or {}, old.get("status") or {}
    listed, path = status.get("conditions") or [], "status.conditions"
    found = _ends(path, listed) + metaconditions.conditions(path, listed)
    if found:
        return found
    if was.get("conditions"):
        if was == status:
            return []
        detail = "immutable after PodCertificateRequest is issued, denied, or failed"
        return [causes.invalid("status", status, detail)]
    kinds = [condition.get("type") for condition in listed]
    if "Issued" in kinds:
        return _issued(_spec(old), status)
    if any(field in status for field in ("certificateChain", *_TIMES)):
        detail = (
            "non-condition status fields must be empty when denying or failing the "
            "PodCertificateRequest"
        )
        return [causes.invalid("status", status, detail)]
    return []


def _ends(path: str, listed: list[Object]) -> Causes:
    found: Causes = []
    for index, condition in enumerate(listed):
        kind, status = condition.get("type") or "", condition.get("status") or ""
        if kind not in _ENDS:
            found.append(causes.not_supported(f"{path}[{index}].type", kind, _ENDS))
            continue
        if index:
            detail = 'There may be at most one condition with type "Issued", "Denied", or "Failed"'
            found.append(causes.invalid(f"{path}[{index}].type", kind, detail))
        if status != "True":
            found.append(causes.not_supported(f"{path}[{index}].status", status, ("True",)))
    return found


def _issued(spec: Object, status: Object) -> Causes:
    path, chain = "status.certificateChain", status.get("certificateChain") or ""
    if len(chain.encode()) > _CHAIN_SIZE:
        return [causes.too_long(path, _CHAIN_SIZE)]
    encoded = base64.b64encode(chain.encode()).decode()
    try:
        leaf = certificates.certificates_of(encoded)[0]
    except certificates.Unreadable:
        detail = "issued certificate chain must contain at least one certificate"
        return [causes.invalid(path, chain, detail)]
    stub = base64.b64decode(spec.get("stubPKCS10Request") or "")
    if not _same_key(leaf, certificates.request_from_der(stub)):
        detail = "leaf certificate was not issued to the requested public key"
        return [causes.invalid(path, chain, detail)]
    return [
        causes.required(f"status.{field}", "must be present and consistent with the issued "
                        "certificate")
        for field in _TIMES
        if not status.get(field)
    ]  # fmt: skip


def _same_key(leaf: "x509.Certificate", asked: "x509.CertificateSigningRequest") -> bool:
    own: Any = leaf.public_key()
    return bool(own == asked.public_key())


NEW: Final[family.Creates] = {_BUNDLES: bundle, _REQUESTS: request}
UPDATE: Final[family.Updates] = {_BUNDLES: bundle_update, _REQUESTS: request_update}
STATUS: Final[family.Updates] = {_REQUESTS: request_status}
OTHER: Final[family.Others] = {}
