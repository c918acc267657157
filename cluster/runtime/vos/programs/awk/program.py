"""`awk`'s command line, and the records that it reads."""

import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from typing import Final

from cluster.runtime.vos import streams
from cluster.runtime.vos.kernel import Call, Program, decoded, encoded
from cluster.runtime.vos.programs import inputs
from cluster.runtime.vos.programs.awk import reading, running, values
from cluster.runtime.vos.programs.awk.running import Machine
from cluster.runtime.vos.programs.awk.syntax import Wrong
from cluster.runtime.vos.programs.awk.values import Input

_FLUSH: Final = 256
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_ESCAPES: Final = {"\\t": "\t", "\\n": "\n", "\\\\": "\\", "\\r": "\r"}


async def awk(call: Call) -> int:
    """`awk [-F SEPARATOR] [-v NAME=VALUE]… [-f FILE | PROGRAM] [FILE | NAME=VALUE…]`."""
    try:
        text, assigned, operands = _arguments(call)
        machine = Machine(call, reading.parse(text))
        for name, value in assigned:
            machine.put(name, Input(_unescaped(value)))
        machine.variables["ARGC"] = float(len(operands) + 1)
        machine.variables["ARGV"] = {str(at): one for at, one in enumerate(["awk", *operands])}
        return await _Run(call, machine, operands, whole="getline" in text).go()
    except Wrong as wrong:
        return await call.complain(str(wrong), 2)
    except (running.Next, running.Break, running.Continue, running.Return):
        return await call.complain("syntax error: a statement is not where it belongs", 2)
    except OSError as error:
        return await call.complain(f"can't open file {error.filename}: {error.strerror}", 2)


def _unescaped(text: str) -> str:
    return re.sub(r"\\[tnr\\]", lambda found: _ESCAPES[found[0]], text)


def _arguments(call: Call) -> tuple[str, list[tuple[str, str]], list[str]]:
    """The program, variables and operands. Wrong, OSError."""
    assigned: list[tuple[str, str]] = []
    texts: list[str] = []
    words = list(call.argv[1:])
    while words and words[0].startswith("-") and len(words[0]) > 1:
        word = words.pop(0)
        if word == "--":
            break
        if word[:2] not in ("-F", "-v", "-f"):
            raise Wrong(f"unrecognized option: {word[1:]}")
        value = word[2:] or (words.pop(0) if words else "")
        if word[:2] == "-F":
            assigned.append(("FS", "\t" if value == "t" else value))
        elif word[:2] == "-f":
            texts.append(decoded(call.files.read(call.path(value))))
        else:
            found = _ASSIGNMENT.fullmatch(value)
            if found is None:
                raise Wrong(f"invalid -v argument '{value}'")
            assigned.append((found[1], found[2]))
    if not texts:
        if not words:
            raise Wrong("usage: awk [OPTIONS] [PROGRAM] [FILE]...")
        texts.append(words.pop(0))
    return "\n".join(texts), assigned, words


class _Run:
    """Runs BEGIN, the rules over all records, and END."""

    def __init__(
        self, call: Call, machine: Machine, operands: Sequence[str], *, whole: bool
    ) -> None:
        self._call = call
        self._machine = machine
        self._operands = operands
        self._whole = whole
        self._missed = False

    async def go(self) -> int:
        """The exit code. Wrong."""
        machine, program = self._machine, self._machine.program
        try:
            try:
                if self._whole:
                    await self._prepare()
                for block in program.begin:
                    await self._drive(machine.run(block))
                if program.rules or program.end:
                    await self._records()
            except running.Exit:
                pass
            else:
                await self._ends()
                return machine.code or (2 if self._missed else 0)
            await self._ends()
            return machine.code
        finally:
            await self._flush()

    async def _ends(self) -> None:
        for block in self._machine.program.end:
            try:
                await self._drive(self._machine.run(block))
            except running.Exit:
                return

    async def _drive(self, steps: running.Steps) -> None:
        for _ in steps:
            await self._call.kernel.step()
            if len(self._machine.out) > _FLUSH:
                await self._flush()

    async def _flush(self) -> None:
        machine = self._machine
        if machine.out:
            data = encoded("".join(machine.out))
            machine.out.clear()
            await self._call.io.stdout.write(data)
        if machine.errors:
            data = encoded("".join(machine.errors))
            machine.errors.clear()
            await self._call.io.stderr.write(data)

    async def _prepare(self) -> None:
        """Read all records first: `getline` takes them from there."""
        records: list[str] = []
        async for name in self._names():
            records += [one async for one in self._split(name)]
        records.reverse()
        self._machine.more = lambda: records.pop() if records else None

    async def _records(self) -> None:
        machine = self._machine
        if machine.more is not None:
            while (record := machine.more()) is not None:
                await self._one(record)
            return
        async for name in self._names():
            machine.put("FILENAME", "" if name == "-" else name)
            machine.put("FNR", 0.0)
            async for record in self._split(name):
                await self._one(record)
            await self._flush()

    async def _one(self, record: str) -> None:
        machine = self._machine
        machine.count()
        machine.take(record)
        with contextlib.suppress(running.Next):
            await self._drive(machine.rules())
        await self._call.kernel.step()
        if len(machine.out) > _FLUSH:
            await self._flush()

    async def _names(self) -> AsyncIterator[str]:
        """Files, one after another; assignments among them are made on the way."""
        any_ = False
        for operand in self._operands:
            found = _ASSIGNMENT.fullmatch(operand)
            if found is not None:
                self._machine.put(found[1], Input(_unescaped(found[2])))
                continue
            any_ = True
            yield operand
        if not any_:
            yield "-"

    async def _split(self, name: str) -> AsyncIterator[str]:
        try:
            reader = inputs.opened(self._call, name)
        except OSError as error:
            await self._call.complain(f"can't open file {name}: {error.strerror}")
            self._missed = True
            return
        separator = self._machine.string("RS")
        if separator == "\n":
            async for line in inputs.whole_lines(self._call, reader):
                yield decoded(line)
            return
        text = decoded(await streams.everything(reader))
        if separator == "":
            for part in re.split(r"\n{2,}", text.strip("\n")):
                if part:
                    yield part
            return
        parts = values.split(text, separator if separator != " " else "[ ]")
        if parts and parts[-1] in ("", "\n"):
            parts.pop()
        for part in parts:
            yield part


PROGRAMS: Final[dict[str, Program]] = dict.fromkeys(("awk", "gawk", "mawk"), awk)
