"""Carries a sed script out over lines."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cluster.runtime.vos import streams
from cluster.runtime.vos.kernel import Call, decoded, encoded
from cluster.runtime.vos.programs.sed.commands import Command
from cluster.runtime.vos.programs.sed.replacing import replaced, visible

_MAX_SPACE: Final = 1 << 20


class _Quit(Exception):
    """The script ends; its argument is the exit code."""


class Run:
    """Runs a script over lines."""

    def __init__(self, call: Call, commands: Sequence[Command], *, quiet: bool) -> None:
        self._call = call
        self._commands = commands
        self._quiet = quiet
        self.space = b""
        self.number = 0
        self.is_last = False
        self.hold = b""
        self._lines: list[bytes] = []
        self._at = 0
        self._out: streams.Writer = call.io.stdout
        self._later: list[bytes] = []
        self._changed = False

    async def run(self, lines: list[bytes], out: streams.Writer) -> int:
        """Run over these lines, into `out`; the exit code."""
        self._lines, self._at, self._out = lines, 0, out
        again = False
        try:
            while again or self._next():
                again = await self._cycle()
        except _Quit as quit_:
            await self._append()
            return int(quit_.args[0])
        return 0

    def _next(self) -> bool:
        if self._at >= len(self._lines):
            return False
        self.space = self._lines[self._at]
        self._advance()
        return True

    def _advance(self) -> None:
        self._at += 1
        self.number += 1
        self.is_last = self._at >= len(self._lines)

    async def _cycle(self) -> bool:
        """One line through the script; whether to begin again without a new one (`D`)."""
        self._changed = False
        at = 0
        while at < len(self._commands):
            await self._call.kernel.step()
            command = self._commands[at]
            at += 1
            if command.name in ":}":
                continue
            if self._chosen(command) == command.negated:
                at = command.jump if command.name == "{" else at
                continue
            if command.name == "{":
                continue
            if command.name in "btT":
                if command.name == "b" or self._changed == (command.name == "t"):
                    at = command.jump
                self._changed = self._changed and command.name == "b"
                continue
            ended = await self._do(command)
            if ended:
                await self._append()
                return ended == "again"
        await self._print()
        await self._append()
        return False

    def _chosen(self, command: Command) -> bool:
        if command.first is None:
            return True
        if command.second is None:
            return command.first.fits(self)
        if command.open:
            if command.until:
                command.open = self.number < command.until
                return self.number <= command.until
            command.open = not command.second.fits(self)
            return True
        if not command.first.fits(self):
            return False
        end = self.number + command.more if command.more else command.second.number
        plain = command.second.pattern is None and not command.second.last
        command.until = end if plain else 0
        command.open = self.number < end if plain else not (command.second.last and self.is_last)
        return True

    async def _do(self, command: Command) -> str:
        """Carry a command out; "end" or "again" where it ends the cycle."""
        name = command.name
        simple = _SIMPLE.get(name)
        if simple is not None:
            simple(self)
        elif name == "s":
            await self._substitute(command)
        elif name == "y":
            self.space = encoded(decoded(self.space).translate(command.table))
        elif name in "pP=li":
            await self._out.write(self._shown(command))
        elif name == "a":
            self._later.append(command.text)
        elif name == "r":
            self._read(command.label)
        elif name == "w":
            self._write(command.label)
        else:
            return await self._end(command)
        if len(self.space) + len(self.hold) > _MAX_SPACE:
            raise streams.TooMuch
        return ""

    def _shown(self, command: Command) -> bytes:
        if command.name == "p":
            return self.space + b"\n"
        if command.name == "P":
            return self.space.partition(b"\n")[0] + b"\n"
        if command.name == "=":
            return b"%d\n" % self.number
        return visible(self.space) + b"$\n" if command.name == "l" else command.text

    async def _end(self, command: Command) -> str:
        name = command.name
        if name == "d":
            return "end"
        if name == "D":
            head, newline, rest = self.space.partition(b"\n")
            self.space = rest if newline else head
            return "again" if newline else "end"
        if name == "c":
            if command.second is None or not command.open:
                await self._out.write(command.text)
            return "end"
        if name in "qQ":
            if name == "q":
                await self._print()
            raise _Quit(command.nth)
        if self._at >= len(self._lines):
            if name in ("n", "N"):
                await self._print()
            raise _Quit(0)
        if name == "n":
            await self._print()
            self.space = self._lines[self._at]
        else:
            self.space += b"\n" + self._lines[self._at]
        await self._append()
        self._advance()
        return ""

    async def _print(self) -> None:
        if not self._quiet:
            await self._out.write(self.space + b"\n")

    async def _append(self) -> None:
        for text in self._later:
            await self._out.write(text)
        self._later.clear()

    def _read(self, name: str) -> None:
        try:
            self._later.append(self._call.files.read(self._call.path(name)))
        except OSError:
            return

    def _write(self, name: str) -> None:
        file = self._call.files.create(self._call.path(name), append=True)
        self._call.files.write(file, self.space + b"\n")

    async def _substitute(self, command: Command) -> None:
        made = bytearray()
        at = count = 0
        last = -1
        for found in command.pattern.finditer(self.space):
            if found.start() == found.end() == last:
                continue  # nothing, right behind the last one
            last = found.end()
            count += 1
            if count < command.nth:
                continue
            made += self.space[at : found.start()] + replaced(command.text, found)
            at = found.end()
            if len(made) > _MAX_SPACE:
                raise streams.TooMuch
            if "g" not in command.flags:
                break
        if count < command.nth or count == 0:
            return
        self.space = bytes(made) + self.space[at:]
        self._changed = True
        if "p" in command.flags:
            await self._out.write(self.space + b"\n")
        if command.label:
            self._write(command.label)


def _get(run: Run) -> None:
    run.space = run.hold


def _get_more(run: Run) -> None:
    run.space += b"\n" + run.hold


def _keep(run: Run) -> None:
    run.hold = run.space


def _keep_more(run: Run) -> None:
    run.hold += b"\n" + run.space


def _swap(run: Run) -> None:
    run.space, run.hold = run.hold, run.space


def _empty(run: Run) -> None:
    run.space = b""


_SIMPLE: Final[Mapping[str, Callable[[Run], None]]] = {
    "g": _get, "G": _get_more, "h": _keep, "H": _keep_more, "x": _swap, "z": _empty,
}  # fmt: skip
