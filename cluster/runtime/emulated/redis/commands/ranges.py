"""Ranges of sorted sets: by place, by score, by name."""

import bisect
from typing import Final, NamedTuple

from cluster.runtime.emulated.redis.commands import sortedsets
from cluster.runtime.emulated.redis.commands.command import (
    SYNTAX,
    Call,
    Reply,
    Table,
    integer,
    real,
    span,
    words,
)
from cluster.runtime.emulated.redis.resp import Fault
from cluster.runtime.emulated.redis.values import SortedSet

table: Final = Table()
_BY_SCORE: Final = "ERR min or max is not a float"
_BY_NAME: Final = "ERR min or max not valid string range item"


class _Wanted(NamedTuple):
    """What a ZRANGE asks for."""

    by: str = ""
    reverse: bool = False
    scores: bool = False
    offset: int = 0
    most: int = -1


def _score_place(values: SortedSet, text: bytes, *, after: bool) -> int:
    """Where a bound by score lies: before the rows of that score or `after` them."""
    exclusive = text[:1] == b"("
    bound = real(text[1:] if exclusive else text, _BY_SCORE)
    if exclusive != after:
        return bisect.bisect_right(values.rows, bound, key=lambda row: row[0])
    return bisect.bisect_left(values.rows, bound, key=lambda row: row[0])


def _name_place(values: SortedSet, text: bytes, *, after: bool) -> int:
    if text in (b"-", b"+"):
        return 0 if text == b"-" else len(values)
    if text[:1] not in (b"[", b"("):
        raise Fault(_BY_NAME)
    if (text[:1] == b"(") != after:
        return bisect.bisect_right(values.rows, text[1:], key=lambda row: row[1])
    return bisect.bisect_left(values.rows, text[1:], key=lambda row: row[1])


def _between(values: SortedSet, low: bytes, high: bytes, by: str) -> tuple[int, int]:
    """The rows between two bounds, as a slice. Fault."""
    if by == "BYLEX":
        start = _name_place(values, low, after=False)
        return start, _name_place(values, high, after=True)
    # `after` of the upper bound: an inclusive one lies behind the rows of its score.
    start = _score_place(values, low, after=False)
    return start, _score_place(values, high, after=True)


def _chosen(
    values: SortedSet, low: bytes, high: bytes, wanted: _Wanted
) -> list[tuple[float, bytes]]:
    if not wanted.by:
        first, end = span(integer(low), integer(high), len(values))
        rows = values.rows[::-1] if wanted.reverse else values.rows
        return rows[first:end]
    if wanted.reverse:
        low, high = high, low
    first, end = _between(values, low, high, wanted.by)
    rows = values.rows[first:end]
    rows = rows[::-1] if wanted.reverse else rows
    if wanted.offset < 0:
        return []
    rows = rows[wanted.offset :]
    return rows[: wanted.most] if wanted.most >= 0 else rows


def _asked(call: Call, low: bytes, high: bytes, wanted: _Wanted) -> Reply:
    _chosen(SortedSet(), low, high, wanted)  # bounds are read before the key is
    rows = _chosen(sortedsets.found(call), low, high, wanted)
    return _shown(call, rows, scores=wanted.scores)


def _shown(call: Call, rows: list[tuple[float, bytes]], *, scores: bool) -> Reply:
    if not scores:
        return [member for _, member in rows]
    if call.session.protocol == 3:
        return [[member, score] for score, member in rows]
    return [one for score, member in rows for one in (member, score)]


@table.add("zrange", -4)
def _zrange(call: Call) -> Reply:
    low, high = call.args[1:3]
    wanted = _options(call.args[3:], {"BYSCORE", "BYLEX", "REV", "WITHSCORES"})
    return _asked(call, low, high, wanted)


@table.add("zrangestore", -5, "g")
def _zrangestore(call: Call) -> Reply:
    wanted = _options(call.args[4:], {"BYSCORE", "BYLEX", "REV"})
    low, high = call.args[2:4]
    _chosen(SortedSet(), low, high, wanted)
    rows = _chosen(sortedsets.found(call, 1), low, high, wanted)
    made = SortedSet()
    for score, member in rows:
        made.put(member, score)
    if made:
        call.db.put(call.args[0], made)
    else:
        call.db.remove(call.args[0])
    return len(made)


@table.add("zrevrange", -4)
def _zrevrange(call: Call) -> Reply:
    wanted = _options(call.args[3:], {"WITHSCORES"})._replace(reverse=True)
    return _asked(call, call.args[1], call.args[2], wanted)


@table.add("zrangebyscore zrevrangebyscore zrangebylex zrevrangebylex", -4)
def _zrangeby(call: Call) -> Reply:
    by = "BYLEX" if call.name.endswith("lex") else "BYSCORE"
    known = {"LIMIT"} if by == "BYLEX" else {"LIMIT", "WITHSCORES"}
    wanted = _options(call.args[3:], known, by)._replace(reverse="rev" in call.name)
    return _asked(call, call.args[1], call.args[2], wanted)


def _options(rest: list[bytes], known: set[str], by: str = "") -> _Wanted:
    """Fault."""
    wanted, limited = _Wanted(by), False
    place = 0
    options = words(rest)
    while place < len(options):
        word = options[place]
        if word == "LIMIT" and place + 2 < len(options):
            limited = True
            wanted = wanted._replace(offset=integer(rest[place + 1]), most=integer(rest[place + 2]))
            place += 2
        elif word not in known or word == "LIMIT":
            raise Fault(SYNTAX)
        elif word == "REV":
            wanted = wanted._replace(reverse=True)
        elif word == "WITHSCORES":
            wanted = wanted._replace(scores=True)
        else:
            wanted = wanted._replace(by=word)
        place += 1
    if limited and not wanted.by:
        raise Fault(
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
        )
    if wanted.scores and wanted.by == "BYLEX":
        raise Fault("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
    return wanted


@table.add("zcount zlexcount", 4)
def _zcount(call: Call) -> Reply:
    by = "BYLEX" if call.name == "zlexcount" else "BYSCORE"
    low, high = call.args[1:3]
    _between(SortedSet(), low, high, by)
    first, end = _between(sortedsets.found(call), low, high, by)
    return max(end - first, 0)


@table.add("zremrangebyrank zremrangebyscore zremrangebylex", 4, "w")
def _zremrange(call: Call) -> Reply:
    low, high = call.args[1:3]
    if call.name.endswith("rank"):
        start, stop = integer(low), integer(high)
        values = sortedsets.found(call)
        first, end = span(start, stop, len(values))
    else:
        by = "BYLEX" if call.name.endswith("lex") else "BYSCORE"
        _between(SortedSet(), low, high, by)
        values = sortedsets.found(call)
        first, end = _between(values, low, high, by)
    gone = values.rows[first:end]
    for _, member in gone:
        values.scores.pop(member)
    del values.rows[first:end]
    if gone:
        call.db.changed(call.args[0], values)
    return len(gone)
