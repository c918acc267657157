"""COPY and ADD: which entries they make."""

import io
import posixpath
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from cluster.images import faults, rootfs
from cluster.images.dockerfile.layering import Entry

Found = list[tuple[str, bool, dict[str, Entry]]]
"""Sources: their base name, whether they are directories, and what is at and below them."""
_MAX_ARCHIVE: Final = 4 << 30
_REMOTE: Final = ("http://", "https://", "git://", "git@")


def is_remote(source: str) -> bool:
    """Whether ADD would have to fetch it."""
    return source.startswith(_REMOTE)


def placed(
    sources: Found, target: str, directory: str, kinds: dict[str, str], *,
    owner: tuple[int, int] = (0, 0), mode: int | None = None,
) -> dict[str, Entry]:  # fmt: skip
    """The entries that copying sources to `target` makes, by absolute path; parents are made.

    ValueError.
    """
    path = posixpath.normpath(posixpath.join(directory, target))
    path = "/" + path.lstrip("/")
    into = target.endswith(("/", "/.")) or target == "." or kinds.get(path) == "dir"
    if len(sources) > 1 and not into:
        raise ValueError(
            "When using COPY with more than one source file, the destination must be a directory "
            "and end with a /"
        )
    made: dict[str, Entry] = {}
    for name, is_folder, entries in sources:
        base = path if is_folder or not into else posixpath.join(path, name)
        for inner, entry in entries.items():
            if is_folder and not inner and base in kinds:
                continue
            place = posixpath.join(base, inner) if inner else base
            own = replace(entry, uid=owner[0], gid=owner[1])
            made[place] = own if mode is None or own.kind == "link" else replace(own, mode=mode)
    for place in list(made):
        _with_parents(place, made, kinds, owner)
    made.pop("/", None)
    return made


def _with_parents(
    path: str, made: dict[str, Entry], kinds: dict[str, str], owner: tuple[int, int]
) -> None:
    parent = posixpath.dirname(path)
    while parent != "/" and parent not in made and parent not in kinds:
        made[parent] = Entry("dir", 0o755, *owner)
        parent = posixpath.dirname(parent)


def unpacked(path: Path, spool: Callable[[tarfile.TarFile, tarfile.TarInfo], Entry]) -> dict[
    str, Entry
] | None:  # fmt: skip
    """What is in an archive, by path; None where the file is none. faults.Fault."""
    try:
        archive = tarfile.open(path, "r:*")  # noqa: SIM115
    except (tarfile.TarError, OSError, EOFError):
        return None
    found: dict[str, Entry] = {"": Entry("dir", 0o755)}
    total = 0
    with archive:
        try:
            for member in archive:
                inner = rootfs.clean(member.name).lstrip("/")
                total += member.size
                if total > _MAX_ARCHIVE:
                    raise faults.Fault(f"{path.name} unpacks to more than {_MAX_ARCHIVE} bytes")
                if inner:
                    found[inner] = spool(archive, member)
        except (tarfile.TarError, EOFError, io.UnsupportedOperation, OSError) as error:
            raise faults.Corrupt(f"{path.name} is damaged: {error}") from error
    return found


def owner_of(said: str, passwd: bytes, group: bytes) -> tuple[int, int]:
    """The numbers of `user[:group]`. ValueError in docker's words."""
    if not said:
        return 0, 0
    user, _, own_group = said.partition(":")
    uid, gid = _number(user, passwd, "user", "passwd")
    if own_group:
        gid, _ = _number(own_group, group, "group", "group")
    return uid, gid


def _number(text: str, table: bytes, what: str, file: str) -> tuple[int, int]:
    """The id of a name, and the one after it in its line (a user's group)."""
    if text.isdecimal() and int(text) < 1 << 32:
        return int(text), int(text)
    for line in table.decode(errors="replace").splitlines():
        fields = line.split(":")
        if len(fields) >= 3 and fields[0] == text and fields[2].isdecimal():
            following = fields[3] if len(fields) > 3 and fields[3].isdecimal() else fields[2]
            return int(fields[2]), int(following)
    if text == "root":
        return 0, 0
    raise ValueError(f"unable to find {what} {text}: no matching entries in {file} file")
