"""Image references: normal forms, digests, and which images the emulated world does not have.

The normal form is containerd's: `nginx` is `docker.io/library/nginx:latest` (github.com/
distribution/reference). Digests are made of the name, so that every node agrees on them.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_PATH: Final = re.compile(
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
)
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")

_ABSENT_WORDS: Final = (
    "does-not-exist", "doesnotexist", "no-such-image", "no-such-tag", "nonexistent", "non-existent",
)  # fmt: skip
_SMALLEST: Final = 2 << 20
_SPREAD: Final = 120 << 20


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference. Either `tag` or `digest` is set, or both."""

    host: str
    path: str
    tag: str
    digest: str

    @property
    def repository(self) -> str:
        """`docker.io/library/nginx`."""
        return f"{self.host}/{self.path}"

    @property
    def name(self) -> str:
        """The normal form of the whole: `docker.io/library/nginx:latest`."""
        tagged = f"{self.repository}:{self.tag}" if self.tag else self.repository
        return f"{tagged}@{self.digest}" if self.digest else tagged


@lru_cache(4096)
def parse(text: str) -> Reference:
    """Parse and normalize. ValueError in the words of the reference parser."""
    rest, _, digest = text.partition("@")
    if digest and not _DIGEST.fullmatch(digest):
        raise ValueError("invalid reference format")
    head, slash, tail = rest.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost" or head != head.lower()):
        host, rest = head, tail
    else:
        host = "docker.io"
    path, colon, tag = rest.partition(":")
    if host == "docker.io" and path and "/" not in path:
        path = f"library/{path}"
    if path != path.lower():
        raise ValueError(f"invalid reference format: repository name ({path}) must be lowercase")
    if not _HOST.fullmatch(host) or not _PATH.fullmatch(path):
        raise ValueError("invalid reference format")
    if colon and not _TAG.fullmatch(tag):
        raise ValueError("invalid reference format")
    return Reference(host, path, tag or ("" if digest else "latest"), digest)


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
_SYSTEMS: Final = frozenset(
    f"library/{name}" for name in ("busybox", "alpine", "ubuntu", "debian", "fedora", "centos")
)


@lru_cache(1024)
def exposed(reference: Reference) -> tuple[int, ...]:
    """The ports that a well-known web server's image is known to listen on."""
    found = _EXPOSED.get(reference.path)
    return (found,) if found else ()


def is_system(reference: Reference) -> bool:
    """Whether an image's own program is a shell."""
    return reference.path in _SYSTEMS


def _hash(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
