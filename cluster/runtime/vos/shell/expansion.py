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

    def keyed(self, name: str) -> bool:
        """Whether a variable is an array with keys of text."""

    def key(self, name: str, text: str) -> int | str:
        """An element's key."""

    def element(self, name: str, key: int | str) -> str | None:
        """An element of an array; None where it is not set."""

    def elements(self, name: str) -> list[tuple[int | str, str]]:
        """Keys and values in order."""


_NO_WORDS: Final[Piece] = ("\0\0", False)
"""A quoted `$@` without parameters."""
Substitute = Callable[[syntax.Sequence_], Awaitable[str]]
Pass = Callable[[syntax.Passed], Awaitable[str]]


class Expander:
    """Expands words for a shell."""

    def __init__(
        self, host: Host, tree: Callable[[], files.FileSystem], run: Substitute, pass_: Pass
    ) -> None:
        self._host = host
        self._tree = tree
        self._run = run
        self._pass = pass_

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

    async def regular(self, word: syntax.Word) -> str:
        """A word as an extended regular expression: what is quoted stands for itself."""
        pieces = await self._pieces(word, joined=True)
        return "".join(
            "".join(letter if letter.isalnum() else "\\" + letter for letter in text)
            if quoted else text
            for text, quoted in pieces
        )  # fmt: skip

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
            elif isinstance(part, syntax.Passed):
                pieces.append((await self._pass(part), True))
            else:
                value = await self.calculated(await self.text(part.word))
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
        values = await self._several(part)
        if values is not None:
            found = self._host.element("IFS", 0)
            return _all(values, part, joined, " " if found is None else found[:1])
        if part.operation == "length":
            return [(str(len(await self._value(part) or "")), part.quoted)]
        if not part.operation:
            return [(await self._value(part) or "", part.quoted)]
        return await self._operated(part)

    async def calculated(self, text: str) -> int:
        """The value of an arithmetic expression. Wrong."""
        return Arithmetic(text, self._number, self._host.put).value()

    async def key(self, name: str, index: syntax.Word, *, keyed: bool = False) -> int | str:
        """The key that stands between brackets; `keyed`: of text in any case. Wrong."""
        text = await self.text(index)
        if keyed:
            return text
        return text if self._host.keyed(name) else self._host.key(
            name, str(await self.calculated(text))
        )  # fmt: skip

    async def _several(self, part: syntax.Parameter) -> list[str] | None:
        """The values of `$@` or `${name[@]}`, worked upon; None for a parameter of one value."""
        operation = part.operation
        if operation[-1:] in ("-", "=", "+", "?") or operation == "indirect":
            return None
        if part.index is not None and part.index.literal in ("@", "*"):
            found = self._host.elements(part.name)
            values = [str(key) if operation == "keys" else value for key, value in found]
        elif part.name in "@*" and part.index is None:
            values = list(self._host.positional)
        else:
            return None
        if operation == "length":
            return [str(len(values))]
        if operation == ":":
            first = ["", *values] if part.name in "@*" else values
            return first[await self._slice(part, len(first))]
        if operation in ("", "keys"):
            return values
        return [await self._worked(value, part) for value in values]

    async def _operated(self, part: syntax.Parameter) -> list[Piece]:
        operation, word = part.operation, part.word or syntax.Word()
        if operation == "indirect":
            name = await self._value(part) or ""
            return [((self._host.get(name) if name else "") or "", part.quoted)]
        plain = operation.lstrip(":")
        if plain not in ("-", "=", "+", "?"):
            value = await self._value(part) or ""
            return [(await self._worked(value, part), part.quoted)]
        given = await self._given(part)
        there = given is not None and not (operation.startswith(":") and given == "")
        if plain == "+":
            return await self._word(word, part.quoted) if there else [("", part.quoted)]
        if there:
            return [(given or "", part.quoted)]
        if plain == "-":
            return await self._word(word, part.quoted)
        text = await self.text(word)
        if plain == "=":
            self._host.put(part.name, text)
            return [(text, part.quoted)]
        raise Wrong(f"{part.name}: {text or 'parameter not set'}")

    async def _worked(self, value: str, part: syntax.Parameter) -> str:
        """A value without an end, with parts of it replaced, in other letters, or a part of it."""
        operation, word = part.operation, part.word or syntax.Word()
        if operation == ":":
            return value[await self._slice(part, len(value))]
        pattern = await self.pattern(word)
        if operation[0] in "#%":
            return _trimmed(value, pattern, operation)
        if operation[0] == "/":
            second = await self.text(part.second) if part.second else ""
            return _bounded(replaced(value, pattern, operation, second))
        change = str.upper if operation[0] == "^" else str.lower
        letters = value if len(operation) == 2 else value[:1]
        changed = "".join(
            change(one) if not pattern or matches(one, pattern) else one for one in letters
        )
        return changed + value[len(letters) :]

    async def _slice(self, part: syntax.Parameter, size: int) -> slice:
        start = await self.calculated(await self.text(part.word or syntax.Word()))
        start = max(start + size, 0) if start < 0 else start
        if part.second is None:
            return slice(start, size)
        length = await self.calculated(await self.text(part.second))
        return slice(start, max(size + length, start) if length < 0 else start + length)

    async def _value(self, part: syntax.Parameter) -> str | None:
        if part.index is None:
            return self._host.get(part.name)
        return self._host.element(part.name, await self.key(part.name, part.index))

    async def _given(self, part: syntax.Parameter) -> str | None:
        """A value that may be missing."""
        if part.name in "@*":
            return " ".join(self._host.positional)
        if part.index is not None and part.index.literal in ("@", "*"):
            values = [value for _, value in self._host.elements(part.name)]
            return " ".join(values) if values else None
        try:
            return await self._value(part)
        except Wrong:
            return None

    async def _word(self, word: syntax.Word, quoted: bool) -> list[Piece]:
        pieces = await self._pieces(word, joined=True)
        return [(text, True) for text, _ in pieces] if quoted else pieces

    def _split(self, pieces: list[Piece]) -> list[list[Piece]]:
        """Cut unquoted pieces at IFS."""
        found = self._host.get("IFS")
        separators = " \t\n" if found is None else found
        if _NO_WORDS in pieces and all(piece in (_NO_WORDS, ("", True)) for piece in pieces):
            return []
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


def _all(values: list[str], part: syntax.Parameter, joined: bool, separator: str) -> list[Piece]:
    every = part.name if part.index is None else part.index.literal
    if every == "@" and part.quoted and not joined and part.operation != "length":
        pieces: list[Piece] = []
        for number, value in enumerate(values):
            if number:
                pieces.append(("\0", False))
            pieces.append((value, True))
        # Nothing at all becomes no word, not an empty one.
        return pieces or [_NO_WORDS]
    between = separator if every == "*" and part.quoted else " "
    return [(between.join(values), part.quoted)]


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


def replaced(value: str, pattern: str, operation: str, second: str) -> str:
    """`/`, `//`, `/#`, `/%`: with the first, each, or the one at an end that fits replaced."""
    if not pattern or not value:
        return value
    count = 0 if operation == "//" else 1
    if operation[-1] == "/" and not _may_glob(pattern):
        return value.replace(pattern, second, count or -1)
    # Imported here: most scripts never need it.
    from cluster.runtime.vos.programs import regular

    ends = {"/#": ("^", ""), "/%": ("", "$")}.get(operation, ("", ""))
    try:
        compiled = regular.compiled(f"{ends[0]}{_as_regular(pattern)}{ends[1]}", extended=True)
    except regular.Bad as bad:
        raise Wrong(str(bad)) from bad
    data = value.encode("utf-8", "surrogateescape")
    made: bytes = compiled.sub(
        lambda _found: second.encode("utf-8", "surrogateescape"), data, count=count
    )
    return made.decode("utf-8", "surrogateescape")


def _as_regular(pattern: str) -> str:
    """A shell pattern as an extended regular expression."""
    found, at = "", 0
    while at < len(pattern):
        letter = pattern[at]
        close = pattern.find("]", at + 2) if letter == "[" else -1
        if close > 0:
            inner = pattern[at + 1 : close]
            found += "[" + ("^" + inner[1:] if inner[0] == "!" else inner) + "]"
            at = close
        elif letter == "*":
            found += ".*"
        elif letter == "?":
            found += "."
        else:
            found += letter if letter.isalnum() or letter.isspace() else "\\" + letter
        at += 1
    return found


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
