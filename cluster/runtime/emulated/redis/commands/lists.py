"""Lists, and those who wait for something to be put into one."""

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final

from cluster.runtime.emulated.redis.commands.command import (
    NO_KEY,
    SYNTAX,
    Call,
    Reply,
    Table,
    integer,
    positive,
    real,
    span,
    words,
)
from cluster.runtime.emulated.redis.database import Database
from cluster.runtime.emulated.redis.resp import NIL_ARRAY, OK, Fault
from cluster.runtime.emulated.redis.values import List

table: Final = Table()
_EACH: Final = 64
_NO_RANK: Final = (
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use "
    "negative to start from the end of the list"
)


@table.add("lpush rpush lpushx rpushx", -3, "g")
def _push(call: Call) -> Reply:
    key, *values = call.args
    found = call.db.list(key)
    if found is None:
        if call.name.endswith("x"):
            return 0
        found = call.db.made(key, deque)
    (found.extendleft if call.name.startswith("l") else found.extend)(values)
    call.db.changed(key, found, sum(map(len, values)) + _EACH * len(values))
    return len(found)


@table.add("lpop rpop", -2, "w")
def _pop(call: Call) -> Reply:
    if len(call.args) > 2:
        raise Fault(f"ERR wrong number of arguments for '{call.name}' command")
    count = positive(call.args[1]) if len(call.args) == 2 else None
    found = call.db.list(call.args[0])
    if found is None:
        return None if count is None else NIL_ARRAY
    taken = [
        _take(found, call.name[0]) for _ in range(min(1 if count is None else count, len(found)))
    ]
    call.db.changed(call.args[0], found)
    return taken[0] if count is None else taken


def _take(values: List, end: str) -> bytes:
    return values.popleft() if end == "l" else values.pop()


@table.add("llen", 2)
def _llen(call: Call) -> Reply:
    return len(call.db.list(call.args[0]) or ())


@table.add("lrange", 4)
def _lrange(call: Call) -> Reply:
    start, stop = integer(call.args[1]), integer(call.args[2])
    found = call.db.list(call.args[0]) or deque()
    first, end = span(start, stop, len(found))
    return list(islice(found, first, end))


@table.add("lindex", 3)
def _lindex(call: Call) -> Reply:
    found = call.db.list(call.args[0])
    if found is None:
        return None
    at = integer(call.args[1])
    return found[at] if -len(found) <= at < len(found) else None


@table.add("lset", 4, "g")
def _lset(call: Call) -> Reply:
    key, place, value = call.args
    found = call.db.list(key)
    if found is None:
        raise Fault(NO_KEY)
    at = integer(place)
    if not -len(found) <= at < len(found):
        raise Fault("ERR index out of range")
    found[at] = value
    call.db.changed(key, found, len(value))
    return OK


@table.add("linsert", 5, "g")
def _linsert(call: Call) -> Reply:
    key, where, pivot, value = call.args
    if where.lower() not in (b"before", b"after"):
        raise Fault(SYNTAX)
    found = call.db.list(key)
    if found is None:
        return 0
    if pivot not in found:
        return -1
    found.insert(found.index(pivot) + (where.lower() == b"after"), value)
    call.db.changed(key, found, len(value) + _EACH)
    return len(found)


@table.add("lrem", 4, "w")
def _lrem(call: Call) -> Reply:
    key, count, value = call.args[0], integer(call.args[1]), call.args[2]
    found = call.db.list(key)
    if found is None:
        return 0
    left = abs(count) or len(found)
    kept: list[bytes] = []
    removed = 0
    for one in reversed(found) if count < 0 else found:
        if one == value and removed < left:
            removed += 1
        else:
            kept.append(one)
    if removed:
        found.clear()
        found.extend(reversed(kept) if count < 0 else kept)
        call.db.changed(key, found)
    return removed


@table.add("ltrim", 4, "w")
def _ltrim(call: Call) -> Reply:
    start, stop = integer(call.args[1]), integer(call.args[2])
    found = call.db.list(call.args[0])
    if found is not None:
        first, end = span(start, stop, len(found))
        kept = list(islice(found, first, end))
        found.clear()
        found.extend(kept)
        call.db.changed(call.args[0], found)
    return OK


@table.add("lpos", -3)
def _lpos(call: Call) -> Reply:
    rank, count, most = _lpos_options(call.args[2:])
    found = call.db.list(call.args[0]) or deque()
    places = range(len(found))
    rows = (
        zip(places, found, strict=True)
        if rank > 0
        else zip(places[::-1], reversed(found), strict=True)
    )
    rows_ = islice(rows, most) if most else rows
    hits = [at for at, one in rows_ if one == call.args[1]][abs(rank) - 1 :]
    if count is None:
        return hits[0] if hits else None
    return hits[:count] if count else hits


def _lpos_options(rest: list[bytes]) -> tuple[int, int | None, int]:
    """Rank, count and the most to look at. Fault."""
    rank, count, most = 1, None, 0
    if len(rest) % 2:
        raise Fault(SYNTAX)
    for name, value in zip(words(rest[::2]), rest[1::2], strict=True):
        if name == "RANK":
            rank = integer(value)
            if rank == 0:
                raise Fault(_NO_RANK)
        elif name == "COUNT":
            count = positive(value, "ERR COUNT can't be negative")
        elif name == "MAXLEN":
            most = positive(value, "ERR MAXLEN can't be negative")
        else:
            raise Fault(SYNTAX)
    return rank, count, most


@table.add("lmove", 5, "g")
def _lmove(call: Call) -> Reply:
    source, target, *ends = call.args
    return _moved(call.db, source, target, _end(ends[0]) + _end(ends[1]))


@table.add("rpoplpush", 3, "g")
def _rpoplpush(call: Call) -> Reply:
    return _moved(call.db, call.args[0], call.args[1], "rl")


def _end(word: bytes) -> str:
    if word.lower() not in (b"left", b"right"):
        raise Fault(SYNTAX)
    return chr(word.lower()[0])


def _moved(db: Database, source: bytes, target: bytes, ends: str) -> bytes | None:
    found = db.list(source)
    if found is None:
        return None
    into = db.list(target)
    if into is None:
        into = db.made(target, deque)
    value = _take(found, ends[0])
    if ends[1] == "l":
        into.appendleft(value)
    else:
        into.append(value)
    db.changed(source, found)
    db.changed(target, into, len(value) + _EACH)
    return value


# ---- those who wait ------------------------------------------------------------------------------


@table.add("blpop brpop", -3, "w")
def _bpop(call: Call) -> Reply:
    *keys, limit = call.args
    seconds = _limit(limit)
    end = call.name[1]

    def attempt() -> Reply:
        for key in keys:
            found = call.db.list(key)
            if found:
                value = _take(found, end)
                call.db.changed(key, found)
                call.sent = [[b"LPOP" if end == "l" else b"RPOP", key]]
                return [key, value]
        return NIL_ARRAY

    return _waited(call, keys, seconds, attempt, NIL_ARRAY)


@table.add("blmove", 6, "g")
def _blmove(call: Call) -> Reply:
    source, target, *ends = call.args[:4]
    return _waiting_move(call, source, target, _end(ends[0]) + _end(ends[1]))


@table.add("brpoplpush", 4, "g")
def _brpoplpush(call: Call) -> Reply:
    return _waiting_move(call, call.args[0], call.args[1], "rl")


def _waiting_move(call: Call, source: bytes, target: bytes, ends: str) -> Reply:
    def attempt() -> Reply:
        value = _moved(call.db, source, target, ends)
        sides = {"l": b"LEFT", "r": b"RIGHT"}
        call.sent = [[b"LMOVE", source, target, sides[ends[0]], sides[ends[1]]]] if value else []
        return value

    return _waited(call, [source], _limit(call.args[-1]), attempt, None)


def _limit(text: bytes) -> float:
    seconds = real(text, "ERR timeout is not a float or out of range")
    if seconds < 0:
        raise Fault("ERR timeout is negative")
    return min(seconds, 1e9)


def _waited(
    call: Call, keys: list[bytes], seconds: float, attempt: Callable[[], Reply], nothing: Reply
) -> Reply:
    found = attempt()
    if found is not nothing or call.session.in_transaction:
        return found
    call.sent = []
    return call.engine.waiting.begin(call, keys, seconds, attempt, nothing)
