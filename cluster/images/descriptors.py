"""Descriptors: how manifests point at content (OCI image specification, descriptor.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cluster.images import digests, faults

Document = dict[str, Any]
MAX_BLOB = 1 << 40


@dataclass(frozen=True, slots=True)
class Descriptor:
    """`more` holds what else it says: platform, annotations, artifactType, urls."""

    media_type: str
    digest: str
    size: int
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def platform(self) -> Mapping[str, Any]:
        """os, architecture, variant; empty where it does not say."""
        found = self.more.get("platform")
        return found if isinstance(found, dict) else {}

    @property
    def annotations(self) -> Mapping[str, str]:
        """Its annotations."""
        found = self.more.get("annotations")
        return found if isinstance(found, dict) else {}

    def document(self) -> Document:
        """As JSON has it."""
        return {
            "mediaType": self.media_type, "digest": self.digest, "size": self.size, **self.more,
        }  # fmt: skip


def read(found: object, where: str) -> Descriptor:
    """The descriptor of a JSON value at `where`. faults.Corrupt."""
    if not isinstance(found, dict):
        raise faults.Corrupt(f"{where} is no descriptor")
    more = {**found}
    media_type, digest, size = (more.pop(key, None) for key in ("mediaType", "digest", "size"))
    if not isinstance(media_type, str) or not media_type:
        raise faults.Corrupt(f"{where}.mediaType is missing")
    if not isinstance(digest, str) or not digests.is_digest(digest):
        raise faults.Corrupt(f"{where}.digest is no sha256 digest")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MAX_BLOB:
        raise faults.Corrupt(f"{where}.size is no number of bytes")
    return Descriptor(media_type, digest, size, more)


def of(media_type: str, data: bytes) -> Descriptor:
    """The descriptor of content."""
    return Descriptor(media_type, digests.of(data), len(data))
