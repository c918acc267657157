"""What a registry is told when it is built."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ANONYMOUS: Final = ("push", "pull", "none")


@dataclass(frozen=True)
class Config:
    """Settings of a registry. ValueError, with a sentence, for what cannot be."""

    root: Path
    """The folder that it keeps everything in."""
    host: str = "127.0.0.1"
    port: int = 5000
    """Where it listens; 0 is a free port."""
    users: Mapping[str, str] = field(default_factory=dict)
    """Names and bcrypt hashes, as htpasswd has them."""
    anonymous: str = "push"
    """What those may who do not say who they are: push (and pull), pull, none."""
    upload_expiry: float = 3600.0
    """Seconds after which an upload that nobody goes on with is forgotten."""
    collect_every: float = 600.0
    """Seconds between collections of garbage."""
    collect_grace: float = 3600.0
    """Seconds for which what no manifest mentions is kept: it may be part of a push."""
    max_uploads: int = 256
    max_blob: int = 64 << 30
    read_timeout: float = 60.0
    """Seconds for which a client that sends a body may send nothing."""

    def __post_init__(self) -> None:
        if self.anonymous not in ANONYMOUS:
            raise ValueError(f"anonymous is {self.anonymous!r}: it is push, pull or none")
        if self.anonymous == "none" and not self.users:
            raise ValueError("a registry that lets nobody in without a name needs users (htpasswd)")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port {self.port} is no port")
        for name in ("upload_expiry", "collect_every", "read_timeout"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than nothing")
        if self.max_uploads < 1 or self.max_blob < 1:
            raise ValueError("max_uploads and max_blob must be positive")


def users(text: str) -> dict[str, str]:
    """The users of an htpasswd file; bcrypt alone, as with the Docker registry. ValueError."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, hashed = line.strip().partition(":")
        if not name or not colon:
            raise ValueError(f"line {number} is not of the form name:hash")
        if not hashed.startswith(("$2a$", "$2b$", "$2y$")) or len(hashed) != 60:
            raise ValueError(
                f"line {number}: the password of {name} is no bcrypt hash; make it with htpasswd -B"
            )
        found[name] = hashed
    return found
