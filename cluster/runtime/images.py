"""Emulated images: their digests and sizes, and which images the emulated world does not have.

Digests are made of the name, so that every node agrees on them.
"""

import hashlib
from functools import lru_cache
from typing import Final

from cluster.api import imagereferences

Reference = imagereferences.Reference
parse = imagereferences.parse

_ABSENT_WORDS: Final = (
    "does-not-exist", "doesnotexist", "no-such-image", "no-such-tag", "nonexistent", "non-existent",
)  # fmt: skip
_SMALLEST: Final = 2 << 20
_SPREAD: Final = 120 << 20


@lru_cache(4096)
def digest(reference: Reference) -> str:
    """The digest of the image's manifest."""
    return reference.digest or _hash(f"manifest {reference.name}")


@lru_cache(4096)
def image_id(reference: Reference) -> str:
    """The id of the image: the digest of its configuration."""
    return _hash(f"config {reference.repository}@{digest(reference)}")


@lru_cache(4096)
def size(reference: Reference) -> int:
    """Bytes: between 2 and 122 MiB, always the same for a name."""
    return _SMALLEST + int(_hash(f"size {reference.name}")[7:15], 16) % _SPREAD


@lru_cache(4096)
def absence(reference: Reference) -> str:
    """Why the image cannot be pulled: "" where it can, `host` where its registry is unknown,
    `manifest` where the registry does not have it.

    The world has every image but those that say that they are not there: of a registry under
    `.invalid` (RFC 2606), or named so in their last part or tag.
    """
    host = reference.host.partition(":")[0]
    if host.endswith(".invalid") or host.startswith("invalid.") or host == "invalid":
        return "host"
    last = f"{reference.path.rpartition('/')[2]}:{reference.tag}"
    return "manifest" if any(word in last for word in _ABSENT_WORDS) else ""


_EXPOSED: Final = {
    "library/nginx": 80, "library/httpd": 80, "library/caddy": 80, "traefik/whoami": 80,
    "nginxinc/nginx-unprivileged": 8080, "google-samples/hello-app": 8080,
    "hashicorp/http-echo": 5678, "echoserver": 8080,
}  # fmt: skip


@lru_cache(1024)
def exposed(reference: Reference) -> tuple[int, ...]:
    """The ports that a well-known web server's image is known to listen on."""
    found = _EXPOSED.get(reference.path)
    return (found,) if found else ()


def _hash(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
