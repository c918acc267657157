"""Bootstrap tokens: secrets of kube-system by which machines join a cluster."""

import base64
import binascii
import hmac
import re
from typing import Any

from cluster.aio.clock import Clock
from cluster.api import identity, timestamps
from cluster.apiserver.watchcache.cache import WatchCache

NAMESPACE = "kube-system"
PREFIX = "bootstrap-token-"
TYPE = "bootstrap.kubernetes.io/token"
_FORM = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
_GROUP = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]")
_GROUPS = "system:bootstrappers"


class BootstrapTokens:
    """Knows users by the bootstrap tokens in `cache`."""

    def __init__(self, cache: WatchCache, clock: Clock) -> None:
        self._cache = cache
        self._clock = clock

    def user(self, token: str) -> identity.User | None:
        """The user of a token; None for one that is unknown, wrong, expired or of other use."""
        form = _FORM.fullmatch(token)
        if form is None:
            return None
        entry = self._cache.get("secrets", NAMESPACE, PREFIX + form[1])
        return _user(entry.document(), form[1], form[2], self._clock.now()) if entry else None


def _user(secret: dict[str, Any], id: str, said: str, now: float) -> identity.User | None:
    data = {key: _text(value) for key, value in (secret.get("data") or {}).items()}
    if (
        secret.get("type") != TYPE
        or secret["metadata"].get("deletionTimestamp")
        or not hmac.compare_digest(data.get("token-secret", "").encode(), said.encode())
        or not data.get("token-secret")
        or data.get("token-id") != id
        or expired(data.get("expiration", ""), now)
        or data.get("usage-bootstrap-authentication") != "true"
    ):
        return None
    groups = extra_groups(data.get("auth-extra-groups", ""))
    if groups is None:
        return None
    return identity.authenticated(identity.User(f"system:bootstrap:{id}", groups))


def extra_groups(text: str) -> tuple[str, ...] | None:
    """The groups of `auth-extra-groups`, and the one that all have; None where one is not valid."""
    said = [group.strip() for group in text.split(",")] if text else []
    if not all(_GROUP.fullmatch(group) for group in said):
        return None
    return (_GROUPS, *sorted(set(said)))


def expired(text: str, now: float) -> bool:
    """Whether a token that says this of its expiration is over; what cannot be read, is."""
    if not text:
        return False
    try:
        return timestamps.decode(text) <= now
    except ValueError:
        return True


def _text(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError, TypeError):
        return ""
