"""The names under which a program finds its own open streams: /dev/stdin, /dev/fd/3, /dev/tty."""

import errno
import re
from typing import Any, Final

from cluster.runtime.vos.files import Link, error
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.shell.redirecting import FileWriter
from cluster.runtime.vos.streams import Reader, Writer

_NUMBERED: Final = re.compile(r"/(?:dev|proc/self|proc/thread-self)/fd/(\d{1,3})")
_NAMED: Final = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_CONSOLE: Final = ("/dev/console", "/proc/1/fd/1", "/proc/1/fd/2")


def reader(call: Call, path: str) -> Reader | None:
    """The stream that a path means, to be read; None where it means none. OSError."""
    found = _stream(call, path)
    if found is not None and not hasattr(found, "read"):
        raise error(errno.EACCES, path)
    return found  # type: ignore[no-any-return]


def writer(call: Call, path: str, *, append: bool = False) -> Writer:
    """Who writes to a path: to a stream that it means, or to a file. OSError."""
    found = _stream(call, path)
    if found is None:
        return FileWriter(call.files, call.files.create(path, append=append), path)
    if not hasattr(found, "write"):
        raise error(errno.EACCES, path)
    return found  # type: ignore[no-any-return]


def means(path: str) -> bool:
    """Whether a path is of the names that mean streams."""
    return path == "/dev/tty" or _number(path) is not None


def _number(path: str) -> int | None:
    if path in _NAMED:
        return _NAMED[path]
    found = _NUMBERED.fullmatch(path)
    return None if found is None else int(found[1])


def _stream(call: Call, path: str) -> Any:
    path = _followed(call, path)
    if path == "/dev/tty":
        if call.process.tty is None:
            raise error(errno.ENXIO, path)
        return call.process.tty
    if path in _CONSOLE:
        return call.kernel.console
    number = _number(path)
    if number is None or (path.startswith("/dev/fd/") and call.files.exists(path)):
        return None  # files of `<(…)` lie there, too
    io = call.io
    found = {0: io.stdin, 1: io.stdout, 2: io.stderr, **io.more}.get(number)
    if found is None:
        raise error(errno.ENOENT, path)
    return found


def _followed(call: Call, path: str) -> str:
    """Where a symbolic link to such a name leads: images log to them so."""
    if means(path):
        return path
    try:
        found = call.files.find(path, follow=False)
    except OSError:
        return path
    return found.target if isinstance(found, Link) and means(found.target) else path
