"""What Tab makes of a line at a shell's prompt: names of programs, builtins and files. Pure."""

import posixpath
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cluster.runtime.vos import files

if TYPE_CHECKING:
    from cluster.runtime.vos.shell.running import Shell

_MOST: Final = 100
_BREAKS: Final = " \t;|&<>("


def completed(shell: "Shell", line: str) -> tuple[str, Sequence[str]]:
    """What is to be added to a line; and where nothing is, the names that it may become."""
    start = max(line.rfind(letter) for letter in _BREAKS) + 1
    word = line[start:]
    before = line[:start].rstrip(" \t")
    program = not before or before[-1] in ";|&("
    names = _programs(shell, word) if program and "/" not in word else _paths(shell, word)
    if not names:
        return "", ()
    common = posixpath.commonprefix(names)
    if len(names) == 1:
        return common[len(word) :] + ("" if common.endswith("/") else " "), ()
    return common[len(word) :], [one.rstrip("/").rpartition("/")[2] for one in names[:_MOST]]


def _programs(shell: "Shell", word: str) -> list[str]:
    every = {*shell.builtins, *shell.kernel.programs, *shell.state.functions}
    return sorted(one for one in every if one.startswith(word) and "/" not in one) if word else []


def _paths(shell: "Shell", word: str) -> list[str]:
    head, slash, last = word.rpartition("/")
    tree = shell.process.files
    place = files.absolute(head + slash, shell.state.cwd)
    try:
        names = tree.names(place)
    except OSError:
        return []
    return [
        head + slash + name + ("/" if tree.is_folder(posixpath.join(place, name)) else "")
        for name in names
        if name.startswith(last) and (last or not name.startswith("."))
    ]
