"""Copies what is in a tree of files to another place: a directory with all below it. Pure."""

from typing import Final

from cluster.runtime.vos.credentials import Credentials
from cluster.runtime.vos.nodes import File, Folder, Link, Node

_COPIED: Final = 1 << 20
"""Bytes that are copied at a time."""


def into(folder: Folder, name: str, node: Node, *, who: Credentials, now: float, path: str) -> None:
    """Copy `node` into a directory, as somebody does it; `path` is told in errors. OSError."""
    if isinstance(node, Link):
        _takes(folder.make_link(name, node.target, now, path), node, who)
    elif isinstance(node, File):
        made = folder.make_file(name, now, path)
        _takes(made, node, who)
        place = 0
        while data := node.piece(place, _COPIED):
            made.append(data, now, path)
            place += len(data)
        made.mode = node.mode
    else:
        inside = folder.make_folder(name, now, path)
        _takes(inside, node, who)
        inside.mode = node.mode
        for each in sorted(node.entries):
            into(inside, each, node.entries[each], who=who, now=now, path=path)


def _takes(made: Node, node: Node, who: Credentials) -> None:
    """A copy is whose the other is, where root made it, and else its maker's."""
    owner = (node.uid, node.gid) if who.root else (who.uid, who.gid)
    if (made.uid, made.gid) != owner:
        made.own(*owner)
