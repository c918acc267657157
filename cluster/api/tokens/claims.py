"""The claims of service account tokens: what they say, and whether that holds. Pure.

Two kinds: those of TokenRequest, bound and expiring (`kubernetes.io` in the claims), and those of
secrets of type kubernetes.io/service-account-token, which hold until the secret goes.
Source: k8s.io/kubernetes pkg/serviceaccount (claims.go, legacy.go).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.api import identity

LEGACY_ISSUER = "kubernetes/serviceaccount"
LEEWAY_SECONDS = 60.0
"""For so long after it was told to go, an object still vouches for its tokens."""
WARN_ONLY_SECONDS = 3607
"""What the kubelet asks for; such a token is made to live longer, for clients that never read it
again (WarnOnlyBoundTokenExpirationPeriod)."""
EXTENDED_SECONDS = 365 * 24 * 3600
_LEGACY = f"{LEGACY_ISSUER}/"


class Refused(Exception):
    """A token that is not accepted; the message is Kubernetes'."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An object that a token is bound to: `resource` is its id (`pods`)."""

    resource: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Claims:
    """A token, read: its account, what must still be there, and when it ends (0: never)."""

    account: Reference
    bound: tuple[Reference, ...]
    audiences: tuple[str, ...]
    expires: float
    extra: identity.Extra
    legacy_secret: bool = False

    def user(self) -> identity.User:
        """The service account, as a user."""
        return identity.authenticated(
            identity.User(
                identity.service_account(self.account.namespace, self.account.name),
                identity.service_account_groups(self.account.namespace),
                self.account.uid,
                self.extra,
            )
        )


def bound_payload(
    *,
    issuer: str,
    audiences: Sequence[str],
    account: Reference,
    bound: Mapping[str, Reference],
    now: float,
    seconds: int,
    extended: bool,
    id: str,
) -> dict[str, Any]:
    """The claims of a new token. `bound` has what it is bound to by kind (`pod`, `node`…)."""
    started = int(now)
    ours: dict[str, Any] = {"namespace": account.namespace}
    for kind, reference in bound.items():
        ours[kind] = {"name": reference.name, "uid": reference.uid}
    ours["serviceaccount"] = {"name": account.name, "uid": account.uid}
    if extended:
        ours["warnafter"] = started + seconds
    return {
        "aud": list(audiences),
        "exp": started + (EXTENDED_SECONDS if extended else seconds),
        "iat": started,
        "iss": issuer,
        "jti": id,
        "kubernetes.io": dict(sorted(ours.items())),
        "nbf": started,
        "sub": identity.service_account(account.namespace, account.name),
    }


def legacy_payload(account: Reference, secret: str) -> dict[str, Any]:
    """The claims of the token in a secret."""
    return {
        "iss": LEGACY_ISSUER,
        f"{_LEGACY}namespace": account.namespace,
        f"{_LEGACY}secret.name": secret,
        f"{_LEGACY}service-account.name": account.name,
        f"{_LEGACY}service-account.uid": account.uid,
        "sub": identity.service_account(account.namespace, account.name),
    }


def read(payload: Mapping[str, Any], now: float, issuer: str) -> Claims:
    """The claims of a payload whose signature is good. Refused.

    `issuer` stands in for an audience that is not said.
    """
    try:
        found = _legacy(payload) if payload["iss"] == LEGACY_ISSUER else _bound(payload, issuer)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Refused("token has malformed claims") from None
    said = identity.service_account(found.account.namespace, found.account.name)
    if payload.get("sub") != said:
        raise Refused("sub claim does not name the service account")
    if not found.legacy_secret:
        if found.expires <= now:
            raise Refused("service account token has expired")
        if float(payload.get("nbf", 0)) > now:
            raise Refused("service account token is not valid yet")
    return found


_BINDINGS = (("pod", "pods"), ("secret", "secrets"), ("node", "nodes"))


def _bound(payload: Mapping[str, Any], issuer: str) -> Claims:
    ours = payload["kubernetes.io"]
    namespace = ours["namespace"]
    account = _reference("serviceaccounts", namespace, ours["serviceaccount"])
    found = {
        kind: _reference(resource, "" if kind == "node" else namespace, ours[kind])
        for kind, resource in _BINDINGS
        if ours.get(kind)
    }
    said = payload.get("aud") or [issuer]
    audiences = (said,) if isinstance(said, str) else tuple(said)
    # A pod's token says on which node the pod was; the pod vouches for itself.
    bound = tuple(found[kind] for kind in found if kind != "node" or "pod" not in found)
    extra = _extra(str(payload.get("jti") or ""), found)
    return Claims(account, bound, audiences, float(payload["exp"]), extra)


def _extra(id: str, bound: Mapping[str, Reference]) -> identity.Extra:
    found: list[tuple[str, tuple[str, ...]]] = []
    if id:
        found.append((identity.CREDENTIAL_ID, (f"JTI={id}",)))
    if "node" in bound:
        found.append((identity.NODE_NAME, (bound["node"].name,)))
        if bound["node"].uid:
            found.append((identity.NODE_UID, (bound["node"].uid,)))
    if "pod" in bound:
        found.append((identity.POD_NAME, (bound["pod"].name,)))
        found.append((identity.POD_UID, (bound["pod"].uid,)))
    return tuple(found)


def _legacy(payload: Mapping[str, Any]) -> Claims:
    namespace = _text(payload[f"{_LEGACY}namespace"])
    account = Reference(
        "serviceaccounts",
        namespace,
        _text(payload[f"{_LEGACY}service-account.name"]),
        _text(payload[f"{_LEGACY}service-account.uid"]),
    )
    secret = Reference("secrets", namespace, _text(payload[f"{_LEGACY}secret.name"]), "")
    return Claims(account, (secret,), (), 0.0, (), legacy_secret=True)


def _reference(resource: str, namespace: str, said: Mapping[str, Any]) -> Reference:
    return Reference(resource, namespace, _text(said["name"]), str(said.get("uid") or ""))


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("empty")
    return value
