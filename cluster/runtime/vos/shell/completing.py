"""What Tab makes of a line at a shell's prompt: names of programs, builtins and files. Pure."""

import posixpath
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cluster.runtime.vos import files

if TYPE_CHECKING:
    from cluster.runtime.vos.shell.running import Shell

_MOST: Final = 100
_BREAKS: Final = " \t;|&<>("
_ESCAPED: Final = re.compile(r"[ \t;|&<>()$`\"'\\*?\[\]#!{}]")
"""What is escaped in a name that is added."""


def completed(shell: "Shell", line: str) -> tuple[str, Sequence[str]]:
    """What is to be added to a line; and where nothing is, the names that it may become."""
    start = _begin(line)
    word = re.sub(r"\\(.)", r"\1", line[start:])
    before = line[:start].rstrip(" \t")
    program = not before or before[-1] in ";|&("
    names = _variables(shell, line[start:])
    if not names:
        named = program and "/" not in word
        names = _programs(shell, word) if named else _paths(shell, word)
    if not names:
        return "", ()
    common = posixpath.commonprefix(names)
    more = re.sub(_ESCAPED, r"\\\g<0>", common[len(word) :])
    if len(names) == 1:
        return more + ("" if common.endswith("/") else " "), ()
    return more, [one.rstrip("/").rpartition("/")[2] for one in names[:_MOST]]


def _begin(line: str) -> int:
    """Where the last word begins: behind what parts words, unless it is escaped."""
    start = at = 0
    while at < len(line):
        escaped = line[at] == "\\"
        start = at + 1 if line[at] in _BREAKS else start
        at += 2 if escaped else 1
    return start


def _variables(shell: "Shell", word: str) -> list[str]:
    """What a word becomes that ends in the begin of a variable's name."""
    found = re.fullmatch(r"([^\\]*\$)(\w+)", word)
    if found is None:
        return []
    every = sorted(name for name, _ in shell.state.variables() if name.startswith(found[2]))
    return [found[1] + name for name in every]


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
