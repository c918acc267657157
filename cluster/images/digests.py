"""Digests: `sha256:` and 64 hexadecimal digits, the only ones that are known here."""

import hashlib
import re
from typing import Final

_FORM: Final = re.compile(r"sha256:([0-9a-f]{64})")
_ANY: Final = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")


def of(data: bytes) -> str:
    """The digest of bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def is_digest(text: str) -> bool:
    """Whether it is a digest that is known here."""
    return _FORM.fullmatch(text) is not None


def looks_like_one(text: str) -> bool:
    """Whether it has the form of a digest, of whatever algorithm."""
    return _ANY.fullmatch(text) is not None


def hex_of(digest: str) -> str:
    """The 64 digits. ValueError: nothing else may become a part of a path."""
    found = _FORM.fullmatch(digest)
    if found is None:
        raise ValueError(f"invalid digest: {digest[:100]!r}")
    return found[1]
