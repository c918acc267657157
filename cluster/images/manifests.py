"""Manifests, indexes and image configurations: read with every doubt, written in one form."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import json_text
from cluster.images import descriptors, faults, media
from cluster.images.descriptors import Descriptor, Document

MAX_MANIFEST: Final = 4 << 20
"""Bytes: what the distribution specification asks a registry to take at least."""
MAX_CONFIG: Final = 8 << 20
_MAX_LAYERS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Manifest:
    """One image (or other artifact): a configuration, and layers from the bottom up."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    subject: Descriptor | None
    document: Document

    @property
    def artifact_type(self) -> str:
        """What it is: said by itself, or by the type of its configuration."""
        said = self.document.get("artifactType")
        return said if isinstance(said, str) and said else self.config.media_type

    def parts(self) -> Iterator[Descriptor]:
        """What it points at and cannot do without."""
        yield self.config
        yield from self.layers


@dataclass(frozen=True, slots=True)
class Index:
    """Several manifests under one name, mostly one a platform."""

    media_type: str
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None
    document: Document

    @property
    def artifact_type(self) -> str:
        """What it is, where it says so."""
        said = self.document.get("artifactType")
        return said if isinstance(said, str) else ""

    def parts(self) -> Iterator[Descriptor]:
        """What it points at."""
        yield from self.manifests


def parse(data: bytes, media_type: str = "") -> Manifest | Index:
    """Read a manifest or an index. `media_type` is what it was said to be. faults.Corrupt."""
    if len(data) > MAX_MANIFEST:
        raise faults.Corrupt(f"a manifest has {MAX_MANIFEST} bytes at most, this has {len(data)}")
    document = _document(data, "the manifest")
    own = document.get("mediaType")
    if own is not None and not isinstance(own, str):
        raise faults.Corrupt("mediaType is no text")
    if own and media_type and own != media_type:
        raise faults.Corrupt(f"mediaType is {own}, but it was sent as {media_type}")
    kind = own or media_type or _guessed(document)
    if document.get("schemaVersion") != 2:
        raise faults.Corrupt(f"schemaVersion is {document.get('schemaVersion')}, not 2")
    if kind in media.INDEXES:
        return _index(document, kind)
    if kind in media.MANIFESTS:
        return _manifest(document, kind)
    raise faults.Corrupt(f"manifests of type {kind[:100]!r} are not known")


def parse_large_index(data: bytes) -> tuple[Descriptor, ...]:
    """The entries of an index.json, which may be larger than a manifest. faults.Corrupt."""
    found = _document(data, "index.json").get("manifests")
    if not isinstance(found, list):
        raise faults.Corrupt("index.json has no manifests")
    return tuple(descriptors.read(one, f"manifests[{at}]") for at, one in enumerate(found))


def config(data: bytes) -> Document:
    """Read an image configuration: config, rootfs.diff_ids, history are of their kinds.

    faults.Corrupt.
    """
    document = _document(data, "the image configuration")
    rootfs = document.get("rootfs")
    ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise faults.Corrupt("the image configuration has no rootfs.diff_ids")
    for field, kind in (("config", dict), ("history", list)):
        if not isinstance(document.get(field) or kind(), kind):
            raise faults.Corrupt(f"{field} of the image configuration is not of its kind")
    return document


def encode(document: Document) -> bytes:
    """JSON in the one form that is written here: the same document gives the same digest."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def of_image(config_of: Descriptor, layers: list[Descriptor]) -> Document:
    """The OCI manifest of an image."""
    return {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": config_of.document(),
        "layers": [layer.document() for layer in layers],
    }


def _document(data: bytes, what: str) -> Document:
    try:
        found = json_text.decoded(data)
    except json_text.Malformed as error:
        raise faults.Corrupt(f"{what} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise faults.Corrupt(f"{what} is no JSON object")
    return found


def _guessed(document: Document) -> str:
    return media.OCI_INDEX if "manifests" in document else media.OCI_MANIFEST


def _manifest(document: Document, kind: str) -> Manifest:
    config_of = descriptors.read(document.get("config"), "config")
    return Manifest(kind, config_of, _all(document, "layers"), _subject(document), document)


def _index(document: Document, kind: str) -> Index:
    return Index(kind, _all(document, "manifests"), _subject(document), document)


def _all(document: Document, field: str) -> tuple[Descriptor, ...]:
    found: Any = document.get(field)
    if not isinstance(found, list):
        raise faults.Corrupt(f"{field} is missing")
    if len(found) > _MAX_LAYERS:
        raise faults.Corrupt(f"{field} has {len(found)} entries: {_MAX_LAYERS} is the most")
    return tuple(descriptors.read(one, f"{field}[{at}]") for at, one in enumerate(found))


def _subject(document: Document) -> Descriptor | None:
    found = document.get("subject")
    return None if found is None else descriptors.read(found, "subject")
