"""`sh` as a program: a script by `-c`, from a file or stdin, or interactive at a terminal."""

import signal as signals

from cluster.runtime.vos import files
from cluster.runtime.vos.kernel import Call, Process, TooMany, decoded, encoded
from cluster.runtime.vos.shell import completing, parsing, variables
from cluster.runtime.vos.shell.builtins import BUILTINS, set_
from cluster.runtime.vos.shell.running import Shell
from cluster.runtime.vos.shell.state import Exit, State
from cluster.runtime.vos.shell.words import Incomplete, Wrong

_INT = int(signals.SIGINT)
_KEPT = 99
"""Lines that arrow keys bring back, but for the last."""


async def sh(call: Call) -> int:
    """`sh [-eux] [-c SCRIPT [NAME [WORD…]]] [FILE [WORD…]]`."""
    rest = list(call.argv[1:])
    flags = ""
    while rest and rest[0][:1] == "-" and len(rest[0]) > 1 and rest[0] != "--":
        word = rest.pop(0)
        if word.startswith("--"):
            continue
        if word[1:] == "o" and rest:
            flags += "o" + rest.pop(0) + " "
        else:
            flags += word[1:]
    if rest[:1] == ["--"]:
        rest.pop(0)
    text: str | None = None
    name = call.argv[0]
    if "c" in flags:
        if not rest:
            return await call.complain("-c requires an argument", 2)
        text = rest.pop(0)
        name, rest = (rest[0], rest[1:]) if rest else (name, rest)
    elif rest and "s" not in flags:
        name = rest.pop(0)
        try:
            text = decoded(call.files.read(call.path(name)))
        except OSError as error:
            return await call.complain(f"can't open '{name}': {error.strerror}", 2)
    return await _run(call, text, name, rest, flags)


async def _run(call: Call, text: str | None, name: str, rest: list[str], flags: str) -> int:
    environment = {"PWD": call.cwd, **call.env}
    bash = call.argv[0].rpartition("/")[2] == "bash"
    place = files.absolute(call.cwd, "/")
    state = State(environment, name=name, positional=rest, cwd=place, bash=bash)
    state.pid = call.process.pid
    variables.give(state, call.process)
    shell = Shell(call.process, state, BUILTINS)
    for letter in flags:
        if letter in "eux":
            await set_(shell, ["set", f"-{letter}"], call.io)
    if text is not None:
        return await shell.script(text, call.io)
    if call.process.tty is not None and call.io.stdin is call.process.tty:
        return await _Interactive(shell, call).run()
    return await _from_stdin(shell, call)


async def _from_stdin(shell: Shell, call: Call) -> int:
    """Read commands as they come; each runs as soon as it is whole."""
    text = ""
    try:
        while line := await call.io.stdin.read_line():
            text += decoded(line)
            try:
                tree = parsing.parse(text, bash=shell.state.bash)
            except Incomplete:
                continue
            except Wrong as wrong:
                return await shell.wrong(wrong, call.io)
            text = ""
            await shell.top(tree, call.io)
        code = await shell.run(text, call.io) if text else shell.state.status
    except Exit as ended:
        code = ended.code
    return await shell.leave(code, call.io)


class _Interactive:
    """The shell at a terminal: prompts, and survives what it runs."""

    def __init__(self, shell: Shell, call: Call) -> None:
        self._shell = shell
        self._call = call
        self._text = ""
        self._job: Process | None = None
        self._before: list[bytes] = []
        """Lines that were typed, the last ones."""

    async def run(self) -> int:
        """Until `exit`, or Ctrl-D at the begin of a line."""
        shell, io = self._shell, self._call.io
        shell.process.handlers[_INT] = self._interrupted
        try:
            while True:
                await io.stdout.write(encoded(self._prompt()))
                line = await self._read()
                if not line:
                    await io.stdout.write(b"exit\n" if not self._text else b"\n")
                    return await shell.leave(shell.state.status, io)
                await self._line(decoded(line))
        except Exit as ended:
            return await shell.leave(ended.code, io)

    async def _read(self) -> bytes:
        """A line; arrow keys bring back those before it, but only here."""
        tty = self._call.process.tty
        if tty is None:
            return await self._call.io.stdin.read_line()
        tty.remember(self._before, self._tabbed)
        line = await self._call.io.stdin.read_line()
        tty.remember(())
        plain = line.rstrip(b"\n")
        if plain.strip() and plain not in self._before[-1:]:
            self._before = [*self._before[-_KEPT:], plain]
        return line

    def _tabbed(self, line: str) -> tuple[str, str]:
        more, names = completing.completed(self._shell, line)
        return more, f"\n{'  '.join(names)}\n{self._prompt()}" if names else ""

    def _prompt(self) -> str:
        state = self._shell.state
        if self._text:
            return "> "
        home = state.get("HOME")
        place = "~" if home and state.cwd == home else state.cwd
        if state.bash:
            return f"root@{self._call.kernel.hostname}:{place}# "
        return f"{place} # "

    def _interrupted(self, number: int) -> None:
        if self._job is not None:
            self._job.signal(number)
            return
        self._text = ""
        self._shell.state.status = 128 + number
        if self._call.process.tty is not None:
            self._call.process.tty.nudge()

    async def _line(self, line: str) -> None:
        self._text += line
        shell, io = self._shell, self._call.io
        try:
            tree = parsing.parse(self._text, bash=shell.state.bash)
        except Incomplete:
            return
        except Wrong as wrong:
            self._text = ""
            await shell.wrong(wrong, io)
            return
        self._text = ""
        if not tree.items:
            return
        left: list[Exit] = []

        async def body(_process: Process) -> int:
            try:
                return await shell.top(tree, io)
            except Exit as ended:
                left.append(ended)
                return ended.code

        try:
            self._job = shell.kernel.fork(
                ["sh"], io, body, tty=shell.process.tty, who=shell.process.who
            )
        except TooMany:
            await io.stderr.write(b"sh: can't fork: Resource temporarily unavailable\n")
            return
        try:
            shell.state.status = await self._job.wait()
        finally:
            if self._job.code is None:
                self._job.signal(9)
            self._job = None
        if left:
            raise left[0]
