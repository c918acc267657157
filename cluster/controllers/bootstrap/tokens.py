"""What the secret of a bootstrap token says. Pure.

Source: k8s.io/cluster-bootstrap/token, and the page "Authenticating with Bootstrap Tokens".
"""

import base64
import binascii
import math
import re
from collections.abc import Mapping
from typing import Final

from cluster.api import objects, timestamps

NAMESPACE: Final = "kube-system"
TYPE: Final = "bootstrap.kubernetes.io/token"
_NAME: Final = re.compile(r"bootstrap-token-([a-z0-9]{6})")


def signing(secret: objects.Object, now: float) -> tuple[str, str] | None:
    """The id and the secret of a token that signs; None for one that does not (any more)."""
    name = _NAME.fullmatch(objects.name(secret))
    if name is None or secret.get("type") != TYPE or objects.deleting(secret):
        return None
    data = _texts(secret)
    key = data.get("token-secret", "")
    if not key or data.get("token-id") != name[1] or left(secret, now) <= 0:
        return None
    return (name[1], key) if data.get("usage-bootstrap-signing") == "true" else None


def left(secret: objects.Object, now: float) -> float:
    """Seconds until a token expires: inf where it never does, 0 where nobody can tell."""
    text = _texts(secret).get("expiration", "")
    if not text:
        return math.inf
    try:
        return max(timestamps.decode(text) - now, 0.0)
    except (ValueError, OverflowError):
        return 0.0


def _texts(secret: objects.Object) -> Mapping[str, str]:
    data = secret.get("data") or {}
    return {key: _text(value) for key, value in data.items()}


def _text(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError, TypeError):
        return ""
