"""Writes the files of a volume so that a reader sees all of the old or all of the new.

The files are in a directory with a time for a name, `..data` is a symbolic link to it, and what
users see are links through `..data`: one rename changes all at once. Source: AtomicWriter of
pkg/volume/util.
"""

import datetime
import posixpath
from collections.abc import Callable
from typing import Final

from cluster.kubelet.volumes.contents import Payload, Unready
from cluster.kubelet.volumes.disk import Disk

DATA: Final = "..data"
_NEXT: Final = "..data_tmp"
_LONGEST: Final = 255


def write(
    disk: Disk,
    folder: str,
    payload: Payload,
    stamp: tuple[float, int],
    share: Callable[[str], None] | None = None,
) -> bool:
    """Have a directory show these files; whether anything changed. OSError, Unready.

    `stamp` is the time, in seconds since the epoch, and a number that makes the name of the new
    directory its own; `share` is called with it before anybody sees it.
    """
    for path in payload:
        _check(path)
    data = posixpath.join(folder, DATA)
    old = disk.target(data)
    if old and _same(disk, posixpath.join(folder, old), payload):
        return False
    moment = datetime.datetime.fromtimestamp(stamp[0], datetime.UTC)
    name = f"..{moment:%Y_%m_%d_%H_%M_%S}.{stamp[1] % 10**9:09d}"
    fresh = posixpath.join(folder, name)
    disk.remove(fresh)
    disk.make_folder(fresh, 0o755)
    for path, file in payload.items():
        _folders(disk, fresh, path)
        disk.write(posixpath.join(fresh, path), file.data, file.mode)
        if file.owner:
            disk.own(posixpath.join(fresh, path), file.owner)
    if share is not None:
        share(fresh)
    following = posixpath.join(folder, _NEXT)
    disk.remove(following)
    disk.link(name, following)
    disk.replace(following, data)
    _link(disk, folder, payload)
    if old and old != name:
        disk.remove(posixpath.join(folder, old))
    return True


def _check(path: str) -> None:
    parts = path.split("/")
    if not path or path.startswith("/"):
        raise Unready(f"invalid path: must be relative path: {path}")
    if ".." in parts:
        raise Unready(f"invalid path: must not contain '..': {path}")
    if path.startswith(".."):
        raise Unready(f"invalid path: must not start with '..': {path}")
    if any(len(part) > _LONGEST for part in parts):
        raise Unready("invalid path: must be less than 255 characters")


def _folders(disk: Disk, fresh: str, path: str) -> None:
    here = fresh
    for part in path.split("/")[:-1]:
        here = posixpath.join(here, part)
        if not disk.kind(here):
            disk.make_folder(here, 0o755)


def _same(disk: Disk, folder: str, payload: Payload) -> bool:
    found = _files(disk, folder)
    return found is not None and sorted(found) == sorted(payload) and all(
        disk.read(posixpath.join(folder, path)) == file.data for path, file in payload.items()
    )  # fmt: skip


def _files(disk: Disk, folder: str, base: str = "") -> list[str] | None:
    """The paths of all files under a directory."""
    found: list[str] = []
    if disk.kind(folder) != "folder":
        return None
    for name in disk.names(folder):
        path = posixpath.join(folder, name)
        inside = _files(disk, path, f"{base}{name}/") if disk.kind(path) == "folder" else None
        found += [base + name] if inside is None else inside
    return found


def _link(disk: Disk, folder: str, payload: Payload) -> None:
    """The links that users see, and no others."""
    wanted = dict.fromkeys(path.partition("/")[0] for path in payload)
    for name in disk.names(folder):
        stale = not name.startswith("..") and name not in wanted
        if stale and disk.kind(posixpath.join(folder, name)) == "link":
            disk.remove(posixpath.join(folder, name))
    for name in wanted:
        if not disk.kind(posixpath.join(folder, name)):
            disk.link(f"{DATA}/{name}", posixpath.join(folder, name))
