"""Basic authentication by a Secret: its key `auth` is a password file, or its keys are users."""

import base64
import binascii

from cluster.api import objects
from cluster.runtime.emulated.nginx.access import password_fits
from cluster.runtime.emulated.nginx.exchange import credentials
from cluster.runtime.emulated.web.messages import Headers


def user(headers: Headers, secret: objects.Object, *, by_user: bool) -> str | None:
    """Who asks, if he knows his password."""
    given = credentials(headers)
    if given is None:
        return None
    name, password = given
    hashed = _hashes(secret, by_user=by_user).get(name)
    return name if hashed is not None and password_fits(hashed, password) else None


def _hashes(secret: objects.Object, *, by_user: bool) -> dict[str, str]:
    data = {key: _decoded(value) for key, value in (secret.get("data") or {}).items()}
    if by_user:
        return {key: value.strip() for key, value in data.items()}
    found: dict[str, str] = {}
    for line in data.get("auth", "").splitlines():
        name, colon, hashed = line.partition(":")
        if colon:
            found.setdefault(name.strip(), hashed.strip().partition(":")[0])
    return found


def _decoded(value: object) -> str:
    try:
        return base64.b64decode(str(value), validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        return ""
