"""Programs that print what they are told: echo, printf, seq, yes; and test."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from cluster.runtime.vos import files
from cluster.runtime.vos.credentials import EXECUTE, READ, SETGID, STICKY, WRITE
from cluster.runtime.vos.devices import Device
from cluster.runtime.vos.kernel import Call, Program, encoded
from cluster.runtime.vos.programs import quoting

_ESCAPE: Final = re.compile(r"\\(0[0-7]{0,3}|x[0-9a-fA-F]{1,2}|.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v",
                   "e": "\x1b", "\\": "\\"}  # fmt: skip
_DIRECTIVE: Final = re.compile(r"%([-+ 0#]*)(\d*|\*)(?:\.(\d*))?([diouxXcsbfeEgGq%])")
_MAX_WIDTH: Final = 4096
_CHUNK: Final = 4096


def _escaped(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        code = found[1]
        if code[0] == "0":
            return chr(int(code, 8) & 0xFF)
        if code[0] == "x" and len(code) > 1:
            return chr(int(code[1:], 16))
        return _ESCAPES.get(code, "\\" + code)

    return _ESCAPE.sub(one, text)


async def echo(call: Call) -> int:
    """`echo [-neE] WORD…`."""
    words = list(call.argv[1:])
    end, escapes = "\n", False
    while words and re.fullmatch(r"-[neE]+", words[0]):
        flags = words.pop(0)
        end = "" if "n" in flags else end
        escapes = "e" in flags or (escapes and "E" not in flags)
    text = " ".join(words)
    if escapes:
        text, cut, _ = text.partition("\\c")
        text, end = _escaped(text), "" if cut else end
    await call.out(text + end)
    return 0


async def printf(call: Call) -> int:
    """`printf FORMAT WORD…`: the format is used again until no words are left."""
    if len(call.argv) < 2:
        return await call.complain("usage: printf FORMAT [ARG]...", 1)
    form = call.argv[1]
    left = list(call.argv[2:])
    while True:
        before = len(left)
        await call.out(_formatted(form, left))
        if not left or len(left) == before:
            return 0


def _formatted(form: str, left: list[str]) -> str:
    made: list[str] = []
    at = 0
    for found in _DIRECTIVE.finditer(form):
        made.append(_escaped(form[at : found.start()]))
        at = found.end()
        made.append("%" if found[4] == "%" else _directive(found, left))
    made.append(_escaped(form[at:]))
    return "".join(made)


def _directive(found: re.Match[str], left: list[str]) -> str:
    flags, width, precision, kind = found.groups()
    if width == "*":
        width = left.pop(0) if left else "0"
        width = width if width.isdigit() else "0"
    value = left.pop(0) if left else ""
    size = str(min(int((width or "0")[:6]), _MAX_WIDTH)) if width else ""
    cut = f".{min(int((precision or '0')[:6]), _MAX_WIDTH)}" if precision is not None else ""
    if kind in "sbcq":
        text = _escaped(value) if kind == "b" else value[:1] if kind == "c" else value
        text = quoting.quoted(text) if kind == "q" else text
        return f"%{flags.replace('0', '')}{size}{cut}s" % text
    if kind in "feEgG":
        return f"%{flags}{size}{cut}{kind}" % _real(value)
    return f"%{flags}{size}{cut}{kind.replace('i', 'd').replace('u', 'd')}" % _whole(value)


def _whole(text: str) -> int:
    if text[:1] in ("'", '"'):
        return ord(text[1:2] or "\0")
    found = re.match(r"\s*[-+]?(0[xX][0-9a-fA-F]{1,16}|\d{1,19})", text)
    return int(found[0], 0 if "x" in found[0].lower() else 10) if found else 0


def _real(text: str) -> float:
    found = re.match(r"\s*[-+]?\d{0,300}\.?\d{0,300}(?:[eE][-+]?\d{1,2})?", text)
    try:
        return float(found[0]) if found else 0.0
    except ValueError:
        return 0.0


async def seq(call: Call) -> int:
    """`seq [-w] [-s SEPARATOR] [FIRST [STEP]] LAST`."""
    words = list(call.argv[1:])
    separator, wide = "\n", False
    while words and re.fullmatch(r"-[sw].*", words[0], re.DOTALL):
        word = words.pop(0)
        if word == "-w":
            wide = True
        else:
            separator = word[2:] or (words.pop(0) if words else "")
    if not 1 <= len(words) <= 3 or not all(_NUMBER.fullmatch(word) for word in words):
        return await call.complain("invalid number: seq [-w] [-s SEP] [FIRST [STEP]] LAST")
    places = max(len(word.partition(".")[2]) for word in words)
    scale = 10**places
    numbers = [round(float(word) * scale) for word in words]
    first = numbers[0] if len(numbers) > 1 else scale
    step = numbers[1] if len(numbers) > 2 else scale
    if step == 0:
        return await call.complain("the step is 0")
    counted = range(first, numbers[-1] + (1 if step > 0 else -1), step)
    width = max(len(_shown(counted[0], places)), len(_shown(counted[-1], places))) if counted else 0
    for start in range(0, len(counted), _CHUNK):
        await call.kernel.step()
        chunk = [_shown(one, places) for one in counted[start : start + _CHUNK]]
        chunk = [one.zfill(width) for one in chunk] if wide else chunk
        last = start + _CHUNK >= len(counted)
        await call.out(separator.join(chunk) + ("\n" if last else separator))
    return 0


_NUMBER: Final = re.compile(r"-?(?:\d{1,12}(?:\.\d{0,9})?|\.\d{1,9})")


def _shown(value: int, places: int) -> str:
    if not places:
        return str(value)
    whole, part = divmod(abs(value), 10**places)
    return f"{'-' if value < 0 else ''}{whole}.{part:0{places}d}"


async def yes(call: Call) -> int:
    """`yes [WORD…]`: for ever."""
    data = encoded(" ".join(call.argv[1:] or ["y"]) + "\n")
    chunk = data * max(1, _CHUNK // len(data))
    while True:
        await call.kernel.step()
        await call.io.stdout.write(chunk)


class _Bad(Exception):
    """Not an expression."""


async def test(call: Call) -> int:
    """`test EXPRESSION`, `[ EXPRESSION ]`."""
    words = list(call.argv[1:])
    if call.argv[0] == "[" and (not words or words.pop() != "]"):
        return await call.complain("missing ]", 2)
    if len(words) > 200:
        return await call.complain("too many arguments", 2)
    try:
        return int(not _Test(call, words).value())
    except _Bad as bad:
        return await call.complain(str(bad), 2)


class _Test:
    """Evaluates an expression of `test`."""

    def __init__(self, call: Call, words: Sequence[str]) -> None:
        self._call = call
        self._words = words
        self._at = 0

    def value(self) -> bool:
        """Its truth. _Bad."""
        if not self._words:
            return False
        found = self._either()
        if self._at < len(self._words):
            raise _Bad(f"unexpected operator {self._words[self._at]}")
        return found

    def _next(self) -> str | None:
        return self._words[self._at] if self._at < len(self._words) else None

    def _either(self) -> bool:
        found = self._both()
        while self._next() == "-o":
            self._at += 1
            found = self._both() or found
        return found

    def _both(self) -> bool:
        found = self._one()
        while self._next() == "-a":
            self._at += 1
            found = self._one() and found
        return found

    def _one(self) -> bool:
        words, at = self._words, self._at
        left = len(words) - at
        if left >= 3 and words[at + 1] in _BINARY:
            self._at += 3
            if words[at + 1] in ("-nt", "-ot", "-ef"):
                return _older(self._call, words[at], words[at + 1], words[at + 2])
            return _compare(words[at], words[at + 1], words[at + 2])
        if left >= 2 and words[at] == "!":
            self._at += 1
            return not self._one()
        if left >= 3 and words[at] == "(":
            self._at += 1
            found = self._either()
            if self._next() != ")":
                raise _Bad("closing paren expected")
            self._at += 1
            return found
        if left >= 2 and words[at] in _UNARY:
            self._at += 2
            return _UNARY[words[at]](self._call, words[at + 1])
        if left < 1:
            raise _Bad("argument expected")
        self._at += 1
        return words[at] != ""


def _kind(call: Call, text: str, *kinds: type) -> bool:
    try:
        return isinstance(call.files.find(call.path(text)), kinds)
    except OSError:
        return False


def _filled(call: Call, text: str) -> bool:
    try:
        return bool(call.files.read(call.path(text)))
    except OSError:
        return _kind(call, text, files.Folder)


def _mode(call: Call, text: str, bit: int) -> bool:
    try:
        return bool(call.files.find(call.path(text)).mode & bit)
    except OSError:
        return False


def _owner(call: Call, text: str, whose: str, number: int) -> bool:
    try:
        return bool(getattr(call.files.find(call.path(text)), whose) == number)
    except OSError:
        return False


def _link(call: Call, text: str) -> bool:
    try:
        return isinstance(call.files.find(call.path(text), follow=False), files.Link)
    except OSError:
        return False


_UNARY: Final[dict[str, Callable[[Call, str], bool]]] = {
    "-n": lambda _call, text: text != "",
    "-z": lambda _call, text: text == "",
    "-e": lambda call, text: call.files.exists(call.path(text)),
    "-f": lambda call, text: _kind(call, text, files.File) and not _kind(call, text, Device),
    "-c": lambda call, text: _kind(call, text, Device),
    "-b": lambda _call, _text: False,
    "-d": lambda call, text: _kind(call, text, files.Folder),
    "-L": _link,
    "-h": _link,
    "-s": _filled,
    "-r": lambda call, text: call.files.allows(call.path(text), READ),
    "-w": lambda call, text: call.files.allows(call.path(text), WRITE),
    "-x": lambda call, text: call.files.allows(call.path(text), EXECUTE),
    "-u": lambda call, text: _mode(call, text, 0o4000),
    "-g": lambda call, text: _mode(call, text, SETGID),
    "-k": lambda call, text: _mode(call, text, STICKY),
    "-O": lambda call, text: _owner(call, text, "uid", call.process.who.uid),
    "-G": lambda call, text: _owner(call, text, "gid", call.process.who.gid),
    "-t": lambda call, text: call.io.stdin is call.process.tty and call.process.tty is not None,
}
_BINARY: Final = (
    "=", "==", "!=", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "<", ">", "-nt", "-ot", "-ef",
)  # fmt: skip
_NUMERIC: Final[dict[str, Callable[[int, int], bool]]] = {
    "-eq": lambda left, right: left == right,
    "-ne": lambda left, right: left != right,
    "-lt": lambda left, right: left < right,
    "-le": lambda left, right: left <= right,
    "-gt": lambda left, right: left > right,
    "-ge": lambda left, right: left >= right,
}


def _older(call: Call, left: str, operator: str, right: str) -> bool:
    """`-nt`, `-ot`, `-ef`: one that is not there is the oldest."""
    times: list[float] = []
    places: list[str] = []
    for name in (left, right):
        try:
            times.append(call.files.find(call.path(name)).mtime)
            places.append(call.files.true_path(call.path(name)))
        except OSError:
            times.append(-1.0)
    if operator == "-ef":
        return len(places) == 2 and places[0] == places[1]
    return times[0] > times[1] if operator == "-nt" else times[0] < times[1]


def _compare(left: str, operator: str, right: str) -> bool:
    numeric = _NUMERIC.get(operator)
    if numeric is None:
        if operator in ("<", ">"):
            return left < right if operator == "<" else left > right
        return (left == right) == (operator != "!=")
    values: list[int] = []
    for text in (left, right):
        if not re.fullmatch(r"\s*[-+]?\d{1,19}\s*", text):
            raise _Bad(f"invalid number '{text[:40]}'")
        values.append(int(text))
    return numeric(values[0], values[1])


async def true(_call: Call) -> int:
    """`true`."""
    return 0


async def false(_call: Call) -> int:
    """`false`."""
    return 1


PROGRAMS: Final[dict[str, Program]] = {
    "[": test, "echo": echo, "false": false, "printf": printf, "seq": seq, "test": test,
    "true": true, "yes": yes,
}  # fmt: skip
