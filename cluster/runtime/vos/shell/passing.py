"""bash's `<(…)` and `>(…)`.

Where one is a redirection, it is a pipe to a process that runs meanwhile. Where it is a word, what
it stands for is a file below /dev/fd: that of `<(…)` is written before the command begins, and
what a command wrote to that of `>(…)` is read when it has ended.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cluster.runtime.vos import files
from cluster.runtime.vos.kernel import Io, Process
from cluster.runtime.vos.shell import syntax
from cluster.runtime.vos.shell.words import Wrong
from cluster.runtime.vos.streams import Bytes, Collected, Pipe

if TYPE_CHECKING:
    from cluster.runtime.vos.shell.running import Shell

_FOLDER: Final = "/dev/fd"
_HIGHEST: Final = 63
_LOWEST: Final = 10
_MOST: Final = 4 << 20
"""Bytes that one of them holds."""


@dataclass(frozen=True, slots=True)
class Given:
    """A file that was made for a command."""

    number: int
    file: files.File
    reader: syntax.Sequence_ | None
    """What reads it in the end."""


def _folder(shell: "Shell") -> files.Folder:
    tree = shell.kernel.files
    device = tree.find("/dev")
    if not isinstance(device, files.Folder):
        raise Wrong(f"{_FOLDER}: Not a directory")
    found = device.entries.get("fd")
    if not isinstance(found, files.Folder):
        found = device.make_folder("fd", shell.kernel.clock.now())
    return found


async def named(shell: "Shell", part: syntax.Passed) -> str:
    """The path of the file that it becomes. Wrong."""
    folder, now = _folder(shell), shell.kernel.clock.now()
    free = (one for one in range(_HIGHEST, _LOWEST, -1) if str(one) not in folder.entries)
    number = next(free, None)
    if number is None:
        raise Wrong("cannot make pipe for process substitution: Too many open files")
    file = folder.make_file(str(number), now)
    file.mode = 0o666
    shell.passed.append(Given(number, file, part.body if part.writes else None))
    if not part.writes:
        written = Collected(_MOST)
        await shell.inside(part.body, Io(shell.io.stdin, written, shell.io.stderr))
        file.append(bytes(written.data), now)
    return f"{_FOLDER}/{number}"


async def finish(shell: "Shell", io: Io) -> None:
    """The command has ended: what is to be read is read, and the files go."""
    given, shell.passed = shell.passed, []
    folder = _folder(shell)
    for one in given:
        content = one.file.content()
        folder.drop(str(one.number))
        if one.reader is not None:
            await shell.inside(one.reader, Io(Bytes(content), io.stdout, io.stderr))


def only(word: syntax.Word) -> syntax.Passed | None:
    """A word that is one of these and nothing else."""
    first = word.parts[0] if len(word.parts) == 1 else None
    return first if isinstance(first, syntax.Passed) else None


async def piped(
    shell: "Shell", part: syntax.Passed, io: Io
) -> tuple[Any, Callable[[], Awaitable[None]]]:
    """The pipe that a redirection becomes, and what is to be done when the command has ended."""
    pipe = Pipe()
    inner = Io(pipe, io.stdout, io.stderr) if part.writes else Io(io.stdin, pipe, io.stderr)
    job = await shell.fork(["sh"], part.body, inner)
    if job is None:
        pipe.end()
    else:
        job.on_end(lambda _code: pipe.break_() if part.writes else pipe.end())

    async def ended() -> None:
        await _ended(pipe, job, writes=part.writes)

    return pipe, ended


async def _ended(pipe: Pipe, job: Process | None, *, writes: bool) -> None:
    if not writes:
        pipe.break_()
        return
    pipe.end()
    if job is not None:
        await job.wait()
