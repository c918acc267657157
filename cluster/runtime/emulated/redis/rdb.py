"""Redis' dump file, in its oldest encodings: any `redis-server` reads what is written here.

Read is what is written here, and what is like it. Packed encodings (ziplists, listpacks, streams,
modules) are refused with a word. Source: https://rdb.fnordig.de/file_format.html
"""

import math
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from cluster.runtime.emulated.redis.database import Database
from cluster.runtime.emulated.redis.values import Hash, List, Set, SortedSet, Value

VERSION: Final = 9
_AUX, _RESIZE, _EXPIRE_MS, _EXPIRE, _SELECT, _END = 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF
_STRING, _LIST, _SET, _SCORES, _HASH, _SCORES_2 = 0, 1, 2, 3, 4, 5
_MOST: Final = 64 << 20


class Unreadable(Exception):
    """It is no dump, or has what is not built."""


def dump(databases: Sequence[Database], version: str, now: int) -> bytes:
    """All data, as a file. `now` in milliseconds."""
    made = [b"REDIS%04d" % VERSION]
    for name, value in (("redis-ver", version), ("redis-bits", "64"), ("ctime", str(now // 1000))):
        made += [bytes([_AUX]), _text(name.encode()), _text(value.encode())]
    for db in databases:
        if db.entries:
            made += [bytes([_SELECT]), _length(db.number)]
            made += [bytes([_RESIZE]), _length(len(db.entries)), _length(len(db.expires))]
            for key, value_ in db.entries.items():
                made += _entry(db, key, value_)
    # A checksum of zeros says that there is none.
    made.append(bytes([_END]) + bytes(8))
    return b"".join(made)


def _entry(db: Database, key: bytes, value: Value) -> Iterator[bytes]:
    at = db.expires.get(key)
    if at is not None:
        yield bytes([_EXPIRE_MS]) + struct.pack("<q", at)
    if isinstance(value, bytes):
        yield bytes([_STRING]) + _text(key) + _text(value)
        return
    kinds = {deque: _LIST, Set: _SET, Hash: _HASH, SortedSet: _SCORES_2}
    yield bytes([kinds[type(value)]]) + _text(key) + _length(len(value))
    if isinstance(value, Hash):
        for field, one in value.items():
            yield _text(field) + _text(one)
    elif isinstance(value, SortedSet):
        for score, member in value.rows:
            yield _text(member) + struct.pack("<d", score)
    else:
        for one in value:
            yield _text(one)


def _length(size: int) -> bytes:
    if size < 1 << 6:
        return bytes([size])
    if size < 1 << 14:
        return struct.pack(">H", 0x4000 | size)
    return b"\x80" + struct.pack(">I", size)


def _text(data: bytes) -> bytes:
    return _length(len(data)) + data


def load(data: bytes, databases: Sequence[Database], now: int) -> int:
    """Put what a file has into empty databases; how many keys. What has expired stays away.

    Unreadable.
    """
    try:
        return _Reader(data).load(databases, now)
    except (IndexError, struct.error, ValueError) as error:
        raise Unreadable("the dump is cut short or damaged") from error


class _Reader:
    """Reads a dump."""

    def __init__(self, data: bytes) -> None:
        if data[:5] != b"REDIS" or not data[5:9].isdigit():
            raise Unreadable("Wrong signature trying to load DB from file")
        self._data = data
        self._at = 9

    def load(self, databases: Sequence[Database], now: int) -> int:
        db, expires, loaded = databases[0], 0, 0
        while (code := self._byte()) != _END:
            if code == _AUX:
                self._string(), self._string()
            elif code == _RESIZE:
                self._size(), self._size()
            elif code == _SELECT:
                db = databases[self._size()]
            elif code == _EXPIRE_MS:
                expires = int(struct.unpack("<q", self._take(8))[0])
            elif code == _EXPIRE:
                expires = int(struct.unpack("<i", self._take(4))[0]) * 1000
            else:
                key = self._string()
                value = self._value(code)
                if not expires or expires > now:
                    db.now = now
                    db.put(key, value)
                    loaded += 1
                    if expires:
                        db.expire(key, expires)
                expires = 0
        return loaded

    def _value(self, code: int) -> Value:
        if code == _STRING:
            return self._string()
        if code not in (_LIST, _SET, _HASH, _SCORES, _SCORES_2):
            raise Unreadable(f"values of encoding {code} are not emulated")
        count = self._size()
        if code == _LIST:
            return List(self._string() for _ in range(count))
        if code == _SET:
            return Set((self._string(), None) for _ in range(count))
        if code == _HASH:
            return Hash((self._string(), self._string()) for _ in range(count))
        made = SortedSet()
        rows: list[tuple[float, bytes]] = []
        for _ in range(count):
            member = self._string()
            rows.append((self._score(code), member))
        made.rows = sorted(rows)
        made.scores = {member: score for score, member in rows}
        return made

    def _score(self, code: int) -> float:
        if code == _SCORES_2:
            return float(struct.unpack("<d", self._take(8))[0])
        size = self._byte()
        if size >= 253:
            return {253: math.nan, 254: math.inf, 255: -math.inf}[size]
        return float(self._take(size))

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if size < 0 or end > len(self._data):
            raise IndexError(size)
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def _size(self) -> int:
        kind, size = self._head()
        if kind:
            raise Unreadable("a length is damaged")
        return size

    def _head(self) -> tuple[int, int]:
        """A length, or the kind of a specially encoded string (then the first is true)."""
        first = self._byte()
        if first >> 6 == 0:
            return 0, first
        if first >> 6 == 1:
            return 0, (first & 0x3F) << 8 | self._byte()
        if first >> 6 == 3:
            return 1, first & 0x3F
        return 0, int.from_bytes(self._take(8 if first == 0x81 else 4), "big")

    def _string(self) -> bytes:
        special, size = self._head()
        if not special:
            return self._take(size)
        if size < 3:
            return b"%d" % int.from_bytes(self._take(1 << size), "little", signed=True)
        if size != 3:
            raise Unreadable("a string is damaged")
        packed, plain = self._size(), self._size()
        return _unpacked(self._take(packed), plain)


def _unpacked(data: bytes, size: int) -> bytes:
    """LZF. Unreadable."""
    if size > _MOST:
        raise Unreadable("a string is too long")
    made = bytearray()
    at = 0
    while at < len(data) and len(made) <= size:
        control = data[at]
        at += 1
        if control < 32:
            made += data[at : at + control + 1]
            at += control + 1
            continue
        length = control >> 5
        if length == 7:
            length += data[at]
            at += 1
        start = len(made) - ((control & 0x1F) << 8) - data[at] - 1
        at += 1
        if start < 0:
            raise Unreadable("a string is damaged")
        for place in range(start, start + length + 2):
            made.append(made[place])
    if len(made) != size:
        raise Unreadable("a string is damaged")
    return bytes(made)
