"""RESP2 and RESP3, Redis' protocol: parsers of requests and replies, an encoder. Sans-IO.

Source: "Redis serialization protocol specification", https://redis.io/docs/reference/
"""

from collections.abc import Sequence
from typing import Any, Final

MAX_INLINE: Final = 64 << 10
MAX_BULK: Final = 8 << 20
"""Bytes of a string; a real server takes 512 MB."""
MAX_ARGUMENTS: Final = 64 << 10
MAX_REQUEST: Final = 16 << 20
MAX_DEPTH: Final = 16


class Status(str):
    """A simple string, such as `OK`."""

    __slots__ = ()


class Fault(Exception):
    """An error reply; its text begins with its code (`ERR`, `WRONGTYPE`)."""


class Members(list[Any]):
    """A set: RESP3 says that it is one."""


class Pairs(list[tuple[Any, Any]]):
    """Names with values, in order: a map in RESP3, a flat array in RESP2."""


class Push(list[Any]):
    """Something that nobody asked for: a message of a channel."""


class NilArray:
    """RESP2's other nil, that of an array."""


NIL_ARRAY: Final = NilArray()
OK: Final = Status("OK")


class Malformed(Exception):
    """What came is not the protocol; the text is what Redis answers before it hangs up."""


class Requests:
    """Reads requests: arrays of bulk strings, and inline commands."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._at = 0
        self._wanted = 0
        self._args: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Take bytes of the client."""
        self._data += data

    @property
    def size(self) -> int:
        """Bytes that are not read yet."""
        return len(self._data) - self._at

    def next(self) -> list[bytes] | None:
        """The next request, never empty; None where more has to come. Malformed."""
        while True:
            if not self._wanted and not self._head():
                self._shrink()
                return None
            if self._args and not self._wanted:
                return self._whole()
            while self._wanted:
                if not self._bulk():
                    self._shrink()
                    return None
                self._wanted -= 1
            if self._args:
                return self._whole()

    def _shrink(self) -> None:
        if self._at:
            del self._data[: self._at]
            self._at = 0

    def _whole(self) -> list[bytes]:
        args, self._args, self._size = self._args, [], 0
        if self._at > MAX_INLINE:
            self._shrink()
        return args

    def _line(self, what: str) -> bytes | None:
        end = self._data.find(b"\n", self._at)
        if end < 0:
            if len(self._data) - self._at > MAX_INLINE:
                raise Malformed(f"ERR Protocol error: too big {what}")
            return None
        line = bytes(self._data[self._at : end]).removesuffix(b"\r")
        self._at = end + 1
        return line

    def _head(self) -> bool:
        """Read how a request begins, or an inline one whole; False where more has to come."""
        line = self._line("inline request")
        if line is None:
            return False
        if line[:1] == b"*":
            count = _integer(line[1:])
            if count is None or count > MAX_ARGUMENTS:
                raise Malformed("ERR Protocol error: invalid multibulk length")
            self._wanted = max(count, 0)
        else:
            self._args = inline(line)
        return True

    def _bulk(self) -> bool:
        start = self._at
        line = self._line("bulk count string")
        if line is None:
            return False
        if line[:1] != b"$":
            shown = chr(line[0]) if line else "\r"
            raise Malformed(f"ERR Protocol error: expected '$', got '{shown}'")
        size = _integer(line[1:])
        if size is None or not 0 <= size <= MAX_BULK or self._size + size > MAX_REQUEST:
            raise Malformed("ERR Protocol error: invalid bulk length")
        if len(self._data) < self._at + size + 2:
            self._at = start
            return False
        self._args.append(bytes(self._data[self._at : self._at + size]))
        self._size += size
        self._at += size + 2
        return True


def inline(line: bytes) -> list[bytes]:
    """The words of an inline command, quoted as redis-cli takes them. Malformed."""
    words: list[bytes] = []
    at = 0
    while at < len(line):
        if line[at : at + 1].isspace():
            at += 1
            continue
        word, at = _word(line, at)
        words.append(word)
    return words


_ESCAPES: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}
_HEX: Final = frozenset(b"0123456789abcdefABCDEF")


def _word(line: bytes, at: int) -> tuple[bytes, int]:
    made = bytearray()
    while at < len(line) and not line[at : at + 1].isspace():
        letter = line[at : at + 1]
        if letter not in (b'"', b"'"):
            made += letter
            at += 1
            continue
        at = _quoted(line, at + 1, letter, made)
        if line[at : at + 1].strip():
            raise Malformed("ERR Protocol error: unbalanced quotes in request")
    return bytes(made), at


def _quoted(line: bytes, at: int, quote: bytes, made: bytearray) -> int:
    while at < len(line):
        letter = line[at : at + 1]
        if letter == quote:
            return at + 1
        follows = line[at + 1 : at + 2]
        if letter == b"\\" and quote == b"'" and follows == b"'":
            made += b"'"
            at += 2
        elif letter == b"\\" and quote == b'"' and follows:
            pair = line[at + 2 : at + 4]
            if follows == b"x" and len(pair) == 2 and _HEX.issuperset(pair):
                made.append(int(pair, 16))
                at += 4
            else:
                made += _ESCAPES.get(follows, follows)
                at += 2
        else:
            made += letter
            at += 1
    raise Malformed("ERR Protocol error: unbalanced quotes in request")


def _integer(text: bytes) -> int | None:
    digits = text[1:] if text[:1] == b"-" else text
    return int(text) if digits.isdigit() and len(digits) < 20 else None


def command(args: Sequence[bytes]) -> bytes:
    """A request."""
    parts = [b"*%d\r\n" % len(args)]
    parts += [b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in args]
    return b"".join(parts)


def encode(reply: Any, protocol: int = 2) -> bytes:
    """A reply on the wire. Python's own types stand for Redis' (`commands.Reply`)."""
    made: list[bytes] = []
    _encode(reply, protocol == 3, made)
    return b"".join(made)


def _encode(reply: Any, three: bool, made: list[bytes]) -> None:
    if isinstance(reply, bytes):
        made.append(b"$%d\r\n%b\r\n" % (len(reply), reply))
    elif reply is None:
        made.append(b"_\r\n" if three else b"$-1\r\n")
    elif reply is NIL_ARRAY:
        made.append(b"_\r\n" if three else b"*-1\r\n")
    elif isinstance(reply, Status):
        made.append(b"+%b\r\n" % reply.encode())
    elif isinstance(reply, bool):
        made.append((b"#t\r\n" if reply else b"#f\r\n") if three else b":%d\r\n" % reply)
    elif isinstance(reply, int):
        made.append(b":%d\r\n" % reply)
    elif isinstance(reply, float):
        text = number(reply)
        made.append(b",%b\r\n" % text if three else b"$%d\r\n%b\r\n" % (len(text), text))
    elif isinstance(reply, Fault):
        made.append(b"-%b\r\n" % str(reply).encode(errors="replace").replace(b"\n", b" "))
    else:
        _encode_several(reply, three, made)


def _encode_several(reply: list[Any] | tuple[Any, ...], three: bool, made: list[bytes]) -> None:
    if isinstance(reply, Pairs):
        made.append(b"%%%d\r\n" % len(reply) if three else b"*%d\r\n" % (2 * len(reply)))
        for pair in reply:
            _encode(pair[0], three, made)
            _encode(pair[1], three, made)
        return
    kind = b"*"
    if three:
        kind = b"~" if isinstance(reply, Members) else b">" if isinstance(reply, Push) else b"*"
    made.append(b"%b%d\r\n" % (kind, len(reply)))
    for one in reply:
        _encode(one, three, made)


def weight(reply: Any) -> int:
    """The bytes of a reply, about."""
    if isinstance(reply, bytes):
        return len(reply) + 16
    if isinstance(reply, (list, tuple)):
        return sum(map(weight, reply)) + 16
    return 32


def number(value: float) -> bytes:
    """A double as Redis prints it: 17 digits at most, no `.0`."""
    if value != value:  # noqa: PLR0124  (not a number)
        return b"nan"
    if value in (float("inf"), float("-inf")):
        return b"inf" if value > 0 else b"-inf"
    if value == int(value) and abs(value) < 1e17:
        return b"%d" % int(value)
    return repr(value).encode()


class Replies:
    """Reads replies, for a client."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> None:
        """Take bytes of the server."""
        self._data += data
        if len(self._data) > 4 * MAX_REQUEST:
            raise Malformed("a reply is too big")

    def rest(self) -> bytes:
        """What came after the last reply; the reader is empty then."""
        left = bytes(self._data)
        self._data.clear()
        return left

    def next(self) -> tuple[Any] | None:
        """The next reply in a tuple; None where more has to come. Malformed."""
        self._at = 0
        found = self._value(0)
        if found is not None:
            del self._data[: self._at]
        return found

    def _value(self, depth: int) -> tuple[Any] | None:
        end = self._data.find(b"\r\n", self._at)
        if end < 0 or depth > MAX_DEPTH:
            if depth > MAX_DEPTH:
                raise Malformed("a reply is nested too deeply")
            return None
        kind, text = self._data[self._at : self._at + 1], bytes(self._data[self._at + 1 : end])
        self._at = end + 2
        if kind in b"$=!":
            return self._bulk(kind, text)
        if kind in b"*~>%":
            return self._several(kind, text, depth)
        if kind == b"+":
            return (Status(text.decode(errors="replace")),)
        if kind == b"-":
            return (Fault(text.decode(errors="replace")),)
        if kind == b":":
            return (_checked(text),)
        if kind == b",":
            return (float(text),)
        if kind == b"#":
            return (text == b"t",)
        if kind == b"_":
            return (None,)
        raise Malformed(f"unknown kind of reply {bytes(kind)!r}")

    def _bulk(self, kind: bytearray, text: bytes) -> tuple[Any] | None:
        size = _checked(text)
        if size < 0:
            return (None,)
        if len(self._data) < self._at + size + 2:
            return None
        found = bytes(self._data[self._at : self._at + size])
        self._at += size + 2
        return (Fault(found.decode(errors="replace")) if kind == b"!" else found,)

    def _several(self, kind: bytearray, text: bytes, depth: int) -> tuple[Any] | None:
        count = _checked(text)
        if count < 0:
            return (None,)
        found: list[Any] = []
        for _ in range(2 * count if kind == b"%" else count):
            one = self._value(depth + 1)
            if one is None:
                return None
            found.append(one[0])
        if kind == b"%":
            return (Pairs(zip(found[::2], found[1::2], strict=True)),)
        return ({b"~": Members, b">": Push}.get(bytes(kind), list)(found),)


def _checked(text: bytes) -> int:
    found = _integer(text)
    if found is None:
        raise Malformed("a reply's number cannot be read")
    return found
