"""Image references: what `image:` of a container and a command line's NAME mean.

The normal form is containerd's: `nginx` is `docker.io/library/nginx:latest` (github.com/
distribution/reference).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

NAME: Final = re.compile(
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
)
"""A repository's name without its registry, as the distribution specification has it."""
TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?")

DEFAULT_HOST: Final = "docker.io"


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

    @property
    def familiar(self) -> str:
        """The form that people use: `nginx:latest`, `localhost:5000/hello:latest`."""
        return self.name.removeprefix(f"{DEFAULT_HOST}/").removeprefix("library/")


@lru_cache(4096)
def parse(text: str) -> Reference:
    """Parse and normalize. ValueError in the words of the reference parser."""
    rest, at, digest = text.partition("@")
    if at and not DIGEST.fullmatch(digest):
        raise ValueError("invalid reference format")
    head, slash, tail = rest.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost" or head != head.lower()):
        host, rest = head, tail
    else:
        host = DEFAULT_HOST
    path, colon, tag = rest.partition(":")
    if host == DEFAULT_HOST and path and "/" not in path:
        path = f"library/{path}"
    if path != path.lower():
        raise ValueError(f"invalid reference format: repository name ({path}) must be lowercase")
    if not _HOST.fullmatch(host) or not NAME.fullmatch(path):
        raise ValueError("invalid reference format")
    if colon and not TAG.fullmatch(tag):
        raise ValueError("invalid reference format")
    return Reference(host, path, tag or ("" if digest else "latest"), digest)
