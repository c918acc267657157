"""Credentials for registries, from a Docker configuration: `~/.docker/config.json`, which is also
what a Secret of type kubernetes.io/dockerconfigjson holds.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cluster.api import imagereferences, json_text
from cluster.images import faults


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password; or, without a name, an identity token."""

    name: str
    password: str

    @property
    def basic(self) -> str:
        """As the header Authorization has them."""
        said = base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
        return f"Basic {said}"


def of_config(data: bytes, what: str = "the Docker configuration") -> dict[str, Credentials]:
    """The credentials of a configuration by registry. faults.Corrupt.

    Credential helpers are programs; none is run here.
    """
    try:
        document = json_text.decoded(data)
    except json_text.Malformed as error:
        raise faults.Corrupt(f"{what} is no JSON: {error}") from error
    auths = document.get("auths", document) if isinstance(document, dict) else None
    if not isinstance(auths, dict):
        raise faults.Corrupt(f"{what} has no auths")
    found = {}
    for key, entry in auths.items():
        one = _read(entry)
        if one is not None:
            found[_host(key)] = one
    return found


def of_registry(found: Mapping[str, Credentials], host: str) -> Credentials | None:
    """Those for a registry (`docker.io`, `localhost:5000`)."""
    return found.get(host)


def _read(entry: Any) -> Credentials | None:
    if not isinstance(entry, dict):
        return None
    name, password = entry.get("username") or "", entry.get("password") or ""
    auth = entry.get("auth")
    if isinstance(auth, str) and auth:
        try:
            name, _, password = base64.b64decode(auth).decode().partition(":")
        except (binascii.Error, ValueError):
            return None
    if not isinstance(name, str) or not isinstance(password, str) or not name:
        return None
    return Credentials(name, password.rstrip("\0"))


def _host(key: str) -> str:
    """`https://index.docker.io/v1/` is docker.io."""
    host = key.partition("://")[2] or key
    host = host.partition("/")[0]
    hub = ("index.docker.io", "registry-1.docker.io")
    return imagereferences.DEFAULT_HOST if host in hub else host
