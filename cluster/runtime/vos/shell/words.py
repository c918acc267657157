"""Reads words, operators and redirections of a script: quoting, `$`, here-documents.

It is long because these stand in each other to any depth, and one reader knows where it is.
"""

import re
from collections.abc import Callable
from typing import Final

from cluster.runtime.vos.shell import parameters
from cluster.runtime.vos.shell.syntax import (
    Arithmetic,
    Assignment,
    Parameter,
    Part,
    Passed,
    Redirect,
    Sequence_,
    Substitution,
    Text,
    Word,
)


class Wrong(Exception):
    """Not a script. The message is what follows `syntax error: `."""


class Incomplete(Wrong):
    """The text ends too early: another line may complete it."""


_OPERATORS: Final = ("&&", "||", ";;", "\n", ";", "&", "|", "(", ")")
_BASH_OPERATORS: Final = (";;&", ";&", *_OPERATORS)
_PASSED: Final = ("<(", ">(")
_META: Final = frozenset(" \t\n;&|()<>")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_BASH_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[([^\]\n]{1,1000})\])?(\+?)=")
_ELEMENT: Final = re.compile(r"\[([^\]\n]{1,1000})\]=")
_FUNCTION: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*)[ \t]*\([ \t]*\)")
_BARE_FUNCTION: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*)(?=[ \t\n{(])")
_REDIRECT: Final = re.compile(r"(\d?)(<<-|<<|<&|>>|>&|>\||<|>)|()(&>>?)")
_BASH_REDIRECT: Final = re.compile(r"(\d?)(<<<|<<-|<<|<&|>>|>&|>\||<|>)|()(&>>?)")
_PLAIN: Final = re.compile(r"[^\s;&|()<>'\"\\$`]+")
_PLAIN_QUOTED: Final = re.compile(r'[^"\\$`]+')
_SPECIAL: Final = "?$#@*!-"
_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|([0-7]{1,3})|([abeEfnrtv\\'\"?]))"
)
_ESCAPED: Final = {"a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n",
                   "r": "\r", "t": "\t", "v": "\v"}  # fmt: skip


class Scanner:
    """A place in a script. Every method leaves the place after what it took."""

    def __init__(
        self,
        text: str,
        substitution: Callable[[str], Sequence_],
        nested: "Callable[[Scanner], Sequence_]",
        *,
        bash: bool = False,
    ) -> None:
        self._text = text
        self._bash = bash
        self._at = 0
        self._substitution = substitution
        self._nested = nested
        self._documents: list[tuple[Redirect, str, bool, bool]] = []

    # ---- operators ---------------------------------------------------------------------------

    @property
    def at_end(self) -> bool:
        """Whether only blanks are left."""
        self._blanks()
        return self._at >= len(self._text)

    def operator(self) -> str:
        """The operator that is next, or ""."""
        self._blanks()
        for one in _BASH_OPERATORS if self._bash else _OPERATORS:
            if self._text.startswith(one, self._at):
                return one
        return ""

    def take(self, operator: str) -> None:
        """Go past an operator that is next. After a line end come its here-documents."""
        self._at += len(operator)
        if operator == "\n":
            self._read_documents()

    def finish(self) -> None:
        """The text is at its end. Incomplete where a here-document has not begun."""
        if self._documents:
            raise Incomplete("here-document ended by end of file")

    def expect(self, operator: str) -> None:
        """Go past an operator that has to be next. Wrong."""
        if self.operator() != operator:
            if self.at_end:
                raise Incomplete(f'unexpected end of file (expecting "{operator}")')
            raise Wrong(f'unexpected "{self.shown()}" (expecting "{operator}")')
        self.take(operator)

    def skip_lines(self) -> None:
        """Go past line ends."""
        while self.operator() == "\n":
            self.take("\n")

    def reserved(self) -> str:
        """The unquoted word that is next, "" where there is none; it is not taken."""
        self._blanks()
        found = _PLAIN.match(self._text, self._at)
        if found is None:
            return ""
        end = found.end()
        whole = end >= len(self._text) or self._text[end] in _META
        return found[0] if whole else ""

    def letter(self, letter: str) -> bool:
        """Whether this letter was next, and is taken."""
        self._blanks()
        if not self._text.startswith(letter, self._at):
            return False
        self._at += 1
        return True

    def take_word(self, word: str) -> None:
        """Go past a word that `reserved` told of."""
        self._blanks()
        self._at += len(word)

    def function(self, *, bare: bool = False) -> str | None:
        """The name of a function that is defined here: `name()` is taken, or `name` if `bare`."""
        self._blanks()
        found = _FUNCTION.match(self._text, self._at)
        if found is None and bare:
            found = _BARE_FUNCTION.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[1]

    def shown(self) -> str:
        """What is next, for messages."""
        if self.at_end:
            return "end of file"
        return "newline" if self.operator() == "\n" else self.operator() or self.reserved() or "("

    # ---- words -------------------------------------------------------------------------------

    def assignment(self) -> Assignment | None:
        """`NAME=word`, or None."""
        self._blanks()
        if not self._bash:
            found = _ASSIGNMENT.match(self._text, self._at)
            if found is None:
                return None
            self._at = found.end()
            return Assignment(found[1], self._word() or Word())
        found = _BASH_ASSIGNMENT.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        index = self._inside(found[2]) if found[2] else None
        if self._text.startswith("(", self._at) and index is None:
            return Assignment(found[1], items=self._items(), append=bool(found[3]))
        return Assignment(found[1], self._word() or Word(), index, None, bool(found[3]))

    def _items(self) -> list[tuple[Word | None, Word]]:
        """What stands between the parentheses of an array."""
        self.take("(")
        found: list[tuple[Word | None, Word]] = []
        while True:
            self.skip_lines()
            element = _ELEMENT.match(self._text, self._at)
            index = None
            if element is not None:
                self._at = element.end()
                index = self._inside(element[1])
            word = self._word()
            if word is None and index is None:
                self.expect(")")
                return found
            found.append((index, word or Word()))

    def enclosed(self, opener: str) -> Word | None:
        """What stands between an opener such as `((` and what closes it; None for another one."""
        self._blanks()
        if not self._text.startswith(opener, self._at):
            return None
        self._at += len(opener)
        return self._inside(self._balanced(opener))

    def parted(self) -> list[Word] | None:
        """The parts of a `((…;…;…))`; None where something else is next."""
        self._blanks()
        if not self._text.startswith("((", self._at):
            return None
        self._at += 2
        return [self._inside(one) for one in self._balanced("((").split(";")]

    def pattern(self) -> Word | None:
        """A regular expression behind `=~`: up to a blank that is in no parentheses."""
        self._blanks()
        parts: list[Part] = []
        depth = 0
        while self._at < len(self._text):
            letter = self._text[self._at]
            if letter in " \t\n" and not depth:
                break
            depth += {"(": 1, ")": -1}.get(letter, 0)
            parts += self._any()
        return Word(tuple(parts)) if parts else None

    def word(self) -> Word | None:
        """The word that is next; None where something else is."""
        self._blanks()
        return self._word()

    def redirect(self) -> Redirect | None:
        """A redirection that is next, or None."""
        self._blanks()
        if self._bash and self._text.startswith(_PASSED, self._at):
            return None
        found = (_BASH_REDIRECT if self._bash else _REDIRECT).match(self._text, self._at)
        if found is None:
            return None
        operator = found[2] or found[4]
        self._at = found.end()
        word = self.word()
        if word is None:
            raise Wrong(f'unexpected "{self.shown()}"')
        made = Redirect(int(found[1] or ("0" if operator[0] == "<" else "1")), operator, word)
        if operator in ("<<", "<<-"):
            quoted = any(isinstance(part, Text) and part.quoted for part in word.parts)
            self._documents.append((made, word.literal or "", operator == "<<-", quoted))
            made.operator = "<<"
        return made

    def _blanks(self) -> None:
        text = self._text
        while self._at < len(text):
            letter = text[self._at]
            if letter in " \t\r":
                self._at += 1
            elif text.startswith("\\\n", self._at):
                self._at += 2
            elif letter == "#" and (self._at == 0 or text[self._at - 1] in " \t\n;&|()"):
                end = text.find("\n", self._at)
                self._at = len(text) if end < 0 else end
            else:
                return

    def _word(self) -> Word | None:
        parts: list[Part] = []
        text = self._text
        if self._bash and text.startswith(_PASSED, self._at):
            writes = text[self._at] == ">"
            self._at += 2
            return Word((Passed(self._commands(), writes),))
        while self._at < len(text) and text[self._at] not in _META:
            plain = _PLAIN.match(text, self._at)
            if plain is not None:
                self._at = plain.end()
                parts.append(Text(plain[0]))
            else:
                parts += self._special()
        return Word(tuple(parts)) if parts else None

    def _special(self) -> list[Part]:
        """What begins with a quote, a backslash, a dollar or a backquote."""
        letter = self._text[self._at]
        self._at += 1
        if letter == "'":
            return [Text(self._up_to("'"), quoted=True)]
        if letter == '"':
            return self._double('"')
        if letter == "\\":
            taken = self._text[self._at : self._at + 1]
            self._at += 1
            return [Text(taken, quoted=True)] if taken != "\n" else []
        if letter == "$":
            if self._text.startswith("'", self._at):
                return [self._escaped()]
            return [self._dollar(quoted=False)]
        return [self._backquoted(quoted=False)]

    def _escaped(self) -> Text:
        """`$'…'`, with the escapes of C."""
        start, text = self._at + 1, self._text
        self._at = start
        while self._at < len(text) and text[self._at] != "'":
            self._at += 2 if text[self._at] == "\\" else 1
        if self._at >= len(text):
            raise Incomplete("unterminated quoted string")
        self._at += 1
        return Text(_ESCAPE.sub(_unescaped, text[start : self._at - 1]), quoted=True)

    def _double(self, ender: str) -> list[Part]:
        """Up to an `ender` that is not escaped; "" is the end of the text."""
        parts: list[Part] = [Text("", quoted=True)]
        text = self._text
        while True:
            if self._at >= len(text):
                if ender:
                    raise Incomplete("unterminated quoted string")
                return parts
            letter = text[self._at]
            if letter == ender:
                self._at += 1
                return parts
            parts.append(self._in_double(letter, ender))

    def _in_double(self, letter: str, ender: str) -> Part:
        text = self._text
        plain = _PLAIN_QUOTED.match(text, self._at)
        if plain is not None:
            self._at = plain.end()
            return Text(plain[0], quoted=True)
        self._at += 1
        if letter == "\\":
            taken = text[self._at : self._at + 1]
            self._at += 1
            if taken == "\n":
                return Text("", quoted=True)
            escaped = taken and taken in '$`\\"'
            return Text(taken if escaped else "\\" + taken, quoted=True)
        if letter == "$":
            return self._dollar(quoted=True)
        if letter == "`":
            return self._backquoted(quoted=True)
        return Text(letter, quoted=True)  # a quote, in a here-document

    def _dollar(self, *, quoted: bool) -> Part:
        text = self._text
        if text.startswith("((", self._at):
            self._at += 2
            inner = self._balanced("((")
            return Arithmetic(self._inside(inner), quoted)
        if text.startswith("(", self._at):
            self._at += 1
            return Substitution(self._commands(), quoted)
        if text.startswith("{", self._at):
            self._at += 1
            return self._braced(quoted)
        name = _NAME.match(text, self._at)
        if name is not None:
            self._at = name.end()
            return Parameter(name[0], quoted=quoted)
        letter = text[self._at : self._at + 1]
        if letter and (letter in _SPECIAL or letter.isdigit()):
            self._at += 1
            return Parameter(letter, quoted=quoted)
        return Text("$", quoted)

    def _commands(self) -> Sequence_:
        """The commands of a `$(…)`, behind what opens it. Here-documents of the line around it
        begin when that line ends; what it leaves open begins there, too.
        """
        around, self._documents = self._documents, []
        found = self._nested(self)
        self._documents = [*around, *self._documents]
        return found

    def _braced(self, quoted: bool) -> Parameter:
        inner = self._balanced("{")
        found = parameters.read(inner, self._inside, quoted=quoted, bash=self._bash)
        if found is None:
            raise Wrong(parameters.BAD)
        return found

    def _inside(self, text: str) -> Word:
        """A word that may have blanks in it."""
        inner = Scanner(text, self._substitution, self._nested, bash=self._bash)
        parts: list[Part] = []
        while inner._at < len(text):
            parts += inner._any()
        return Word(tuple(parts))

    def _any(self) -> list[Part]:
        letter = self._text[self._at]
        if letter in _META:
            self._at += 1
            return [Text(letter)]
        plain = _PLAIN.match(self._text, self._at)
        if plain is not None:
            self._at = plain.end()
            return [Text(plain[0])]
        return self._special()

    def _balanced(self, opened: str) -> str:
        """The text up to what closes `opened`; quotes inside are jumped over."""
        opener, closer = opened[0], {"(": ")", "{": "}"}[opened[0]]
        depth, start, text = len(opened), self._at, self._text
        while self._at < len(text):
            letter = text[self._at]
            self._at += 1
            if letter == "\\":
                self._at += 1
            elif letter == "'" and opener == "(":
                self._up_to("'")
            elif letter == '"':
                self._over_double()
            elif letter == opener:
                depth += 1
            elif letter == closer:
                depth -= 1
                if depth == 0:
                    return text[start : self._at - len(opened)]
        raise Incomplete(f'unexpected end of file (expecting "{closer}")')

    def _over_double(self) -> None:
        text = self._text
        while self._at < len(text) and text[self._at] != '"':
            step = 2 if text[self._at] == "\\" else 1
            self._at += step
        if self._at >= len(text):
            raise Incomplete("unterminated quoted string")
        self._at += 1

    def _backquoted(self, *, quoted: bool) -> Substitution:
        start, text = self._at, self._text
        while self._at < len(text) and text[self._at] != "`":
            self._at += 2 if text[self._at] == "\\" else 1
        if self._at >= len(text):
            raise Incomplete("unterminated backquote substitution")
        inner = re.sub(r"\\([$`\\])", r"\1", text[start : self._at])
        self._at += 1
        return Substitution(self._substitution(inner), quoted)

    def _up_to(self, ender: str) -> str:
        end = self._text.find(ender, self._at)
        if end < 0:
            raise Incomplete("unterminated quoted string")
        found = self._text[self._at : end]
        self._at = end + 1
        return found

    def _read_documents(self) -> None:
        for redirect, delimiter, tabs, quoted in self._documents:
            redirect.word = self._document(delimiter, tabs, quoted)
        self._documents = []

    def _document(self, delimiter: str, tabs: bool, quoted: bool) -> Word:
        lines: list[str] = []
        while True:
            if self._at >= len(self._text):
                raise Incomplete(f'here-document ended by end of file (expecting "{delimiter}")')
            end = self._text.find("\n", self._at)
            end = len(self._text) if end < 0 else end
            line = self._text[self._at : end]
            self._at = end + 1
            line = line.lstrip("\t") if tabs else line
            if line == delimiter:
                break
            lines.append(line + "\n")
        # The line end stays for whoever looks for one.
        self._at = min(self._at, len(self._text))
        text = "".join(lines)
        if quoted:
            return Word((Text(text, quoted=True),))
        inner = Scanner(text, self._substitution, self._nested, bash=self._bash)
        return Word(tuple(inner._double("")))


def _unescaped(found: re.Match[str]) -> str:
    digits = found[1] or found[2]
    if digits:
        return chr(int(digits, 16))
    return chr(int(found[3], 8) & 0xFF) if found[3] else _ESCAPED.get(found[4], found[4])
