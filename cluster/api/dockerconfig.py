"""Credentials for registries, from a Docker configuration: `~/.docker/config.json`, which is also
what a Secret of type kubernetes.io/dockerconfigjson holds. Pure.

Source: pkg/credentialprovider (keyring.go, config.go).
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import imagereferences, json_text

_HUB: Final = ("index.docker.io", "registry-1.docker.io", "docker.io")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password."""

    name: str
    password: str

    @property
    def basic(self) -> str:
        """As the header Authorization has them."""
        said = base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
        return f"Basic {said}"


def parse(data: bytes) -> dict[str, Credentials]:
    """The credentials of a configuration, by what they are for: `localhost:5000`, `quay.io/team`.

    ValueError. Both forms are read, that with `auths` and the older one. Credential helpers are
    programs; none is run.
    """
    try:
        document = json_text.decoded(data)
    except json_text.Malformed as error:
        raise ValueError(f"no JSON: {error}") from error
    auths = document.get("auths", document) if isinstance(document, dict) else None
    if not isinstance(auths, dict):
        raise ValueError("there are no auths")  # noqa: TRY004  (it is about text, not a type)
    found = {}
    for key, entry in auths.items():
        one = _read(entry)
        if one is not None:
            found[_place(key)] = one
    return found


def chosen(known: Mapping[str, Credentials], repository: str) -> list[Credentials]:
    """Those that are for a repository (`docker.io/library/nginx`), the closest first."""
    fitting = [key for key in known if _fits(key, repository)]
    return [known[key] for key in sorted(fitting, key=len, reverse=True)]


def _fits(key: str, repository: str) -> bool:
    host, _, path = key.partition("/")
    real, _, rest = repository.partition("/")
    if host != real and not ("*" in host and _glob(host).fullmatch(real)):
        return False
    return not path or rest == path or rest.startswith(f"{path}/")


def _glob(host: str) -> re.Pattern[str]:
    return re.compile("".join("[^.:]*" if char == "*" else re.escape(char) for char in host[:300]))


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


def _place(key: str) -> str:
    """`https://index.docker.io/v1/` is docker.io."""
    place = (key.partition("://")[2] or key).rstrip("/")
    host, _, path = place.partition("/")
    if host in _HUB:
        host, path = imagereferences.DEFAULT_HOST, "" if path in ("v1", "v2") else path
    return f"{host}/{path}" if path else host
