"""What a container's command line asks for: to wait, a script for the virtual OS, or neither.

What is not understood is nobody's error: it is a program of the image, and the container then runs
as a server.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_SHELLS: Final = ("sh", "ash", "bash", "dash")
_WAITING: Final = ("sleep", "true", "false", "sh", "ash", "bash", "dash")


@dataclass(frozen=True, slots=True)
class Course:
    """How a command that prints nothing runs: `seconds` (inf: until it is stopped), then `code`.

    None of these heeds SIGTERM as the first process of a container: the kernel drops signals that
    such a process has no handler for.
    """

    seconds: float
    code: int


def course(argv: Sequence[str]) -> Course | None:
    """The course of a command line that only waits; it needs no process. None for any other."""
    return _course(tuple(argv)) if argv else None


def understood(argv: Sequence[str], has: Callable[[str], bool] | None = None) -> bool:
    """Whether every program that a command line names is there: in the virtual OS, or by `has`."""
    if has is None:
        return _understood(tuple(argv)) if argv else False
    named = _named(tuple(argv)) if argv else None
    if named is None:
        return False
    from cluster.runtime.vos.shell.builtins import BUILTINS

    # The first is named as it stands: a program may have a path of its own.
    return has(argv[0]) and all(one in BUILTINS or has(one) for one in named[1:])


@lru_cache(1024)
def _course(argv: tuple[str, ...]) -> Course | None:
    program = argv[0].rpartition("/")[2]
    if program not in _WAITING:
        return None
    if program in _SHELLS:
        words = _only_words(argv)
        return _simple(words) if words else None
    return _simple((program, *argv[1:]))


def _simple(words: tuple[str, ...]) -> Course | None:
    from cluster.runtime.vos.programs import system

    program = words[0].rpartition("/")[2]
    if program == "exec" and len(words) > 1:
        return _simple(words[1:])
    if program in ("true", ":", "false"):
        return Course(0.0, int(program == "false"))
    if program == "exit":
        code = words[1] if len(words) == 2 else "x"
        return Course(0.0, int(code) & 0xFF) if code.isdigit() and len(code) < 10 else None
    if program != "sleep" or len(words) == 1:
        return None
    found = [system.seconds(text) for text in words[1:]]
    times = [one for one in found if one is not None and not math.isnan(one)]
    return Course(sum(times), 0) if len(times) == len(found) else None


def _only_words(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The words of the one plain command that a `sh -c` has; () for any other."""
    from cluster.runtime.vos.shell import parsing, syntax

    if len(argv) != 3 or argv[1] not in ("-c", "-ec", "-ce"):
        return ()
    try:
        items = parsing.parse(argv[2], bash=argv[0].endswith("bash")).items
    except parsing.Wrong:
        return ()
    if len(items) != 1 or items[0].background or len(items[0].steps) != 1:
        return ()
    pipeline = items[0].steps[0][1]
    command = pipeline.commands[0]
    if len(pipeline.commands) != 1 or pipeline.negated or not isinstance(command, syntax.Simple):
        return ()
    words = [word.literal for word in command.words]
    plain = [word for word in words if word is not None and not set(word) & set("*?[~")]
    whole = len(plain) == len(words) and not command.assignments and not command.redirects
    return tuple(plain) if whole else ()


@lru_cache(1024)
def _understood(argv: tuple[str, ...]) -> bool:
    from cluster.runtime.vos.programs import PROGRAMS
    from cluster.runtime.vos.shell.builtins import BUILTINS

    named = _named(argv)
    if named is None:
        return False
    known = set(PROGRAMS) | set(BUILTINS)
    return all(one in known for one in named)


@lru_cache(1024)
def _named(argv: tuple[str, ...]) -> tuple[str, ...] | None:
    """The programs that a command line names, without directories; None where that is in a file
    or cannot be read.
    """
    from cluster.runtime.vos.shell import parsing

    program = argv[0].rpartition("/")[2]
    if program not in _SHELLS:
        return (program,)
    rest = list(argv[1:])
    flags = ""
    while rest and rest[0].startswith("-"):
        flags += rest.pop(0)
        if flags.endswith("o") and rest:
            rest.pop(0)
    if "c" not in flags:
        return None if rest else (program,)
    try:
        tree = parsing.parse(rest[0], bash=program == "bash") if rest else None
    except parsing.Wrong:
        return None
    own: set[str] = set()
    names = list(_names(tree, own))
    return (program, *(name.rpartition("/")[2] for name in names if name not in own))


def _names(node: object, own: set[str]) -> Iterator[str]:
    """The programs that a script names; its functions go to `own`. "" is for what no one knows."""
    from cluster.runtime.vos.shell import syntax

    if isinstance(node, syntax.Simple):
        first = node.words[0].literal if node.words else None
        if first is not None:
            yield first
            after = next((word.literal for word in node.words[1:]), None)
            if first in ("exec", "command", "nohup", "env") and after and after[:1] != "-":
                yield after if "=" not in after else "env"
    if isinstance(node, syntax.Function):
        own.add(node.name)
    for child in _children(node):
        yield from _names(child, own)


def _children(node: object) -> Iterator[object]:
    if isinstance(node, (list, tuple)):
        yield from node
    elif dataclasses.is_dataclass(node):
        for field in dataclasses.fields(node):
            value = getattr(node, field.name)
            if not isinstance(value, (str, bool, int)):
                yield value
