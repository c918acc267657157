"""What PostgreSQL answers to statements, by the simple and the extended protocol. Sans-IO.

Constants, its own settings, and the bounds of transactions are answered; all else is an error.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cluster.runtime.emulated.databases import statements
from cluster.runtime.emulated.databases.statements import Column, Value

NOT_EMULATED: Final = "kubemu does not run SQL: this server only accepts connections"
_MOST_PREPARED: Final = 100
_MOST_PORTALS: Final = 8
_LONGEST: Final = 4096
"""Bytes of a prepared statement: what is answered is short."""
_TEXT, _INT4, _INT8, _BOOL = 25, 23, 20, 16
_TAGS: Final = {
    "begin": "BEGIN", "start": "START TRANSACTION", "commit": "COMMIT", "end": "COMMIT",
    "rollback": "ROLLBACK", "abort": "ROLLBACK", "reset": "RESET", "discard": "DISCARD ALL",
    "deallocate": "DEALLOCATE", "unlisten": "UNLISTEN", "listen": "LISTEN", "close": "CLOSE CURSOR",
    "savepoint": "SAVEPOINT", "release": "RELEASE",
}  # fmt: skip
_SET: Final = re.compile(
    r"set\s+(?:(?:session|local)\s+)?(?:(time\s+zone)\s+|(\w{1,60})\s*(?:=|\bto\b)\s*)(.{1,200})",
    re.IGNORECASE | re.DOTALL,
)


def message(kind: bytes, body: bytes = b"") -> bytes:
    """A message of the server's."""
    return kind + struct.pack(">I", len(body) + 4) + body


def error(severity: str, code: str, text: str) -> bytes:
    """An ErrorResponse."""
    fields = f"S{severity}\0V{severity}\0C{code}\0M{text}\0\0"
    return message(b"E", fields.encode(errors="replace"))


class Wrong(Exception):
    """A statement is answered with an error."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Answer:
    """A statement's: its tag, and its one row where it has one."""

    tag: str
    columns: Sequence[Column] | None = None


@dataclass(slots=True)
class _Prepared:
    statement: str
    answer: _Answer | None
    types: tuple[int, ...]
    values: tuple[bytes | None, ...] = ()
    formats: tuple[int, ...] = ()


@dataclass(slots=True)
class Answers:
    """A session's statements. `log` collects what the server writes of them."""

    known: Mapping[str, Value]
    """What it knows of itself, for `statements.row`."""
    settings: dict[str, str]
    log: list[str] = field(default_factory=list)
    status: bytes = b"I"
    """Of the transaction: I none, T in one, E in one that failed."""
    _prepared: dict[bytes, _Prepared] = field(default_factory=dict)
    _portals: dict[bytes, _Prepared] = field(default_factory=dict)
    _skipping: bool = False

    def ready(self) -> bytes:
        """ReadyForQuery."""
        return message(b"Z", self.status)

    def simple(self, text: str) -> bytes:
        """A simple query, which may have several statements."""
        made = b""
        found = statements.split(text)
        for statement in found:
            try:
                answer = self._run(statement)
            except Wrong as wrong:
                return made + self._failed(wrong, statement) + self.ready()
            if answer.columns is not None:
                made += _described(answer.columns, (), ()) + _row(answer.columns, (), (), ())
            made += message(b"C", answer.tag.encode() + b"\0")
        return made + (b"" if found else message(b"I")) + self.ready()

    def extended(self, kind: bytes, body: bytes) -> bytes:
        """Parse, Bind, Describe, Execute, Close, Sync or Flush. struct.error, ValueError."""
        if kind == b"S":
            self._skipping = False
            return self.ready()
        if self._skipping or kind == b"H":
            return b""
        act = {b"P": self._parse, b"B": self._bind, b"D": self._describe, b"E": self._execute,
               b"C": self._close}[kind]  # fmt: skip
        try:
            return act(body)
        except Wrong as wrong:
            self._skipping = True
            return self._failed(wrong, "")

    # ---- statements ----------------------------------------------------------------------------

    def _failed(self, wrong: Wrong, statement: str) -> bytes:
        self.log.append(f"ERROR:  {wrong}")
        if statement:
            self.log.append(f"STATEMENT:  {statement[:1000]}")
        if self.status == b"T":
            self.status = b"E"
        return error("ERROR", wrong.code, str(wrong))

    def _run(self, statement: str) -> _Answer:
        """Carry a statement out. Wrong."""
        answer = self._understood(statement)
        word = statements.verb(statement)
        if word in ("begin", "start"):
            self.status = b"T"
        elif word in ("commit", "end", "abort", "rollback") and " to " not in statement.lower():
            failed = self.status == b"E"
            self.status = b"I"
            return _Answer("ROLLBACK") if failed else answer
        elif word == "set":
            self._set(statement)
        return answer

    def _understood(self, statement: str) -> _Answer:
        word = statements.verb(statement)
        if self.status == b"E" and word not in ("rollback", "commit", "end", "abort"):
            text = "current transaction is aborted, commands ignored until end of transaction block"
            raise Wrong("25P02", text)
        columns = statements.row(statement, self.known, _name)
        if columns is not None:
            return _Answer("SELECT 1", columns)
        if word == "show":
            name = " ".join(statement.split()[1:]).lower().replace("time zone", "timezone")
            name = name.replace("transaction isolation level", "transaction_isolation")
            value = self.settings.get(name.strip('"'))
            if value is None:
                raise Wrong("42704", f'unrecognized configuration parameter "{name[:60]}"')
            return _Answer("SHOW", [Column(name.strip('"'), value)])
        if word == "set":
            return _Answer("SET")
        if word in _TAGS:
            return _Answer(_TAGS[word])
        raise Wrong("0A000", NOT_EMULATED)

    def _set(self, statement: str) -> None:
        found = _SET.match(statement)
        if found is not None and len(self.settings) < 200:
            name = "timezone" if found[1] else found[2].lower()
            self.settings[name] = found[3].strip().strip("'\"")

    # ---- the extended protocol -----------------------------------------------------------------

    def _parse(self, body: bytes) -> bytes:
        name, text, rest = body.split(b"\0", 2)
        (count,) = struct.unpack_from(">H", rest)
        types = struct.unpack_from(f">{count}I", rest, 2)
        found = statements.split(text.decode(errors="replace"))
        if len(found) > 1:
            raise Wrong("42601", "cannot insert multiple commands into a prepared statement")
        if name not in self._prepared and len(self._prepared) >= _MOST_PREPARED:
            raise Wrong("53200", "too many prepared statements for an emulated server")
        statement = found[0] if found else ""
        if len(statement) > _LONGEST or count > _MOST_PREPARED:
            raise Wrong("0A000", NOT_EMULATED)
        try:
            answer = self._understood(statement) if statement else None
        except Wrong:
            self.log.append(f"STATEMENT:  {statement[:1000]}")
            raise
        most = max((one.parameter for one in (answer.columns if answer else None) or ()), default=0)
        types = (*types, *(0,) * (most - len(types)))
        self._prepared[name] = _Prepared(statement, answer, tuple(one or _TEXT for one in types))
        return message(b"1")

    def _bind(self, body: bytes) -> bytes:
        portal, name, rest = body.split(b"\0", 2)
        prepared = self._found(self._prepared, name, "prepared statement")
        at = 0
        lists: list[tuple[int, ...]] = []
        values: list[bytes | None] = []
        for part in range(3):
            (count,) = struct.unpack_from(">H", rest, at)
            at += 2
            if part != 1:
                lists.append(struct.unpack_from(f">{count}H", rest, at))
                at += 2 * count
                continue
            for _ in range(count):
                (size,) = struct.unpack_from(">i", rest, at)
                at += 4
                values.append(None if size < 0 else rest[at : at + size])
                at += max(size, 0)
        if len(values) != len(prepared.types):
            text = f"bind message supplies {len(values)} parameters, but prepared statement "
            raise Wrong("08P01", f'{text}"{_shown(name)}" requires {len(prepared.types)}')
        given, wanted = (_spread(one, _MOST_PREPARED) for one in lists)
        columns = prepared.answer.columns if prepared.answer is not None else None
        for at, one in enumerate(columns or ()):
            if one.parameter and given[one.parameter - 1] != wanted[at]:
                raise Wrong("0A000", NOT_EMULATED)
        if len(self._portals) >= _MOST_PORTALS:
            self._portals.clear()
        self._portals[portal] = _Prepared(
            prepared.statement, prepared.answer, prepared.types, tuple(values), wanted
        )
        return message(b"2")

    def _describe(self, body: bytes) -> bytes:
        kind, name = body[:1], body[1:].rstrip(b"\0")
        if kind == b"S":
            found = self._found(self._prepared, name, "prepared statement")
            count = len(found.types)
            made = message(b"t", struct.pack(f">H{count}I", count, *found.types))
        else:
            found, made = self._found(self._portals, name, "portal"), b""
        if found.answer is None or found.answer.columns is None:
            return made + message(b"n")
        return made + _described(found.answer.columns, found.types, found.formats)

    def _execute(self, body: bytes) -> bytes:
        found = self._found(self._portals, body.split(b"\0", 1)[0], "portal")
        if not found.statement:
            return message(b"I")
        answer = self._run(found.statement)
        made = b""
        if answer.columns is not None:
            made = _row(answer.columns, found.types, found.values, found.formats)
        return made + message(b"C", answer.tag.encode() + b"\0")

    def _close(self, body: bytes) -> bytes:
        kept = self._prepared if body[:1] == b"S" else self._portals
        kept.pop(body[1:].rstrip(b"\0"), None)
        return message(b"3")

    @staticmethod
    def _found(kept: Mapping[bytes, _Prepared], name: bytes, what: str) -> _Prepared:
        found = kept.get(name)
        if found is None:
            code = "26000" if what != "portal" else "34000"
            raise Wrong(code, f'{what} "{_shown(name)}" does not exist')
        return found


def _shown(name: bytes) -> str:
    return name[:63].decode(errors="replace")


def _name(_item: str, word: str) -> str:
    return word.lower().rpartition(".")[2] or "?column?"


def _spread(formats: Sequence[int], count: int) -> tuple[int, ...]:
    """One format for all, or one each; text where none is told."""
    return tuple(formats) * count if len(formats) == 1 else (*formats, *(0,) * count)


def _type(column: Column, types: Sequence[int]) -> int:
    if column.parameter:
        return types[column.parameter - 1]
    value = column.value
    if isinstance(value, bool):
        return _BOOL
    if isinstance(value, int):
        return _INT4 if -(2**31) <= value < 2**31 else _INT8
    return _TEXT


_SIZES: Final = {_BOOL: 1, _INT4: 4, _INT8: 8}


def _described(columns: Sequence[Column], types: Sequence[int], formats: Sequence[int]) -> bytes:
    made = struct.pack(">H", len(columns))
    for at, one in enumerate(columns):
        kind = _type(one, types)
        form = formats[at] if at < len(formats) else 0
        made += one.name.encode() + b"\0"
        made += struct.pack(">IHIhih", 0, 0, kind, _SIZES.get(kind, -1), -1, form)
    return message(b"T", made)


def _row(
    columns: Sequence[Column], types: Sequence[int], values: Sequence[bytes | None],
    formats: Sequence[int],
) -> bytes:  # fmt: skip
    made = struct.pack(">H", len(columns))
    for at, one in enumerate(columns):
        binary = at < len(formats) and formats[at] == 1
        data = values[one.parameter - 1] if one.parameter else _encoded(one, types, binary=binary)
        made += struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data
    return message(b"D", made)


def _encoded(column: Column, types: Sequence[int], *, binary: bool) -> bytes | None:
    value = column.value
    if value is None:
        return None
    if binary and isinstance(value, int):
        return struct.pack({_BOOL: ">?", _INT4: ">i"}.get(_type(column, types), ">q"), value)
    if isinstance(value, bool):
        return b"t" if value else b"f"
    return str(value).encode(errors="replace")
