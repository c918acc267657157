"""What each repository has: manifests, tags, blobs and referrers, as small files that point.

    repositories/NAME/_manifests/HEX       the media type of a manifest, whose bytes are a blob
    repositories/NAME/_tags/TAG            a digest
    repositories/NAME/_blobs/HEX           that a blob may be pulled from here
    repositories/NAME/_referrers/HEX/HEX   the descriptor of a manifest whose subject the first is

No part of a name begins with `_`, so names and these cannot meet. Every name is looked at before it
becomes a path (`checked_name`).
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cluster.api import imagereferences
from cluster.images import descriptors, digests
from cluster.images.registry.errors import Refused
from cluster.images.store.blobs import write_whole

_MAX_NAME: Final = 255


def checked_name(name: str) -> str:
    """The name of a repository. Refused NAME_INVALID."""
    if len(name) > _MAX_NAME or not imagereferences.NAME.fullmatch(name):
        raise Refused("NAME_INVALID", "invalid repository name", detail={"name": name[:300]})
    return name


class Repository:
    """One repository, be it there or not. `name` has been looked at."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self._folder = root / "repositories" / name

    def exists(self) -> bool:
        """Whether something was ever pushed to it."""
        return any((self._folder / kind).is_dir() for kind in ("_manifests", "_blobs"))

    # ---- blobs -------------------------------------------------------------------------------

    def has_blob(self, digest: str) -> bool:
        """Whether a blob was pushed here or mounted."""
        return self._blob(digest).exists()

    def link(self, digest: str) -> None:
        """Let a blob be pulled from here."""
        path = self._blob(digest)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def unlink(self, digest: str) -> bool:
        """Let it be pulled no more; whether it could be."""
        return _removed(self._blob(digest))

    def linked(self) -> Iterator[str]:
        """The digests of its blobs."""
        return (f"sha256:{name}" for name in _names(self._folder / "_blobs"))

    # ---- manifests ---------------------------------------------------------------------------

    def media_type(self, digest: str) -> str:
        """The type that a manifest was pushed as; "" where it was not."""
        try:
            return self._manifest(digest).read_text()
        except FileNotFoundError:
            return ""

    def add(self, digest: str, media_type: str) -> None:
        """Have a manifest, whose blob is there."""
        write_whole(self._manifest(digest), media_type.encode())

    def drop(self, digest: str) -> bool:
        """Have it no more, nor tags of it; whether it was here."""
        for tag in self.tags():
            if self.tagged(tag) == digest:
                self.untag(tag)
        return _removed(self._manifest(digest))

    def manifests(self) -> Iterator[str]:
        """The digests of its manifests."""
        return (f"sha256:{name}" for name in _names(self._folder / "_manifests"))

    # ---- tags --------------------------------------------------------------------------------

    def tagged(self, tag: str) -> str:
        """The digest that a tag names; "" where there is no such tag."""
        if not imagereferences.TAG.fullmatch(tag):
            return ""
        try:
            return (self._folder / "_tags" / tag).read_text()
        except FileNotFoundError:
            return ""

    def tag(self, tag: str, digest: str) -> None:
        """Let a tag name a manifest."""
        write_whole(self._folder / "_tags" / tag, digest.encode())

    def untag(self, tag: str) -> bool:
        """Remove a tag; whether it was there."""
        found = imagereferences.TAG.fullmatch(tag)
        return bool(found) and _removed(self._folder / "_tags" / tag)

    def tags(self) -> list[str]:
        """Its tags, in order."""
        found = _names(self._folder / "_tags")
        return [name for name in found if imagereferences.TAG.fullmatch(name)]

    # ---- referrers ---------------------------------------------------------------------------

    def refer(self, subject: str, one: descriptors.Descriptor) -> None:
        """Note that a manifest is about another."""
        path = self._referrers(subject) / digests.hex_of(one.digest)
        write_whole(path, json.dumps(one.document()).encode())

    def unrefer(self, subject: str, digest: str) -> None:
        """Forget that."""
        _removed(self._referrers(subject) / digests.hex_of(digest))

    def referrers(self, subject: str) -> list[descriptors.Document]:
        """The descriptors of the manifests that are about this one."""
        folder = self._referrers(subject)
        found = []
        for name in _names(folder):
            with contextlib.suppress(FileNotFoundError, ValueError):
                found.append(json.loads((folder / name).read_bytes()))
        return found

    def _blob(self, digest: str) -> Path:
        return self._folder / "_blobs" / digests.hex_of(digest)

    def _manifest(self, digest: str) -> Path:
        return self._folder / "_manifests" / digests.hex_of(digest)

    def _referrers(self, subject: str) -> Path:
        return self._folder / "_referrers" / digests.hex_of(subject)


def all_names(root: Path) -> list[str]:
    """The names of all repositories that have a manifest, in order."""
    base = root / "repositories"
    found = []
    for folder, inner, _ in os.walk(base):
        if "_manifests" in inner and any((Path(folder) / "_manifests").iterdir()):
            found.append(Path(folder).relative_to(base).as_posix())
        inner[:] = [name for name in inner if not name.startswith("_")]
    return sorted(found)


def every(root: Path) -> Iterator[Repository]:
    """All repositories, those that have only blobs too."""
    base = root / "repositories"
    for folder, inner, _ in os.walk(base):
        if any(name.startswith("_") for name in inner):
            yield Repository(root, Path(folder).relative_to(base).as_posix())
        inner[:] = [name for name in inner if not name.startswith("_")]


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _removed(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
