"""Expansion of words: parameters, substitutions, arithmetic, splitting, file names. POSIX 2.6."""

import fnmatch
import posixpath
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from cluster.runtime.vos import files
from cluster.runtime.vos.shell import syntax
from cluster.runtime.vos.shell.arithmetic import Arithmetic
from cluster.runtime.vos.shell.words import Wrong

MAX_WORD: Final = 1 << 20
MAX_FIELDS: Final = 10_000
Piece = tuple[str, bool]
"""Text, and whether it is quoted."""


class Host(Protocol):
    """What the expansion asks of the shell."""

    cwd: str
    positional: list[str]

    def get(self, name: str) -> str | None:
        """A parameter's value; None where it is not set. Wrong under `set -u`."""

    def put(self, name: str, value: str) -> None:
        """Set a variable."""


Substitute = Callable[[syntax.Sequence_], Awaitable[str]]


class Expander:
    """Expands words for a shell."""

    def __init__(self, host: Host, tree: Callable[[], files.FileSystem], run: Substitute) -> None:
        self._host = host
        self._tree = tree
        self._run = run

    async def fields(self, word: syntax.Word) -> list[str]:
        """The words that a word becomes. Wrong."""
        literal = word.literal
        if literal is not None and not _may_glob(literal) and literal[:1] != "~":
            return [literal]
        made: list[list[Piece]] = []
        for field in self._split(await self._pieces(word)):
            made.append(field)
            if len(made) > MAX_FIELDS:
                raise Wrong("argument list too long")
        found: list[str] = []
        for field in made:
            found += self._globbed(field)
        return found

    async def text(self, word: syntax.Word) -> str:
        """A word as one text: of an assignment, a redirection, a `case`. Wrong."""
        literal = word.literal
        if literal is not None and literal[:1] != "~":
            return literal
        pieces = await self._pieces(word, joined=True)
        return _bounded("".join(text for text, _ in pieces))

    async def pattern(self, word: syntax.Word) -> str:
        """A word as a pattern for `matches`: what is quoted stands for itself."""
        pieces = await self._pieces(word, joined=True)
        return "".join(_escaped(text) if quoted else text for text, quoted in pieces)

    # ------------------------------------------------------------------------------------------

    async def _pieces(self, word: syntax.Word, *, joined: bool = False) -> list[Piece]:
        """The text of each part. "\\0" between the parts of an unjoined `"$@"`."""
        pieces: list[Piece] = []
        for number, part in enumerate(word.parts):
            if isinstance(part, syntax.Text):
                pieces.append((self._tilde(part, first=number == 0), part.quoted))
            elif isinstance(part, syntax.Parameter):
                pieces += await self._parameter(part, joined)
            elif isinstance(part, syntax.Substitution):
                pieces.append((await self._run(part.body), part.quoted))
            else:
                text = await self.text(part.word)
                value = Arithmetic(text, self._number, self._host.put).value()
                pieces.append((str(value), part.quoted))
        return pieces

    def _number(self, name: str) -> str:
        return self._host.get(name) or "0"

    def _tilde(self, part: syntax.Text, *, first: bool) -> str:
        text = part.text
        if first and not part.quoted and (text == "~" or text.startswith("~/")):
            return (self._host.get("HOME") or "/") + text[1:]
        return text

    async def _parameter(self, part: syntax.Parameter, joined: bool) -> list[Piece]:
        if part.name in "@*" and not part.operation:
            return self._all(part, joined)
        if part.operation == "length":
            return [(str(len(self._host.get(part.name) or "")), part.quoted)]
        if not part.operation:
            return [(self._host.get(part.name) or "", part.quoted)]
        return await self._operated(part)

    def _all(self, part: syntax.Parameter, joined: bool) -> list[Piece]:
        values = self._host.positional
        if part.name == "@" and part.quoted and not joined:
            pieces: list[Piece] = []
            for number, value in enumerate(values):
                if number:
                    pieces.append(("\0", False))
                pieces.append((value, True))
            # Nothing at all becomes no word, not an empty one.
            return pieces or [("\0\0", False)]
        return [(" ".join(values), part.quoted)]

    async def _operated(self, part: syntax.Parameter) -> list[Piece]:
        operation, word = part.operation, part.word or syntax.Word()
        plain = operation.lstrip(":")
        value = " ".join(self._host.positional) if part.name in "@*" else self._value(part, plain)
        if plain[0] in "#%":
            pattern = await self.pattern(word)
            return [(_trimmed(value or "", pattern, operation), part.quoted)]
        there = value is not None and not (operation.startswith(":") and value == "")
        if plain == "+":
            return await self._word(word, part.quoted) if there else [("", part.quoted)]
        if there:
            return [(value or "", part.quoted)]
        if plain == "-":
            return await self._word(word, part.quoted)
        text = await self.text(word)
        if plain == "=":
            self._host.put(part.name, text)
            return [(text, part.quoted)]
        raise Wrong(f"{part.name}: {text or 'parameter not set'}")

    def _value(self, part: syntax.Parameter, plain: str) -> str | None:
        try:
            return self._host.get(part.name)
        except Wrong:
            if plain in ("-", "=", "+", "?"):
                return None
            raise

    async def _word(self, word: syntax.Word, quoted: bool) -> list[Piece]:
        pieces = await self._pieces(word, joined=True)
        return [(text, True) for text, _ in pieces] if quoted else pieces

    def _split(self, pieces: list[Piece]) -> list[list[Piece]]:
        """Cut unquoted pieces at IFS."""
        found = self._host.get("IFS")
        separators = " \t\n" if found is None else found
        fields: list[list[Piece]] = []
        field: list[Piece] = []
        for text, quoted in pieces:
            if quoted:
                field.append((text, True))
            elif text == "\0":
                fields.append(field)
                field = []
            elif text != "\0\0":
                field = _cut(text, separators, field, fields)
        kept = [one for one in fields if one]
        return [*kept, field] if field else kept

    def _globbed(self, field: list[Piece]) -> list[str]:
        text = _bounded("".join(text for text, _ in field))
        if not any(_may_glob(text) for text, quoted in field if not quoted):
            return [text]
        pattern = "".join(_escaped(text) if quoted else text for text, quoted in field)
        return _glob(self._tree(), pattern, self._host.cwd) or [text]


def matches(text: str, pattern: str) -> bool:
    """Whether a text fits a shell pattern."""
    return fnmatch.fnmatchcase(text, pattern)


def _cut(text: str, separators: str, field: list[Piece], fields: list[list[Piece]]) -> list[Piece]:
    """Split `text` into `fields`; what goes on after it."""
    if not any(letter in text for letter in separators):
        return [*field, (text, False)] if text else field
    current = ""
    for letter in text:
        if letter not in separators:
            current += letter
            continue
        if current:
            field.append((current, False))
            current = ""
        if field or letter not in " \t\n":
            fields.append(field or [("", True)])
            field = []
    if current:
        field.append((current, False))
    return field


def _trimmed(value: str, pattern: str, operation: str) -> str:
    """`#`, `##`, `%`, `%%`: without the shortest or longest beginning or end that fits."""
    places = range(min(len(value), 4096) + 1)
    if operation[0] == "#":
        order = places if len(operation) == 1 else reversed(places)
        for end in order:
            if matches(value[:end], pattern):
                return value[end:]
    else:
        order = places if len(operation) == 1 else reversed(places)
        for size in order:
            if matches(value[len(value) - size :], pattern):
                return value[: len(value) - size]
    return value


def _may_glob(text: str) -> bool:
    return any(letter in text for letter in "*?[")


def _escaped(text: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)


def _glob(tree: files.FileSystem, pattern: str, cwd: str) -> list[str]:
    """Paths that fit, sorted; hidden ones only where the pattern begins with a dot."""
    found = ["/" if pattern.startswith("/") else ""]
    for part in pattern.strip("/").split("/"):
        if not _may_glob(part):
            found = [posixpath.join(base, part) for base in found]
            found = [one for one in found if tree.exists(files.absolute(one, cwd))]
            continue
        grown: list[str] = []
        for base in found:
            place = files.absolute(base, cwd)
            if tree.is_folder(place):
                grown += [
                    posixpath.join(base, name)
                    for name in tree.names(place)
                    if (part[0] == "." or name[0] != ".") and matches(name, part)
                ]
        found = grown[:MAX_FIELDS]
    return found


def _bounded(text: str) -> str:
    if len(text) > MAX_WORD:
        raise Wrong("out of memory")
    return text
