"""CertificateSigningRequest (pkg/apis/certificates/validation)."""

from typing import Any, Final

from cluster.api import causes, certificates, metadata
from cluster.api.certificates import APPROVED, DENIED, FAILED
from cluster.api.objects import Object
from cluster.api.validation import family, values
from cluster.api.validation.values import Causes

_USAGES: Final = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign",
    "data encipherment", "decipher only", "digital signature", "email protection",
    "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement",
    "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth",
    "signing", "timestamping",
)  # fmt: skip
_SHORTEST: Final = 600
_SIGNER_LENGTH: Final = 253 + 1 + 253 + 63 + 1
_STATUSES: Final = ("False", "True", "Unknown")
_EXCLUSIVE: Final = "Approved and Denied conditions are mutually exclusive"
_CONDITIONS: Final = "status.conditions"


def of_new(obj: Object) -> Causes:
    """What is wrong with a new request."""
    return _spec(obj, legacy=False) + _conditions(obj, both=False)


def of_update(old: Object, new: Object) -> Causes:
    """What is wrong with a request whose metadata were changed."""
    return _changed(old, new, approves=False, issues=False)


def of_status(old: Object, new: Object) -> Causes:
    """What is wrong with a changed status."""
    return _changed(old, new, approves=False, issues=True)


def of_approval(old: Object, new: Object) -> Causes:
    """What is wrong with an approval or a denial."""
    return _changed(old, new, approves=True, issues=False)


def signer_name(path: str, name: str) -> Causes:
    """The name of a signer: a domain, a slash and a path of dotted names."""
    if not name:
        return [causes.required(path, "signerName must be provided")]
    parts = name.split("/")
    if len(parts) != 2:
        detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        return [causes.invalid(path, name, detail)]
    domain, rest = parts
    found: Causes = []
    if len(domain) > metadata.DNS1123_SUBDOMAIN_LENGTH:
        found.append(causes.too_long(path, metadata.DNS1123_SUBDOMAIN_LENGTH))
    found += _labels(path, domain, metadata.dns1123_label)
    if "." not in domain:
        detail = "should be a domain with at least two segments separated by dots"
        found.append(causes.invalid(path, domain, detail))
    found += _labels(path, rest, metadata.dns1123_subdomain)
    if len(name) > _SIGNER_LENGTH:
        found.append(causes.too_long(path, _SIGNER_LENGTH))
    return found


def _labels(path: str, segment: str, rule: Any) -> Causes:
    for label in segment.split("."):
        told = rule(label)
        if told:  # the others would say the same
            return [
                causes.invalid(path, segment, f"validating label {causes.quoted(label)}: {each}")
                for each in told
            ]
    return []


def _spec(obj: Object, *, legacy: bool) -> Causes:
    spec = obj.get("spec") or {}
    found: Causes = []
    request = spec.get("request") or ""
    try:
        certificates.check_signature(certificates.request_of(request))
    except certificates.Unreadable as error:
        found.append(causes.invalid("spec.request", request, str(error)))
    usages = spec.get("usages") or []
    if not usages:
        found.append(causes.required("spec.usages", "usages must be provided"))
    seen: set[str] = set()
    for index, usage in enumerate(usages):
        at = f"spec.usages[{index}]"
        if usage not in _USAGES:
            found.append(causes.not_supported(at, usage, _USAGES))
        if usage in seen:
            found.append(causes.duplicate(at, usage))
        seen.add(usage)
    name = spec.get("signerName") or ""
    if name == certificates.LEGACY_UNKNOWN and not legacy:
        detail = "the legacy signerName is not allowed via this API version"
        found.append(causes.invalid("spec.signerName", name, detail))
    else:
        found += signer_name("spec.signerName", name)
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < _SHORTEST:
        detail = "may not specify a duration less than 600 seconds (10 minutes)"
        found.append(causes.invalid("spec.expirationSeconds", seconds, detail))
    return found


def _listed(obj: Object, kind: str = "") -> list[Object]:
    found = (obj.get("status") or {}).get("conditions") or []
    return [each for each in found if each.get("type") == kind] if kind else found


def _conditions(obj: Object, *, both: bool) -> Causes:
    found: Causes = []
    seen: set[str] = set()
    for index, condition in enumerate(_listed(obj)):
        at, kind = f"{_CONDITIONS}[{index}]", condition.get("type") or ""
        if not kind:
            found.append(causes.required(f"{at}.type"))
        allowed = ("True",) if kind in (APPROVED, DENIED, FAILED) else _STATUSES
        found += values.one_of(f"{at}.status", condition.get("status"), allowed)
        other = {APPROVED: DENIED, DENIED: APPROVED}.get(kind)
        if other in seen and not both:
            found.append(causes.invalid(f"{at}.type", kind, _EXCLUSIVE))
        if kind in seen:
            found.append(causes.duplicate(f"{at}.type", kind))
        seen.add(kind)
    return found


def _changed(old: Object, new: Object, *, approves: bool, issues: bool) -> Causes:
    legacy = (old.get("spec") or {}).get("signerName") == certificates.LEGACY_UNKNOWN
    found: Causes = [] if old.get("spec") == new.get("spec") else _spec(new, legacy=legacy)
    both = bool(_listed(old, APPROVED) and _listed(old, DENIED))
    found += _conditions(new, both=both)
    for kind in (APPROVED, DENIED, FAILED):
        was, now = _listed(old, kind), _listed(new, kind)
        told = ""
        if len(now) < len(was):
            told = "remove"
        elif kind != FAILED and not approves:
            told = "add" if len(now) > len(was) else "modify" if now != was else ""
        if told:
            detail = f'updates may not {told} a condition of type "{kind}"'
            found.append(causes.forbidden(_CONDITIONS, detail))
    return found + _certificate(old, new, issues=issues)


def _certificate(old: Object, new: Object, *, issues: bool) -> Causes:
    path = "status.certificate"
    was, now = ((obj.get("status") or {}).get("certificate") or "" for obj in (old, new))
    if was == now:
        return []
    if not issues:
        return [causes.forbidden(path, "updates may not set certificate content")]
    if was:
        detail = "updates may not modify existing certificate content"
        return [causes.forbidden(path, detail)]
    try:
        certificates.certificates_of(now)
    except certificates.Unreadable as error:
        return [causes.invalid(path, "<certificate data>", str(error))]
    return []


_ID: Final = "certificatesigningrequests.certificates.k8s.io"
NEW: Final[family.Creates] = {_ID: of_new}
UPDATE: Final[family.Updates] = {_ID: of_update}
STATUS: Final[family.Updates] = {_ID: of_status}
OTHER: Final[family.Others] = {(_ID, "approval"): of_approval}
