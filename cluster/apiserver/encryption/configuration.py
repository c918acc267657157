"""EncryptionConfiguration (apiserver.config.k8s.io/v1): which resources, by which keys. Pure.

Source: k8s.io/apiserver/pkg/apis/apiserver/validation/validation_encryption.go
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cluster.apiserver.encryption import ciphers
from cluster.apiserver.encryption.ciphers import Cipher

API_VERSION: Final = "apiserver.config.k8s.io/v1"
KIND: Final = "EncryptionConfiguration"
_KEYED: Final[Mapping[str, tuple[Any, tuple[int, ...]]]] = {
    "aesgcm": (ciphers.AesGcm, ciphers.AES_LENGTHS),
    "aescbc": (ciphers.AesCbc, ciphers.AES_LENGTHS),
    "secretbox": (ciphers.Secretbox, ciphers.SECRETBOX_LENGTHS),
}
_KNOWN: Final = (*_KEYED, "identity", "kms")
_MOST_KEYS: Final = 1000


class Unusable(ValueError):
    """The configuration cannot be used; the message is a line for each complaint."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A way to store: what stored values begin with, and the cipher of the rest."""

    prefix: bytes
    cipher: Cipher = field(repr=False)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Which providers each pattern of resources has; the first pattern that fits counts."""

    entries: tuple[tuple[tuple[str, ...], tuple[Provider, ...]], ...] = ()

    def providers(self, resource: str) -> tuple[Provider, ...]:
        """The providers of a resource (`secrets`, `deployments.apps`), first the one that writes.

        () where the configuration does not name it.
        """
        for patterns, providers in self.entries:
            if any(_fits(pattern, resource) for pattern in patterns):
                return providers
        return ()


def read(document: Any) -> Configuration:
    """The configuration of a decoded file. Unusable, which never tells a key."""
    if not isinstance(document, dict):
        raise Unusable(f"it is not an {KIND}")
    said = (document.get("apiVersion"), document.get("kind"))
    if said != (API_VERSION, KIND):
        raise Unusable(f"it must be {KIND} of {API_VERSION}, and is {said[1]} of {said[0]}")
    complaints: list[str] = []
    unknown = sorted(set(map(str, document)) - {"apiVersion", "kind", "resources"})
    complaints += [f'unknown field "{name}"' for name in unknown]
    listed = document.get("resources")
    if not isinstance(listed, list) or not listed:
        raise Unusable("resources: Required value: at least one resource must be specified")
    entries = [
        (_patterns(one, at, complaints), tuple(_providers(one, at, complaints)))
        for at, one in ((f"resources[{i}]", entry) for i, entry in enumerate(listed))
    ]
    if complaints:
        raise Unusable("\n".join(complaints))
    return Configuration(tuple(entries))


def _fits(pattern: str, resource: str) -> bool:
    plural, _, group = resource.partition(".")
    name, dot, of = pattern.partition(".")
    if name == "*":
        return of in ("*", group) if dot else False
    return pattern in (resource, f"{plural}.{group}")


def _patterns(entry: Any, at: str, complaints: list[str]) -> tuple[str, ...]:
    found = entry.get("resources") if isinstance(entry, dict) else None
    if not isinstance(found, list) or not found:
        complaints.append(f"{at}.resources: Required value: at least one resource must be given")
        return ()
    names = []
    for index, name in enumerate(found):
        why = _wrong_pattern(name)
        if why:
            complaints.append(f"{at}.resources[{index}]: {why}")
        elif name in names:
            complaints.append(f'{at}.resources[{index}]: Duplicate value: "{name}"')
        else:
            names.append(name)
    complaints += [f"{at}.resources: {why}" for why in _masked(names)]
    return tuple(name.removesuffix(".") if name != "*." else "*." for name in names)


def _wrong_pattern(name: Any) -> str:
    """What is wrong with a resource's name in the configuration; "" where nothing is."""
    if not isinstance(name, str) or not name:
        return "Required value: the name of a resource"
    if name != name.lower() or any(letter.isspace() for letter in name):
        return f'Invalid value: "{name}": resource name should be lowercase without spaces'
    if name == "*":
        return (
            "Invalid value: \"*\": use '*.' to encrypt all the resources from core API group or "
            "*.* to encrypt all resources"
        )
    if "*" in name.removeprefix("*.").removeprefix("*"):
        return f'Invalid value: "{name}": wildcards stand for a whole name or a whole group'
    if name in ("*.extensions", "*.events.k8s.io", "events.events.k8s.io"):
        return f'Invalid value: "{name}": its objects are stored in another group: name that one'
    return ""


def _masked(names: Sequence[str]) -> Iterator[str]:
    """Names that a wildcard of the same list covers."""
    for pattern in names:
        if not pattern.startswith("*."):
            continue
        for name in names:
            if name != pattern and (pattern == "*.*" or _fits(pattern, name)):
                yield (
                    f'Invalid value: "{name}": using overlapping resources such as '
                    f"'{name}' and '{pattern}' in the same resource list is not allowed as they "
                    "will be masked"
                )


def _providers(entry: Any, at: str, complaints: list[str]) -> Iterator[Provider]:
    found = entry.get("providers") if isinstance(entry, dict) else None
    if not isinstance(found, list) or not found:
        complaints.append(f"{at}.providers: Required value: at least one provider must be given")
        return
    for index, one in enumerate(found):
        where = f"{at}.providers[{index}]"
        kinds = sorted(map(str, one)) if isinstance(one, dict) else []
        if len(kinds) != 1:
            complaints.append(
                f"{where}: Invalid value: a provider is exactly one of {', '.join(_KNOWN)}"
            )
        elif kinds[0] == "identity":
            yield Provider(b"", ciphers.Identity())
        elif kinds[0] == "kms":
            complaints.append(
                f"{where}.kms: kubemu has no key management service to ask: use secretbox, aesgcm "
                "or aescbc with keys in the file"
            )
        elif kinds[0] in _KEYED:
            yield from _keyed(kinds[0], one[kinds[0]], f"{where}.{kinds[0]}", complaints)
        else:
            complaints.append(
                f"{where}: Invalid value: unknown provider; known are {', '.join(_KNOWN)}"
            )


def _keyed(kind: str, settings: Any, at: str, complaints: list[str]) -> Iterator[Provider]:
    make, lengths = _KEYED[kind]
    keys = settings.get("keys") if isinstance(settings, dict) else None
    if not isinstance(keys, list) or not 0 < len(keys) <= _MOST_KEYS:
        complaints.append(f"{at}.keys: Required value: at least one key must be given")
        return
    seen: list[str] = []
    for index, key in enumerate(keys):
        where = f"{at}.keys[{index}]"
        name = key.get("name") if isinstance(key, dict) else None
        if not isinstance(name, str) or not name:
            complaints.append(f"{where}.name: Required value: name of the key")
            continue
        if ":" in name:
            complaints.append(f"{where}.name: Invalid value: must not contain a colon")
            continue
        if name in seen:
            complaints.append(f"{where}.name: Duplicate value: key names must be different")
            continue
        seen.append(name)
        secret = _secret(key.get("secret"))
        if secret is None:
            complaints.append(f"{where}.secret: Invalid value: must be base64 encoded")
        elif len(secret) not in lengths:
            wanted = " ".join(map(str, lengths))
            complaints.append(
                f"{where}.secret: Invalid value: secret is not of the expected length, got "
                f"{len(secret)}, expected one of [{wanted}]"
            )
        else:
            yield Provider(b"%bv1:%b:" % (_head(kind), name.encode()), make(secret))


def _head(kind: str) -> bytes:
    return ciphers.PREFIX + kind.encode() + b":"


def _secret(text: Any) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except (binascii.Error, ValueError):
        return None
