"""From the text of a sed script to its commands. POSIX.1-2017, sed, "Editing Commands in sed"."""

import re
from typing import Any, Final

from cluster.runtime.vos.kernel import encoded
from cluster.runtime.vos.programs import regular
from cluster.runtime.vos.programs.sed.commands import Command, Place, Wrong

_MAX_COMMANDS: Final = 1000


def parse(text: str, *, extended: bool) -> list[Command]:
    """All commands; `{` knows where its block ends, `b` and `t` where they jump. Wrong."""
    return _Parser(text, extended=extended).parse()


class _Parser:
    """Reads a script."""

    def __init__(self, text: str, *, extended: bool) -> None:
        self._text = text
        self._at = 0
        self._extended = extended
        self._last: Any = None
        self.commands: list[Command] = []

    def parse(self) -> list[Command]:
        """See `parse`."""
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

    def _command(self) -> Command:
        made = Command("")
        made.first = self._address()
        if made.first is not None and self._peek() == ",":
            self._at += 1
            while self._peek() in (" ", "\t"):
                self._at += 1
            if self._peek() == "+":
                self._at += 1
                made.more = self._digits() or 0
                made.second = Place()
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

    def _address(self) -> Place | None:
        letter = self._peek()
        if letter == "$":
            self._at += 1
            return Place(last=True)
        number = self._digits()
        if number is not None:
            if self._peek() != "~":
                return Place(number)
            self._at += 1
            return Place(number, step=max(self._digits() or 0, 1))
        if letter not in ("/", "\\"):
            return None
        self._at += 1
        if letter == "\\":
            letter = self._peek()
            self._at += 1
        text = self._until(letter)
        small = self._peek() == "I"
        self._at += small
        return Place(pattern=self._compiled(text, small=small))

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

    def _arguments(self, made: Command) -> None:
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

    def _substitution(self, made: Command) -> None:
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

    def _table(self, made: Command) -> None:
        delimiter = self._peek()
        self._at += 1
        one = self._until(delimiter, pattern=False).replace("\\n", "\n").replace("\\\\", "\\")
        other = self._until(delimiter, pattern=False).replace("\\n", "\n").replace("\\\\", "\\")
        if len(one) != len(other):
            raise Wrong("strings for 'y' command are different lengths")
        made.table = dict(zip(map(ord, one), map(ord, other), strict=True))
