"""nginx' configuration language: words, directives, blocks, includes. Pure.

Messages of `Emergency` are nginx' own, so that what people look up is found.
"""

import fnmatch
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from cluster.runtime.emulated.nginx import directives
from cluster.runtime.vos.files import FileSystem, absolute

MAX_TOKENS: Final = 100_000
_MAX_INCLUDES: Final = 500
_MAX_DEPTH: Final = 32
_ESCAPES: Final = {"t": "\t", "r": "\r", "n": "\n", '"': '"', "'": "'", "\\": "\\"}


class Emergency(Exception):
    """The configuration is no good; the message is what follows `[emerg] `."""


class Place(NamedTuple):
    """Where something stands."""

    file: str
    line: int

    def fault(self, text: str) -> Emergency:
        """An error here."""
        return Emergency(f"{text} in {self.file}:{self.line}")


@dataclass(frozen=True, slots=True)
class Directive:
    """A directive, with what stands in its block."""

    name: str
    args: tuple[str, ...]
    place: Place
    block: tuple["Directive", ...] | None = None


class _Token(NamedTuple):
    text: str
    line: int
    mark: bool = False
    """Whether it is one of `{`, `}`, `;`."""


def tokens(text: str, file: str) -> list[_Token]:
    """The words of a file. Emergency."""
    found: list[_Token] = []
    at, line, size = 0, 1, len(text)
    while at < size:
        char = text[at]
        if char == "\n":
            line += 1
            at += 1
        elif char.isspace():
            at += 1
        elif char == "#":
            end = text.find("\n", at)
            at = size if end < 0 else end
        elif char in "{};":
            found.append(_Token(char, line, mark=True))
            at += 1
        else:
            begun = line
            word, at, line = _word(text, at, line, file)
            found.append(_Token(word, begun))
        if len(found) > MAX_TOKENS:
            raise Emergency(f"{file} is too long for an emulated nginx")
    found.append(_Token("", line, mark=True))
    return found


def _word(text: str, at: int, line: int, file: str) -> tuple[str, int, int]:
    """A word, where it ends, and in which line. Emergency."""
    made: list[str] = []
    quote = text[at] if text[at] in "\"'" else ""
    at += len(quote)
    while at < len(text):
        char = text[at]
        if char == "\n":
            line += 1
        if char == "\\" and at + 1 < len(text):
            following = text[at + 1]
            made.append(_ESCAPES.get(following, "\\" + following))
            at += 2
            continue
        if quote and char == quote:
            at += 1
            if at < len(text) and not (text[at].isspace() or text[at] in ";{)"):
                raise Place(file, line).fault(f'unexpected "{text[at]}"')
            return "".join(made), at, line
        if not quote and char == "$" and text[at + 1 : at + 2] == "{":
            end = text.find("}", at)
            end = len(text) if end < 0 else end + 1
            made.append(text[at:end])
            at = end
            continue
        if not quote and (char.isspace() or char in ";{"):
            # The line is that of the word: what ends it is read again.
            return "".join(made), at, line - (char == "\n")
        made.append(char)
        at += 1
    if quote:
        raise Place(file, line).fault('unexpected end of file, expecting ";" or "}"')
    return "".join(made), at, line


class Reader:
    """Reads a configuration file with all that it includes."""

    def __init__(self, files: FileSystem, prefix: str = "/etc/nginx") -> None:
        self._files = files
        self._prefix = prefix
        self._included = 0

    def read(self, path: str) -> tuple[Directive, ...]:
        """The directives of the main file. Emergency."""
        try:
            text = self._files.read(path).decode("utf-8", "surrogateescape")
        except OSError as error:
            raise Emergency(f'open() "{path}" failed ({error.errno}: {error.strerror})') from error
        return self._file(path, text, "main", 0)

    def _file(self, path: str, text: str, context: str, depth: int) -> tuple[Directive, ...]:
        stream = _Stream(tokens(text, path), path)
        found = self._block(stream, context, depth, nested=False)
        return tuple(found)

    def _block(
        self, stream: "_Stream", context: str, depth: int, *, nested: bool
    ) -> list[Directive]:
        found: list[Directive] = []
        while True:
            token = stream.take()
            if token.mark:
                if token.text == "}" and nested:
                    return found
                if token.text:
                    raise stream.place.fault(f'unexpected "{token.text}"')
                if nested:
                    raise stream.place.fault('unexpected end of file, expecting "}"')
                return found
            found += self._directive(stream, token, context, depth)

    def _directive(
        self, stream: "_Stream", first: _Token, context: str, depth: int
    ) -> Sequence[Directive]:
        args: list[str] = []
        while not (token := stream.take()).mark:
            args.append(token.text)
        place = stream.place
        if not token.text:
            raise place.fault('unexpected end of file, expecting ";" or "}"')
        if token.text == "}":
            raise place.fault('unexpected "}"')
        opens = token.text == "{"
        if first.text == "include" and not opens and len(args) == 1:
            return self._include(args[0], place, context, depth)
        directives.check(first.text, args, opens, context, place.fault)
        if not opens:
            return [Directive(first.text, tuple(args), place)]
        if depth > _MAX_DEPTH:
            raise place.fault("blocks are nested too deeply")
        inner = directives.context_of(first.text, context)
        block = self._block(stream, inner, depth + 1, nested=True)
        return [Directive(first.text, tuple(args), place, tuple(block))]

    def _include(self, pattern: str, place: Place, context: str, depth: int) -> Sequence[Directive]:
        path = absolute(pattern, self._prefix)
        found: list[Directive] = []
        for name in self._glob(path) if any(char in path for char in "*?[") else [path]:
            self._included += 1
            if self._included > _MAX_INCLUDES or depth > _MAX_DEPTH:
                raise place.fault("too many files are included")
            try:
                text = self._files.read(name).decode("utf-8", "surrogateescape")
            except OSError as error:
                raise place.fault(
                    f'open() "{name}" failed ({error.errno}: {error.strerror})'
                ) from error
            found += self._file(name, text, context, depth + 1)
        return found

    def _glob(self, path: str) -> list[str]:
        places = ["/"]
        for part in path.strip("/").split("/"):
            if not any(char in part for char in "*?["):
                places = [posixpath.join(place, part) for place in places]
                continue
            places = [
                posixpath.join(place, name)
                for place in places
                if self._files.is_folder(place)
                for name in self._files.names(place)
                if fnmatch.fnmatchcase(name, part) and not name.startswith(".")
            ]
        return [place for place in places if self._files.exists(place)]


class _Stream:
    """Words that are taken one after another."""

    def __init__(self, found: list[_Token], file: str) -> None:
        self._tokens = found
        self._at = 0
        self.place = Place(file, 1)

    def take(self) -> _Token:
        """The next one; at the end always the last."""
        token = self._tokens[min(self._at, len(self._tokens) - 1)]
        self._at += 1
        self.place = Place(self.place.file, token.line)
        return token
