"""Tokens of awk programs. POSIX.1-2017, awk, "Lexical Conventions"."""

import re
from typing import Final, NamedTuple

from cluster.runtime.vos.programs.awk.syntax import Wrong

_TOKEN: Final = re.compile(
    r"""(?P<space>(?:[ \t\r]|\\\r?\n|\#[^\n]*)+)
    |(?P<newline>\n)
    |(?P<number>0[xX][0-9a-fA-F]{1,16}|(?:\d{1,300}\.?\d{0,300}|\.\d{1,300})(?:[eE][-+]?\d{1,4})?)
    |(?P<string>"(?:[^"\\\n]|\\.|\\\n)*")
    |(?P<name>[A-Za-z_]\w*)
    |(?P<operator>\*\*=|\*\*|\+\+|--|\+=|-=|\*=|/=|%=|\^=|==|<=|>=|!=|!~|>>|&&|\|\||[-+*/%^!<>|?:~$=,;(){}[\]])
    """,
    re.VERBOSE,
)
_WORDS: Final = frozenset(
    ("BEGIN", "END", "function", "func", "if", "else", "while", "for", "do", "break", "continue",
     "next", "nextfile", "exit", "return", "delete", "in", "getline", "print", "printf")
)  # fmt: skip
BUILTINS: Final = frozenset(
    ("length", "substr", "index", "split", "sub", "gsub", "match", "sprintf", "sin", "cos", "atan2",
     "exp", "log", "sqrt", "int", "rand", "srand", "tolower", "toupper", "system", "close",
     "fflush", "strftime", "systime")
)  # fmt: skip
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class Token(NamedTuple):
    """A token: what it is, and its text."""

    kind: str
    text: str
    tight: bool = False
    """Of a name: whether a `(` follows without a blank."""


class Tokens:
    """Reads tokens as they are needed: whether `/` divides depends on what stands before it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._token = self._scan(expression=True)

    def _scan(self, *, expression: bool) -> Token:
        """The next token; `expression`: one may begin here, so `/` begins a pattern."""
        while self._at < len(self._text):
            if expression and self._text[self._at] == "/":
                return self._regex()
            found = _TOKEN.match(self._text, self._at)
            if found is None:
                raise Wrong(f"syntax error at {self._text[self._at : self._at + 20]!r}")
            self._at = found.end()
            kind = found.lastgroup or ""
            if kind == "space":
                continue
            text = found[0]
            if kind == "name":
                kind = "word" if text in _WORDS else "builtin" if text in BUILTINS else "name"
                return Token(kind, text, self._text[self._at : self._at + 1] == "(")
            return Token("operator" if kind == "newline" else kind, text)
        return Token("end", "")

    def _regex(self) -> Token:
        at = self._at + 1
        bracket = False
        while at < len(self._text) and (self._text[at] != "/" or bracket):
            letter = self._text[at]
            if letter == "\n":
                break
            if letter == "[" and not bracket:
                bracket = True
                at += 1 if self._text[at + 1 : at + 2] in ("]", "^") else 0
            elif letter == "]":
                bracket = False
            at += 2 if letter == "\\" else 1
        if self._text[at : at + 1] != "/":
            raise Wrong("unterminated regexp")
        text = self._text[self._at + 1 : at].replace("\\/", "/")
        self._at = at + 1
        return Token("regex", text)

    def _next(self) -> Token:
        token = self._token
        ends = token.kind in ("number", "string", "name", "regex", "builtin") or token.text in (
            ")", "]", "++", "--", "$",
        )  # fmt: skip
        self._token = self._scan(expression=not ends)
        return token

    def _is(self, *texts: str) -> bool:
        return self._token.kind in ("operator", "word") and self._token.text in texts

    def _take(self, *texts: str) -> bool:
        if self._is(*texts):
            self._next()
            return True
        return False

    def _need(self, text: str) -> None:
        if not self._take(text):
            shown = self._token.text or "end of program"
            raise Wrong(f"syntax error: expected {text!r} but found {shown!r}")

    def _lines(self) -> None:
        while self._take("\n", ";"):
            pass

    def _newlines(self) -> None:
        while self._take("\n"):
            pass


def unescaped(text: str) -> str:
    """What stands between the quotes of a string, its escapes resolved."""

    def one(found: re.Match[str]) -> str:
        code = found[1]
        if code[0] in "01234567":
            return chr(int(code, 8) & 0xFF)
        if code == "\n":
            return ""
        known = _ESCAPES.get(code)
        if known is not None:
            return known
        return code if code in ('"', "\\", "/") else "\\" + code

    return re.sub(r"\\([0-7]{1,3}|.|\n)", one, text)
