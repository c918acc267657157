"""From a request's method and path to what is asked for: pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_PATHS: Final = (
    ("base", re.compile(r"/v2/?")),
    ("catalog", re.compile(r"/v2/_catalog")),
    ("token", re.compile(r"/token")),
    ("health", re.compile(r"/(?:healthz|livez|readyz)")),
    ("tags", re.compile(r"/v2/(?P<name>.+)/tags/list")),
    ("uploads", re.compile(r"/v2/(?P<name>.+)/blobs/uploads/?")),
    ("upload", re.compile(r"/v2/(?P<name>.+)/blobs/uploads/(?P<what>[^/]+)")),
    ("blob", re.compile(r"/v2/(?P<name>.+)/blobs/(?P<what>[^/]+)")),
    ("manifest", re.compile(r"/v2/(?P<name>.+)/manifests/(?P<what>[^/]+)")),
    ("referrers", re.compile(r"/v2/(?P<name>.+)/referrers/(?P<what>[^/]+)")),
)
METHODS: Final = {
    "base": ("GET", "HEAD"), "catalog": ("GET",), "token": ("GET",), "health": ("GET", "HEAD"),
    "tags": ("GET",), "uploads": ("POST",), "upload": ("GET", "PATCH", "PUT", "DELETE"),
    "blob": ("GET", "HEAD", "DELETE"), "manifest": ("GET", "HEAD", "PUT", "DELETE"),
    "referrers": ("GET",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Route:
    """What a path names: an endpoint, a repository, and a tag, digest or upload in it."""

    endpoint: str
    name: str = ""
    what: str = ""

    def action(self, method: str) -> str:
        """Which right it takes."""
        if method == "DELETE" and self.endpoint != "upload":
            return "delete"
        reading = method in ("GET", "HEAD") and self.endpoint not in ("upload", "uploads")
        return "pull" if reading else "push"


def find(path: str) -> Route | None:
    """The route of a path; None where there is none."""
    for endpoint, pattern in _PATHS:
        found = pattern.fullmatch(path)
        if found:
            return Route(endpoint, **found.groupdict())
    return None


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from `first` to `last`, which is included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many bytes."""
        return self.last - self.first + 1


def byte_range(header: str, size: int) -> Span | None:
    """The one range that a header asks for; None where it asks for the whole, or for several.

    ValueError where it asks for what is not there (RFC 9110, section 14).
    """
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", header.strip())
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found[1], found[2]
    if not first:
        start, end = max(size - int(last), 0), size - 1
        if int(last) == 0:
            raise ValueError("no bytes")
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < start:
            return None
    if start >= size:
        raise ValueError(f"it begins at {start}, and there are {size} bytes")
    return Span(start, end)


def content_range(header: str) -> Span:
    """The range of a chunk that is pushed: `0-1023`. ValueError."""
    found = re.fullmatch(r"(?:bytes[ =])?(\d{1,18})-(\d{1,18})(?:/.*)?", header.strip())
    if found is None or int(found[2]) < int(found[1]):
        raise ValueError(f"no range: {header[:100]!r}")
    return Span(int(found[1]), int(found[2]))


def matches(header: str, etag: str) -> bool:
    """Whether If-None-Match names this entity tag."""
    return any(one in ("*", etag) for one in _tags(header))


def _tags(header: str) -> Iterator[str]:
    return (one.strip().removeprefix("W/") for one in header.split(","))
