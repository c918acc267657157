"""`sed`: the commands of POSIX, -n, -e, -f, -i, -E."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cluster.runtime.vos import streams
from cluster.runtime.vos.kernel import Call, Program, decoded, encoded
from cluster.runtime.vos.programs import inputs, options, regular

_MAX_SPACE: Final = 1 << 20
_MAX_LINES: Final = 200_000
_MAX_COMMANDS: Final = 1000


class Wrong(Exception):
    """The script is none; the message says why."""


@dataclass(slots=True)
class _Place:
    """An address: a line's number, the last line, a pattern, or every `step`th line."""

    number: int = 0
    last: bool = False
    pattern: Any = None
    step: int = 0

    def fits(self, run: "_Run") -> bool:
        if self.pattern is not None:
            return self.pattern.search(run.space) is not None
        if self.step:
            return run.number >= self.number and (run.number - self.number) % self.step == 0
        return run.is_last if self.last else run.number == self.number


@dataclass(slots=True)
class _Command:
    """A command with its addresses."""

    name: str
    first: _Place | None = None
    second: _Place | None = None
    more: int = 0
    """`addr,+N`."""
    negated: bool = False
    text: bytes = b""
    pattern: Any = None
    flags: str = ""
    nth: int = 1
    label: str = ""
    jump: int = -1
    open: bool = False
    until: int = 0
    table: dict[int, int] = field(default_factory=dict)


class _Parser:
    """Reads a script."""

    def __init__(self, text: str, *, extended: bool) -> None:
        self._text = text
        self._at = 0
        self._extended = extended
        self._last: Any = None
        self.commands: list[_Command] = []

    def parse(self) -> list[_Command]:
        """All commands; `{` knows where its block ends, `b` and `t` where they jump. Wrong."""
        opened: list[int] = []
        while self._skip(" \t\n;"):
            if len(self.commands) > _MAX_COMMANDS:
                raise Wrong("too many commands")
            command = self._command()
            if command.name == "}":
                if not opened:
                    raise Wrong("unexpected '}'")
                self.commands[opened.pop()].jump = len(self.commands)
            elif command.name == "{":
                opened.append(len(self.commands))
            self.commands.append(command)
        if opened:
            raise Wrong("unmatched '{'")
        labels = {one.label: at for at, one in enumerate(self.commands) if one.name == ":"}
        for one in self.commands:
            if one.name in ("b", "t", "T"):
                if one.label and one.label not in labels:
                    raise Wrong(f"can't find label for jump to '{one.label}'")
                one.jump = labels[one.label] if one.label else len(self.commands)
        return self.commands

    def _skip(self, letters: str) -> bool:
        while self._at < len(self._text):
            letter = self._text[self._at]
            if letter == "#":
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end
            elif letter in letters:
                self._at += 1
            else:
                return True
        return False

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _command(self) -> _Command:
        made = _Command("")
        made.first = self._address()
        if made.first is not None and self._peek() == ",":
            self._at += 1
            while self._peek() in (" ", "\t"):
                self._at += 1
            if self._peek() == "+":
                self._at += 1
                made.more = self._digits() or 0
                made.second = _Place()
            else:
                made.second = self._address()
                if made.second is None:
                    raise Wrong("unexpected ','")
        while self._peek() in (" ", "\t", "!"):
            made.negated = made.negated or self._peek() == "!"
            self._at += 1
        made.name = self._peek()
        if not made.name or made.name not in "{}=abBcdDgGhHiIlnNpPqQrstTwxyz:":
            raise Wrong(f"unsupported command {made.name}" if made.name else "missing command")
        self._at += 1
        self._arguments(made)
        return made

    def _digits(self) -> int | None:
        found = re.compile(r"\d{1,9}").match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return int(found[0])

    def _address(self) -> _Place | None:
        letter = self._peek()
        if letter == "$":
            self._at += 1
            return _Place(last=True)
        number = self._digits()
        if number is not None:
            if self._peek() != "~":
                return _Place(number)
            self._at += 1
            return _Place(number, step=max(self._digits() or 0, 1))
        if letter not in ("/", "\\"):
            return None
        self._at += 1
        if letter == "\\":
            letter = self._peek()
            self._at += 1
        text = self._until(letter)
        small = self._peek() == "I"
        self._at += small
        return _Place(pattern=self._compiled(text, small=small))

    def _until(self, delimiter: str, *, pattern: bool = True) -> str:
        """Text to the next delimiter that is not escaped, and in a pattern not in brackets."""
        made = ""
        bracket = False
        while True:
            letter = self._peek()
            if not letter:
                raise Wrong("unterminated pattern")
            self._at += 1
            if letter == "\\" and self._peek():
                follows = self._peek()
                self._at += 1
                same = follows == delimiter and delimiter not in "()|+?{}.*[]^$&123456789"
                made += follows if same else letter + follows
            elif letter == delimiter and not bracket:
                return made
            else:
                if pattern and letter == "[" and not bracket:
                    bracket = True
                    rest = self._text[self._at :]
                    skip = 2 if rest.startswith("^]") else 1 if rest[:1] in ("]", "^") else 0
                    made += letter + rest[:skip]
                    self._at += skip
                    continue
                bracket = bracket and letter != "]"
                made += letter

    def _compiled(self, text: str, *, small: bool = False) -> Any:
        if not text:
            if self._last is None:
                raise Wrong("no previous regexp")
            return self._last
        try:
            self._last = regular.compiled(text, extended=self._extended, small=small)
        except regular.Bad as bad:
            raise Wrong(str(bad)) from bad
        return self._last

    def _arguments(self, made: _Command) -> None:
        if made.name == "s":
            self._substitution(made)
        elif made.name == "y":
            self._table(made)
        elif made.name in "aic":
            made.text = encoded(self._lines() + "\n")
        elif made.name in ":btT":
            found = re.compile(r"[ \t]*([^\s;}]*)").match(self._text, self._at)
            made.label = found[1] if found else ""
            self._at = found.end() if found else self._at
        elif made.name in "rw":
            end = self._text.find("\n", self._at)
            end = len(self._text) if end < 0 else end
            made.label = self._text[self._at : end].strip()
            self._at = end
        elif made.name in "qQlL":
            while self._peek() in (" ", "\t"):
                self._at += 1
            made.nth = self._digits() or 0
        if made.name in "gGhHnNpPdDxzqQ=ys}":
            rest = self._text[self._at :].lstrip(" \t")
            if rest and rest[0] not in ";\n}#":
                raise Wrong(f"extra characters after command: {rest[:20]}")

    def _lines(self) -> str:
        """The text of `a`, `i` and `c`: what follows, with lines that end in a backslash."""
        found = re.compile(r"[ \t]*\\?[ \t]*\n?").match(self._text, self._at)
        self._at = found.end() if found else self._at
        made = ""
        while (letter := self._peek()) and letter != "\n":
            self._at += 1
            if letter == "\\":
                letter = self._peek()
                self._at += 1
            made += letter
        return made

    def _substitution(self, made: _Command) -> None:
        delimiter = self._peek()
        self._at += 1
        if not delimiter or delimiter in "\n\\":
            raise Wrong("bad format in substitution expression")
        pattern = self._until(delimiter)
        made.text = encoded(self._until(delimiter, pattern=False))
        while (letter := self._peek()) and (letter in "gpiImM" or letter.isdigit()):
            if letter.isdigit():
                made.nth = self._digits() or 1
            else:
                made.flags += letter
                self._at += 1
        if letter == "w":
            self._at += 1
            end = self._text.find("\n", self._at)
            end = len(self._text) if end < 0 else end
            made.label = self._text[self._at : end].strip()
            self._at = end
        made.pattern = self._compiled(pattern, small=bool(set(made.flags) & set("iI")))

    def _table(self, made: _Command) -> None:
        delimiter = self._peek()
        self._at += 1
        one = self._until(delimiter, pattern=False).replace("\\n", "\n").replace("\\\\", "\\")
        other = self._until(delimiter, pattern=False).replace("\\n", "\n").replace("\\\\", "\\")
        if len(one) != len(other):
            raise Wrong("strings for 'y' command are different lengths")
        made.table = dict(zip(map(ord, one), map(ord, other), strict=True))


class _Quit(Exception):
    """The script ends; its argument is the exit code."""


class _Run:
    """Runs a script over lines."""

    def __init__(self, call: Call, commands: Sequence[_Command], *, quiet: bool) -> None:
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

    def _chosen(self, command: _Command) -> bool:
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

    async def _do(self, command: _Command) -> str:
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

    def _shown(self, command: _Command) -> bytes:
        if command.name == "p":
            return self.space + b"\n"
        if command.name == "P":
            return self.space.partition(b"\n")[0] + b"\n"
        if command.name == "=":
            return b"%d\n" % self.number
        return _visible(self.space) + b"$\n" if command.name == "l" else command.text

    async def _end(self, command: _Command) -> str:
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

    async def _substitute(self, command: _Command) -> None:
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
            made += self.space[at : found.start()] + _replaced(command.text, found)
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


def _get(run: _Run) -> None:
    run.space = run.hold


def _get_more(run: _Run) -> None:
    run.space += b"\n" + run.hold


def _keep(run: _Run) -> None:
    run.hold = run.space


def _keep_more(run: _Run) -> None:
    run.hold += b"\n" + run.space


def _swap(run: _Run) -> None:
    run.space, run.hold = run.hold, run.space


def _empty(run: _Run) -> None:
    run.space = b""


_SIMPLE: Final = {
    "g": _get, "G": _get_more, "h": _keep, "H": _keep_more, "x": _swap, "z": _empty,
}  # fmt: skip
_ESCAPES: Final = {b"n": b"\n", b"t": b"\t", b"r": b"\r"}


def _replaced(template: bytes, found: Any) -> bytes:
    """What stands for a match: `&`, `\\1`, and `\\U \\L \\u \\l \\E`."""
    made = bytearray()
    case = once = b""
    at = 0
    while at < len(template):
        letter = template[at : at + 1]
        at += 1
        part = letter
        if letter == b"&":
            part = found.group()
        elif letter == b"\\" and at < len(template):
            letter = template[at : at + 1]
            at += 1
            if letter in (b"U", b"L", b"E"):
                case = b"" if letter == b"E" else letter
                continue
            if letter in (b"u", b"l"):
                once = letter
                continue
            part = _ESCAPES.get(letter, letter)
            if letter.isdigit():
                number = int(letter)
                if number > found.re.groups:
                    raise Wrong(f"invalid reference \\{number} on s command's RHS")
                part = found.group(number) or b""
        part = part.upper() if case == b"U" else part.lower() if case == b"L" else part
        if once and part:
            part = (part[:1].upper() if once == b"u" else part[:1].lower()) + part[1:]
            once = b""
        made += part
    return bytes(made)


def _visible(data: bytes) -> bytes:
    shown = data.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\t", b"\\t")
    return b"".join(bytes([one]) if 32 <= one < 127 else b"\\%03o" % one for one in shown)


async def sed(call: Call) -> int:
    """`sed [-nErs] [-i[SUFFIX]] [-e SCRIPT]… [-f FILE] [SCRIPT] [FILE…]`."""
    try:
        scripts, argv, suffix = _taken(call)
        found, rest = options.split(argv, "nErsuz")
        if not scripts:
            if not rest:
                return await call.complain("usage: sed [OPTION]... {script} [FILE]...", 1)
            scripts = [rest.pop(0)]
        extended = bool({"E", "r"} & set(found))
        commands = _Parser("\n".join(scripts), extended=extended).parse()
        run = _Run(call, commands, quiet="n" in found or scripts[0].startswith("#n\n"))
        if suffix is not None:
            return await _in_place(call, run, rest, suffix)
        lines = []
        async for _, reader in inputs.each(call, rest):
            lines += await streams.lines(reader)
        if len(lines) > _MAX_LINES:
            raise streams.TooMuch
        code = await run.run(lines, call.io.stdout)
        return code or (2 if inputs.missing(call, rest) else 0)
    except Wrong as wrong:
        return await call.complain(f"-e expression #1: {wrong}")
    except options.Unknown as unknown:
        return await call.complain(str(unknown))
    except OSError as error:
        return await call.complain(f"{error.filename}: {error.strerror}", 4)


def _taken(call: Call) -> tuple[list[str], list[str], str | None]:
    """Scripts of -e and -f, the other words, and the suffix of -i (None without it). OSError."""
    scripts: list[str] = []
    made = [call.argv[0]]
    suffix: str | None = None
    words = list(call.argv[1:])
    while words:
        word = words.pop(0)
        if word in ("--quiet", "--silent"):
            made.append("-n")
        elif word == "--regexp-extended":
            made.append("-E")
        elif word.startswith(("-i", "--in-place")):
            suffix = word.partition("=")[2] if word[1] == "-" else word[2:]
        elif word in ("-e", "--expression", "-ne", "-En", "-Ee", "-re", "-f", "-nf") and words:
            if word in ("-ne", "-nf", "-En"):
                made.append("-n")
            if word[1] in "Er":
                made.append("-E")
            if word == "-En":
                continue
            value = words.pop(0)
            read = word.endswith("f")
            scripts.append(decoded(call.files.read(call.path(value))) if read else value)
        elif word.startswith("--expression="):
            scripts.append(word.partition("=")[2])
        else:
            made.append(word)
    return scripts, made, suffix


async def _in_place(call: Call, run: _Run, names: Sequence[str], suffix: str) -> int:
    code = 0
    for name in names:
        path = call.path(name)
        try:
            old = call.files.read(path)
            mode = call.files.find(path).mode
        except OSError as error:
            code = await call.complain(f"{name}: {error.strerror}")
            continue
        made = streams.Collected(8 << 20)
        run.number = 0
        await run.run(old.removesuffix(b"\n").split(b"\n") if old else [], made)
        if suffix:
            call.files.put(path + suffix, old, mode)
        data = bytes(made.data)
        if old and not old.endswith(b"\n"):
            data = data.removesuffix(b"\n")
        call.files.put(path, data, mode)
    return code


PROGRAMS: Final[dict[str, Program]] = {"sed": sed}
