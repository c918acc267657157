"""Where manifests come from: a directory or file, or a URL. The only part that reads them."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Protocol

from cluster.kubelet.staticpods.manifests import FILE, HTTP, LARGEST, Place

_MOST: Final = 1024
"""Files of a directory that are read."""
Stamp = tuple[tuple[str, int, int, int], ...]


class Source(Protocol):
    """A source of manifests."""

    period: float
    """Seconds after which it is read again."""

    def stamp(self) -> Stamp:
        """Tells cheaply whether it has to be read before that: another one, another content."""
        ...

    async def read(self) -> list[tuple[Place, bytes]]:
        """All manifests. OSError where nothing could be read."""
        ...


class Folder:
    """A directory of manifests, not its sub-directories and not what begins with a dot; or one
    file.
    """

    def __init__(self, path: str, period: float) -> None:
        self._path = Path(path)
        self.period = period

    def stamp(self) -> Stamp:
        """Names, inodes, sizes and times."""
        try:
            return tuple(
                (path.name, found.st_ino, found.st_size, found.st_mtime_ns)
                for path in self._files()
                for found in [path.stat()]
            )
        except OSError:
            return ()

    async def read(self) -> list[tuple[Place, bytes]]:
        """See `Source`. A file that goes meanwhile is none."""
        found = []
        for path in self._files():
            try:
                with path.open("rb") as file:
                    data = file.read(LARGEST + 1)
            except FileNotFoundError:
                continue
            found.append((Place(FILE, str(path)), data))
        return found

    def _files(self) -> list[Path]:
        if self._path.is_file():
            return [self._path]
        if not self._path.is_dir():
            return []
        names = sorted(path for path in self._path.iterdir() if not path.name.startswith("."))
        return [path for path in names if path.is_file()][:_MOST]


class Address:
    """A URL that is fetched now and then by `fetch`, which raises OSError."""

    def __init__(self, url: str, period: float, fetch: Callable[[], Awaitable[bytes]]) -> None:
        self._url = url
        self._fetch = fetch
        self.period = period

    def stamp(self) -> Stamp:
        """A URL says nothing of itself before it is fetched."""
        return ()

    async def read(self) -> list[tuple[Place, bytes]]:
        """See `Source`."""
        data = await self._fetch()
        if not data:
            raise OSError(f"zero-length data received from {self._url}")
        return [(Place(HTTP, self._url), data)]
