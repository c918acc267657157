"""The build context: the files that a Dockerfile may copy, and no others."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cluster.images.dockerfile import patterns
from cluster.images.dockerfile.layering import Entry

_MOST: Final = 200_000


class Context:
    """The files under `root`. Nothing outside of it is read, whatever links say."""

    def __init__(self, root: Path, ignore: patterns.Ignore) -> None:
        self._root = root.resolve()
        self._ignore = ignore

    def find(self, source: str) -> list[tuple[str, bool]]:
        """The paths (`app/main.js`, "" for all) that a source names, and whether each is a
        directory. Empty where there is none. ValueError for a bad pattern.
        """
        wanted = os.path.normpath("/" + source).lstrip("/")
        if not patterns.has_wildcard(wanted):
            path = self._inside(wanted)
            if path is None or (wanted and self._ignored(wanted, path)):
                return []
            return [(wanted, path.is_dir() and (not wanted or not path.is_symlink()))]
        depth = wanted.count("/")
        found = []
        for name, path in self._walk("", depth):
            if name.count("/") == depth and patterns.matches(wanted, name):
                found.append((name, path.is_dir() and not path.is_symlink()))
        return found

    def entries(self, name: str, *, directory: bool) -> Iterator[tuple[str, Entry]]:
        """What is at a path, by its path below it ("" for itself). ValueError."""
        path = self._root / name
        if not directory:
            # A link that is named itself is followed, as docker does.
            inside = self._inside(name)
            if inside is not None:
                yield "", _entry(inside.resolve())
            return
        for count, (inner, found) in enumerate(self._walk(name, None)):
            if count > _MOST:
                raise ValueError(f"more than {_MOST} files in {name or 'the context'}")
            mode = found.lstat().st_mode
            if stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode):
                yield inner[len(name) :].lstrip("/"), _entry(found)
        yield "", _entry(path)

    def _walk(self, name: str, depth: int | None) -> Iterator[tuple[str, Path]]:
        base = self._root / name
        for path in sorted(base.iterdir(), key=lambda one: one.name):
            inner = path.relative_to(self._root).as_posix()
            ignored = self._ignore.ignores(inner)
            is_folder = path.is_dir() and not path.is_symlink()
            if not ignored:
                yield inner, path
            deeper = depth is None or inner.count("/") < depth
            if is_folder and deeper and (not ignored or self._ignore.brings_back):
                yield from self._walk(inner, depth)

    def _ignored(self, name: str, path: Path) -> bool:
        back = path.is_dir() and self._ignore.brings_back
        return self._ignore.ignores(name) and not back

    def _inside(self, name: str) -> Path | None:
        """The path, if it is there and in the context."""
        path = self._root / name
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):
            return None
        return path if real == self._root or self._root in real.parents else None


def _entry(path: Path) -> Entry:
    found = path.lstat()
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISDIR(found.st_mode):
        return Entry("dir", mode)
    if stat.S_ISLNK(found.st_mode):
        return Entry("link", 0o777, target=str(path.readlink()))
    return Entry("file", mode, source=path, size=found.st_size)
