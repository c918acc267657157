"""Redirections of a command: files, duplicates, here-documents."""

import errno
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from cluster.runtime.vos import devices, filereading, files
from cluster.runtime.vos.kernel import Io, decoded, encoded
from cluster.runtime.vos.shell import passing, syntax
from cluster.runtime.vos.shell.state import State
from cluster.runtime.vos.streams import NOTHING, Bytes

if TYPE_CHECKING:
    from cluster.runtime.vos.shell.running import Shell

_CONSOLE: Final = ("/dev/console", "/proc/1/fd/1", "/proc/1/fd/2")
_FD: Final = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,3})")
_NOT_FOUND: Final = 127
_NOT_EXECUTABLE: Final = 126


class FileWriter:
    """Writes to the end of a file."""

    def __init__(self, tree: files.FileSystem, file: files.File, path: str) -> None:
        self._tree = tree
        self._file = file
        self._path = path

    async def write(self, data: bytes) -> None:
        """See `streams.Writer`. OSError ENOSPC."""
        self._tree.write(self._file, data, self._path)


async def applied(
    shell: "Shell",
    redirects: Sequence[syntax.Redirect],
    io: Io,
    run: Callable[[Io], Awaitable[int]],
) -> int:
    """The status of what `run` does with redirected descriptors; 1 where one cannot be opened or
    written to, which is told.
    """
    if not redirects:
        return await run(io)
    made = Io(io.stdin, io.stdout, io.stderr, dict(io.more))
    path = ""
    ends: list[Callable[[], Awaitable[None]]] = []
    try:
        for redirect in redirects:
            part = passing.only(redirect.word)
            if part is not None:
                opened, ended = await passing.piped(shell, part, io)
                ends.append(ended)
                _set(made, redirect.descriptor, opened)
                continue
            path = await shell.expand.text(redirect.word)
            _redirect(shell, redirect, path, made)
    except OSError as error:
        verb = "create" if redirect.operator[0] in ">&" else "open"
        text = f"{shell.state.name}: can't {verb} {path}: {error.strerror}\n"
        await io.stderr.write(encoded(text))
        return 1
    try:
        return await run(made)
    except OSError as error:
        await io.stderr.write(encoded(f"{shell.state.name}: write error: {error.strerror}\n"))
        return 1
    finally:
        for ended in ends:
            await ended()


def _redirect(shell: "Shell", redirect: syntax.Redirect, text: str, io: Io) -> None:
    if redirect.operator in ("<<", "<<<"):
        opened: Any = Bytes(encoded(text if redirect.operator == "<<" else text + "\n"))
    elif redirect.operator in (">&", "<&"):
        opened = NOTHING if text == "-" else _descriptor(io, text)
    elif redirect.operator == "<":
        opened = reader(shell, files.absolute(text, shell.state.cwd), io)
    else:
        append = redirect.operator.endswith(">>")
        opened = writer(shell, files.absolute(text, shell.state.cwd), io, append=append)
        if redirect.operator[0] == "&":
            io.stderr = opened
    _set(io, redirect.descriptor, opened)


def _descriptor(io: Io, text: str) -> Any:
    found = {"0": io.stdin, "1": io.stdout, "2": io.stderr}.get(text)
    if found is None:
        found = io.more.get(int(text)) if text.isdigit() else None
    if found is None:
        raise files.error(9, text)
    return found


def _set(io: Io, number: int, opened: Any) -> None:
    if number == 0:
        io.stdin = opened
    elif number == 1:
        io.stdout = opened
    elif number == 2:
        io.stderr = opened
    else:
        io.more[number] = opened


def _given(shell: "Shell", path: str) -> bool:
    """Whether it is a file of `<(…)`."""
    return path.startswith("/dev/fd/") and shell.kernel.files.exists(path)


def reader(shell: "Shell", path: str, io: Io) -> Any:
    """What reads a file, a device included. OSError."""
    if path in ("/dev/stdin", "/dev/tty"):
        return io.stdin
    if (number := _FD.fullmatch(path)) is not None and not _given(shell, path):
        return _descriptor(io, number[1])
    device = devices.opened(shell.kernel, path) if path.startswith("/dev/") else None
    return filereading.opened(shell.process.files, path) if device is None else device


def writer(shell: "Shell", path: str, io: Io, *, append: bool) -> Any:
    """What writes to a file, a device included. OSError."""
    if path == "/dev/null":
        return NOTHING
    if path in ("/dev/stdout", "/dev/tty"):
        return io.stdout
    if (number := _FD.fullmatch(path)) is not None and not _given(shell, path):
        return _descriptor(io, number[1])
    if path == "/dev/stderr":
        return io.stderr
    if path in _CONSOLE:
        return shell.kernel.console
    tree = shell.process.files
    return FileWriter(tree, tree.create(path, append=append), path)


async def file_as_program(shell: "Shell", words: Sequence[str], io: Io) -> int:
    """Run a script that is a file; its exit code."""
    path = files.absolute(words[0], shell.state.cwd)
    try:
        found = shell.process.files.find(path)
        if not shell.process.who.may_execute(found):
            raise files.error(errno.EACCES, path)
        text = decoded(shell.process.files.read(path))
    except OSError as error:
        code = _NOT_FOUND if error.errno == 2 else _NOT_EXECUTABLE
        why = "not found" if error.errno == 2 else "Permission denied"
        await io.stderr.write(encoded(f"{shell.state.name}: {words[0]}: {why}\n"))
        return code
    first = text.partition("\n")[0]
    bash = first.startswith("#!") and first.rstrip().endswith("bash")
    state = State(
        shell.state.environment(), name=words[0], positional=words[1:], cwd=shell.state.cwd,
        bash=bash,
    )  # fmt: skip
    return await shell.child(state, text, io)
