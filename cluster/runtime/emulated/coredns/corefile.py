"""Reads a Corefile as CoreDNS does (Caddy's format): server blocks with keys, directives in lines,
blocks in braces, quoted words, comments, `{$NAME}` of the environment, snippets and `import`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

_VARIABLE: Final = re.compile(r"\{\$([^{}$]+)\}|\{%([^{}%]+)%\}")
_MAX_DEPTH: Final = 16
_MAX_TOKENS: Final = 100_000
_MAX_IMPORTS: Final = 1000
DEFAULT_PORT: Final = 53


class Unusable(Exception):
    """A Corefile that cannot be used; the message is CoreDNS' own, with file and line."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word, and the line that it is in."""

    text: str
    line: int
    file: str = "Corefile"
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Directive:
    """A line: its name, its words, and the lines of its block."""

    name: str
    args: tuple[str, ...]
    block: tuple["Directive", ...] = ()
    file: str = "Corefile"
    line: int = 0

    def wrong(self, why: str) -> Unusable:
        """What is said of a directive that cannot be used."""
        return Unusable(
            f"plugin/{self.name}: {self.file}:{self.line} - Error during parsing: {why}"
        )


@dataclass(frozen=True, slots=True)
class Block:
    """A server block: what it answers for, and how."""

    keys: tuple["Key", ...]
    directives: tuple[Directive, ...]


@dataclass(frozen=True, slots=True)
class Key:
    """A zone, without the dot at its end ("" is the root), and the port that it is served at."""

    zone: str
    port: int
    transport: str = "dns"

    def __str__(self) -> str:
        return f"{self.zone}.:{self.port}"


@dataclass(slots=True)
class _Cursor:
    tokens: list[Token]
    at: int = 0
    snippets: dict[str, list[Token]] = field(default_factory=dict)
    imports: int = 0

    def peek(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self) -> Token:
        token = self.tokens[self.at]
        self.at += 1
        return token


def blocks(
    text: str,
    *,
    env: Mapping[str, str],
    known: Callable[[str], bool],
    file: str = "Corefile",
    load: Callable[[str], Mapping[str, str]] = lambda _pattern: {},
    port: int = DEFAULT_PORT,
) -> tuple[Block, ...]:
    """The server blocks of a Corefile. Unusable.

    `known` tells whether there is a directive of a name, `load` gives the files that an `import`
    of a path means, `port` is that of keys without one.
    """
    cursor = _Cursor(_tokens(text, file, env))
    found: list[Block] = []
    while (token := cursor.peek()) is not None:
        if token.text == "import":
            cursor.take()
            _import(cursor, _words(cursor, token.line), token, load, env)
            continue
        keys, braces = _keys(cursor)
        first = keys[0]
        if first.text.startswith("(") and first.text.endswith(")") and len(keys) == 1:
            if first.text[1:-1] in cursor.snippets:
                raise _at(first, f"redeclaration of previously declared snippet {first.text}")
            cursor.snippets[first.text[1:-1]] = _skipped(cursor, first)
            continue
        directives = _directives(cursor, first, load, env, braces=braces)
        for one in directives:
            if not known(one.name):
                raise Unusable(
                    f"{one.file}:{one.line} - Error during parsing: Unknown directive '{one.name}'"
                )
        found.append(Block(tuple(_key(one, port) for one in keys), tuple(directives)))
    _distinct(found)
    return tuple(found)


def _tokens(text: str, file: str, env: Mapping[str, str]) -> list[Token]:
    """The words of a text. Unusable."""
    lexer = _Lexer(file, env)
    for sign in text.removeprefix("\ufeff"):
        lexer.take(sign)
        if len(lexer.found) > _MAX_TOKENS:
            raise Unusable(f"{file}:{lexer.line} - Error during parsing: the file is too long")
    lexer.flush()
    return lexer.found


class _Lexer:
    """Makes words of signs."""

    def __init__(self, file: str, env: Mapping[str, str]) -> None:
        self.found: list[Token] = []
        self.line = 1
        self._file = file
        self._env = env
        self._word: list[str] = []
        self._began = 1
        self._quoted = self._escaped = self._comment = False

    def take(self, sign: str) -> None:
        """One more sign."""
        if self._quoted:
            self._in_quotes(sign)
        elif sign.isspace():
            self.flush()
            self._comment = self._comment and sign != "\n"
        elif not self._comment:
            self._outside(sign)
        self.line += sign == "\n"

    def _outside(self, sign: str) -> None:
        if self._word:
            self._word.append(sign)
            return
        self._began = self.line
        if sign == "#":
            self._comment = True
        elif sign == '"':
            self._quoted = True
        else:
            self._word.append(sign)

    def _in_quotes(self, sign: str) -> None:
        if self._escaped:
            self._word.append(sign if sign == '"' else "\\" + sign)
            self._escaped = False
        elif sign == "\\":
            self._escaped = True
        elif sign == '"':
            self._quoted = False
            self.flush(quoted=True)
        else:
            self._word.append(sign)

    def flush(self, *, quoted: bool = False) -> None:
        """The word is over."""
        if self._word or quoted:
            text = "".join(self._word)
            filled = _VARIABLE.sub(lambda m: self._env.get(m[1] or m[2], ""), text)
            self.found.append(Token(filled, self._began, self._file, quoted))
            self._word.clear()


def _keys(cursor: _Cursor) -> tuple[list[Token], bool]:
    """The keys before a block, and whether the block has braces."""
    found: list[Token] = []
    more = True
    while (token := cursor.peek()) is not None:
        if token.text == "{" and not token.quoted:
            cursor.take()
            if not found:
                raise _at(token, "Unexpected token '{', expecting a server block key")
            return found, True
        if found and token.line != found[-1].line and not more:
            return found, False
        cursor.take()
        more = token.text.endswith(",")
        name = token.text.rstrip(",")
        if name == "}":
            raise _at(token, "Unexpected '}' because no matching opening brace")
        if name:
            found.append(Token(name, token.line, token.file))
    if not found:
        raise Unusable("Corefile:0 - Error during parsing: unexpected end of file")
    return found, False


def _skipped(cursor: _Cursor, begin: Token) -> list[Token]:
    """The tokens of a snippet, to its closing brace."""
    depth = 1
    found: list[Token] = []
    while cursor.peek() is not None:
        token = cursor.take()
        depth += _opens(token) - _closes(token)
        if depth == 0:
            return found
        found.append(token)
    raise _at(begin, "Unexpected EOF")


def _opens(token: Token) -> int:
    return int(token.text == "{" and not token.quoted)


def _closes(token: Token) -> int:
    return int(token.text == "}" and not token.quoted)


def _directives(
    cursor: _Cursor,
    begin: Token,
    load: Callable[[str], Mapping[str, str]],
    env: Mapping[str, str],
    *,
    braces: bool = True,
    depth: int = 0,
) -> list[Directive]:
    """The directives up to the closing brace, or to the end where there are no `braces`."""
    if depth > _MAX_DEPTH:
        raise _at(begin, "blocks are nested too deep")
    found: list[Directive] = []
    while (token := cursor.peek()) is not None:
        cursor.take()
        if _closes(token):
            if not braces:
                raise _at(token, "Unexpected '}' because no matching opening brace")
            return found
        args = _words(cursor, token.line)
        if token.text == "import":
            _import(cursor, args, token, load, env)
            continue
        block: list[Directive] = []
        following = cursor.peek()
        if following is not None and _opens(following) and following.line == token.line:
            cursor.take()
            block = _directives(cursor, token, load, env, depth=depth + 1)
        words = tuple(one.text for one in args)
        found.append(Directive(token.text, words, tuple(block), token.file, token.line))
    if braces:
        raise _at(begin, "Unexpected EOF; expecting '}'")
    return found


def _words(cursor: _Cursor, line: int) -> list[Token]:
    """The rest of a line, up to a brace."""
    found: list[Token] = []
    while (token := cursor.peek()) is not None and token.line == line:
        if _opens(token) or _closes(token):
            break
        found.append(cursor.take())
    return found


def _import(
    cursor: _Cursor,
    args: list[Token],
    token: Token,
    load: Callable[[str], Mapping[str, str]],
    env: Mapping[str, str],
) -> None:
    """Put what is imported where the cursor is."""
    if len(args) != 1:
        raise _at(token, "Wrong argument count or unexpected line ending after 'import'")
    name = args[0].text
    inserted = cursor.snippets.get(name)
    if inserted is None:
        files = load(name)
        if not files and not any(sign in name for sign in "*?["):
            raise _at(token, f"File to import not found: {name}")
        inserted = [one for path, text in files.items() for one in _tokens(text, path, env)]
    if len(cursor.tokens) + len(inserted) > _MAX_TOKENS:
        raise _at(token, "the file is too long with what it imports")
    cursor.tokens[cursor.at : cursor.at] = inserted
    cursor.imports += 1
    if cursor.imports > _MAX_IMPORTS:
        raise _at(token, f"{name} is imported without end")


def _key(token: Token, port: int) -> Key:
    """A server block's key: `.:53`, `cluster.local`, `dns://example.org:1053`."""
    transport, separator, rest = token.text.partition("://")
    if not separator:
        transport, rest = "dns", token.text
    if transport not in ("dns", "tls", "https", "grpc", "quic"):
        raise _at(token, f"unsupported transport {transport}://")
    zone, colon, number = rest.rpartition(":")
    if colon and number.isascii() and number.isdigit() and len(number) < 6:
        port = int(number)
    elif colon and not number:
        pass
    else:
        zone = rest
    if not 0 < port < 65536:
        raise _at(token, f"invalid port {port}")
    name = zone.lower().rstrip(".")
    if len(name) > 253 or any(not 0 < len(label) < 64 for label in name.split(".") if name):
        raise _at(token, f"{token.text} is no valid zone")
    return Key(_reversed_cidr(name), port, transport)


def _reversed_cidr(name: str) -> str:
    """A zone given as `10.96.0.0/16` means the names of its addresses."""
    if "/" not in name:
        return name
    # Imported here: few are written so.
    import ipaddress

    try:
        network = ipaddress.ip_network(name, strict=False)
    except ValueError:
        return name
    step = 8 if network.version == 4 else 4
    labels = network.network_address.reverse_pointer.split(".")
    kept = network.prefixlen // step
    return ".".join(labels[len(labels) - 2 - kept :])


def _distinct(found: list[Block]) -> None:
    seen: set[Key] = set()
    for block in found:
        for key in block.keys:
            if key in seen:
                raise Unusable(f"cannot serve {key.transport}://{key} - it is already defined")
            seen.add(key)


def _at(token: Token, why: str) -> Unusable:
    return Unusable(f"{token.file}:{token.line} - Error during parsing: {why}")
