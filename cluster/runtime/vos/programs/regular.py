"""POSIX regular expressions, basic and extended, for grep, sed, awk, expr and find.

They are translated to RE2's syntax: matching takes time in proportion to the text, whatever the
pattern. Leftmost-longest, as POSIX wants. What needs backtracking (`\\1` in a pattern) is refused.
Source: POSIX.1-2017, XBD 9; and the GNU additions `\\w \\s \\b \\< \\> \\+ \\? \\|`.
"""

from functools import lru_cache
from typing import Any, Final

_MAX_PATTERN: Final = 8192
_MAX_REPEAT: Final = 1000
_MEMORY: Final = 8 << 20


class Bad(Exception):
    """A pattern that is none; the message says why."""


@lru_cache(256)
def compiled(
    pattern: str, *, extended: bool = False, fixed: bool = False, small: bool = False,
    whole: str = "",
) -> Any:  # fmt: skip
    """A pattern of RE2 on bytes. `small` disregards case; `whole` is `w` for words, `x` for lines.

    Bad.
    """
    # Imported here: most containers never need it.
    import re2

    if len(pattern) > _MAX_PATTERN:
        raise Bad("Regular expression too big")
    text = _literal(pattern) if fixed else _Translation(pattern, extended=extended).run()
    if whole == "w":
        text = rf"\b(?:{text})\b"
    elif whole == "x":
        text = f"^(?:{text})$"
    settings = re2.Options()
    settings.longest_match = True
    settings.log_errors = False
    settings.max_mem = _MEMORY
    settings.case_sensitive = not small
    settings.dot_nl = True
    settings.one_line = True
    settings.never_nl = False
    try:
        return re2.compile(text.encode("utf-8", "replace"), settings)
    except re2.error as error:
        raise Bad(f"Invalid regular expression: {error}") from error


def _literal(text: str) -> str:
    # Several patterns, one a line: any of them.
    return "|".join("".join(map(_escaped, line)) for line in text.split("\n"))


def _escaped(letter: str) -> str:
    return "\\" + letter if letter in r"\.+*?()|[]{}^$-" else letter


_SAME: Final = {"w": "[A-Za-z0-9_]", "W": "[^A-Za-z0-9_]", "s": r"\s", "S": r"\S", "b": r"\b",
                "B": r"\B", "<": r"\b", ">": r"\b", "n": "\n", "t": "\t", "r": "\r",
                "`": r"\A", "'": r"\z", "f": "\f", "v": "\v"}  # fmt: skip


class _Translation:
    """Translates one pattern."""

    def __init__(self, pattern: str, *, extended: bool) -> None:
        self._text = pattern
        self._extended = extended
        self._at = 0
        self._made: list[str] = []
        self._depth = 0
        self._start = True
        """Whether an operator here is a letter: nothing is before it that it could repeat."""

    def run(self) -> str:
        while self._at < len(self._text):
            letter = self._text[self._at]
            self._at += 1
            if letter == "\\":
                self._backslash()
            elif letter == "[":
                self._add(self._bracket())
            elif letter == "*":
                self._repeat("*")
            elif letter == ".":
                self._add(".")
            elif letter in "^$":
                self._anchor(letter)
            elif letter in "+?{|()" and self._extended:
                self._operator(letter)
            elif letter == "\n" and not self._extended:
                self._operator("|")
            else:
                self._add(_escaped(letter))
        if self._depth:
            raise Bad("Unmatched ( or \\(")
        return "".join(self._made)

    def _add(self, text: str) -> None:
        self._made.append(text)
        self._start = False

    def _backslash(self) -> None:
        if self._at >= len(self._text):
            raise Bad("Trailing backslash")
        letter = self._text[self._at]
        self._at += 1
        if letter in "(){}|+?" and not self._extended:
            if letter == "}":
                raise Bad("Unmatched { or \\{")
            self._operator(letter)
        elif letter.isdigit() and letter != "0":
            raise Bad("back-references in patterns are not emulated")
        else:
            self._add(_SAME.get(letter) or _escaped(letter))

    def _operator(self, letter: str) -> None:
        if letter == "(":
            self._depth += 1
            self._made.append("(")
            self._start = True
        elif letter == ")":
            if not self._depth:
                if self._extended:
                    self._add("\\)")
                    return
                raise Bad("Unmatched ) or \\)")
            self._depth -= 1
            self._add(")")
        elif letter == "|":
            self._made.append("|")
            self._start = True
        elif letter == "{":
            self._interval()
        else:
            self._repeat(letter)

    def _repeat(self, operator: str) -> None:
        if self._start:
            self._add(_escaped(operator))
        elif self._made[-1] in ("*", "+", "?"):
            # Repeated twice: `a**` is `a*`, `a+?` is `a*`.
            self._made[-1] = self._made[-1] if self._made[-1] == operator else "*"
        else:
            self._made.append(operator)

    def _interval(self) -> None:
        close = "}" if self._extended else "\\}"
        end = self._text.find(close, self._at)
        first, comma, last = self._text[self._at : max(end, self._at)].partition(",")
        digits = first.isdigit() and (not last or last.isdigit())
        if self._start or end < 0 or not digits:
            if not self._extended:
                raise Bad("Unmatched { or \\{" if end < 0 else "Invalid content of \\{\\}")
            self._add("\\{")
            return
        low, high = int(first[:6]), int(last[:6]) if last else None
        if max(low, high or 0) > _MAX_REPEAT or (high is not None and high < low):
            raise Bad("Invalid content of \\{\\}")
        self._at = end + len(close)
        if self._made[-1] in ("*", "+", "?"):
            raise Bad("Invalid preceding regular expression")
        self._made.append("{" + first + comma + last + "}")

    def _anchor(self, letter: str) -> None:
        if self._extended:
            self._made.append(letter)
            self._start = letter == "^"
            return
        rest = self._text[self._at :]
        if letter == "^":
            real = not self._made or self._made[-1] in ("(", "|")
        else:
            real = not rest or rest.startswith(("\\)", "\\|", "\n"))
        if real:
            self._made.append(letter)
            self._start = letter == "^"
        else:
            self._add("\\" + letter)

    def _bracket(self) -> str:
        text, at = self._text, self._at
        made = "["
        if text[at : at + 1] == "^":
            made += "^"
            at += 1
        first = True
        while True:
            if at >= len(text):
                raise Bad("Unmatched [, [^, [:, [., or [=")
            letter = text[at]
            if letter == "]" and not first:
                self._at = at + 1
                return made + "]"
            first = False
            if letter == "[" and text[at + 1 : at + 2] in (":", ".", "="):
                kind = text[at + 1]
                end = text.find(kind + "]", at + 2)
                if end < 0:
                    raise Bad("Unmatched [, [^, [:, [., or [=")
                name = text[at + 2 : end]
                made += f"[:{name}:]" if kind == ":" else "".join(map(_inside, name))
                at = end + 2
            elif letter == "\\" and text[at + 1 : at + 2] in ("n", "t", "]", "\\", "/"):
                # As GNU sed and awk take them.
                follows = text[at + 1]
                made += {"n": "\\n", "t": "\\t"}.get(follows) or _inside(follows)
                at += 2
            else:
                made += "-" if self._is_range(at) else _inside(letter)
                at += 1

    def _is_range(self, at: int) -> bool:
        """Whether a `-` stands between two ends."""
        text = self._text
        inner = text[at - 1 : at] not in ("[", "") and text[at + 1 : at + 2] not in ("]", "")
        return text[at] == "-" and inner and not (text[at - 1] == "^" and text[at - 2] == "[")


def _inside(letter: str) -> str:
    return "\\" + letter if letter in r"\[]^-" else letter
