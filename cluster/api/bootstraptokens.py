"""Bootstrap tokens, by which machines join: what the secret of one says. Pure.

Source: k8s.io/cluster-bootstrap/token, and the page "Authenticating with Bootstrap Tokens".
"""

import base64
import binascii
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cluster.api import objects, timestamps

NAMESPACE: Final = "kube-system"
PREFIX: Final = "bootstrap-token-"
TYPE: Final = "bootstrap.kubernetes.io/token"
AUTHENTICATION: Final = "usage-bootstrap-authentication"
SIGNING: Final = "usage-bootstrap-signing"
_GROUP: Final = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]")
_GROUPS: Final = "system:bootstrappers"
_ID: Final = re.compile(r"[a-z0-9]{6}")


@dataclass(frozen=True, slots=True)
class Token:
    """A token, written `id.secret`; `groups` is None where what it says of them is not valid."""

    id: str
    secret: str
    groups: tuple[str, ...] | None


def usable(secret: objects.Object, usage: str, now: float) -> Token | None:
    """The token of a Secret, if it may be used for `usage` (AUTHENTICATION, SIGNING) now."""
    data = _texts(secret)
    name, key = data.get("token-id", ""), data.get("token-secret", "")
    if (
        secret.get("type") != TYPE
        or objects.deleting(secret)
        or not _ID.fullmatch(name)
        or objects.name(secret) != PREFIX + name
        or not key
        or data.get(usage) != "true"
        or left(secret, now) <= 0
    ):
        return None
    return Token(name, key, _groups(data.get("auth-extra-groups", "")))


def left(secret: objects.Object, now: float) -> float:
    """Seconds until a token expires: inf where it never does, 0 where nobody can tell."""
    text = _texts(secret).get("expiration", "")
    if not text:
        return math.inf
    try:
        return max(timestamps.decode(text) - now, 0.0)
    except (ValueError, OverflowError):
        return 0.0


def _groups(text: str) -> tuple[str, ...] | None:
    """The groups of `auth-extra-groups`, and the one that all have; None where one is not valid."""
    said = [group.strip() for group in text.split(",")] if text else []
    if not all(_GROUP.fullmatch(group) for group in said):
        return None
    return (_GROUPS, *sorted(set(said)))


def _texts(secret: objects.Object) -> Mapping[str, str]:
    data = secret.get("data") or {}
    return {key: _text(value) for key, value in data.items()}


def _text(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError, TypeError):
        return ""
