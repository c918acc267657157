"""Sorted sets: changes, and what tells of one member. Ranges are in `ranges`."""

import math
from typing import Final

from cluster.runtime.emulated.redis import database
from cluster.runtime.emulated.redis.commands import keys
from cluster.runtime.emulated.redis.commands.command import (
    SYNTAX,
    Call,
    Reply,
    Table,
    integer,
    positive,
    real,
    words,
)
from cluster.runtime.emulated.redis.resp import NIL_ARRAY, Fault, number
from cluster.runtime.emulated.redis.values import Set, SortedSet

table: Final = Table()
_EACH: Final = 128


def found(call: Call, at: int = 0) -> SortedSet:
    """The sorted set that an argument names; an empty one where there is none. Fault."""
    return call.db.sorted_set(call.args[at]) or SortedSet()


@table.add("zadd", -4, "g")
def _zadd(call: Call) -> Reply:
    key = call.args[0]
    rest = call.args[1:]
    flags: set[str] = set()
    while rest and words(rest[:1])[0] in ("NX", "XX", "GT", "LT", "CH", "INCR"):
        flags.add(words([rest.pop(0)])[0])
    if not rest or len(rest) % 2:
        raise Fault(SYNTAX)
    if "NX" in flags and flags & {"XX", "GT", "LT"}:
        which = "XX and NX" if "XX" in flags else "GT, LT, and/or NX"
        raise Fault(f"ERR {which} options at the same time are not compatible")
    if {"GT", "LT"} <= flags:
        raise Fault("ERR GT, LT, and/or NX options at the same time are not compatible")
    if "INCR" in flags and len(rest) > 2:
        raise Fault("ERR INCR option supports a single increment-element pair")
    scores = [real(one) for one in rest[::2]]
    values = call.db.sorted_set(key) or SortedSet()
    if not values and "XX" in flags:
        return None if "INCR" in flags else 0
    return _added(call, key, flags, list(zip(rest[1::2], scores, strict=True)))


def _added(call: Call, key: bytes, flags: set[str], pairs: list[tuple[bytes, float]]) -> Reply:
    values = call.db.made(key, SortedSet)
    added = changed = grown = 0
    last: float | None = None
    try:
        for member, score in pairs:
            old = values.scores.get(member)
            new = _sum(old, score) if "INCR" in flags else score
            last = None
            if not _may(old, new, flags):
                continue
            last = new
            if old is None:
                added += 1
                grown += len(member) + _EACH
            elif new != old:
                changed += 1
            values.put(member, new)
    finally:
        call.db.changed(key, values, grown)
    if "INCR" in flags:
        return last
    return added + changed if "CH" in flags else added


def _may(old: float | None, new: float, flags: set[str]) -> bool:
    if old is None:
        return "XX" not in flags
    if "NX" in flags:
        return False
    return not (("GT" in flags and new <= old) or ("LT" in flags and new >= old))


def _sum(old: float | None, more: float) -> float:
    made = (old or 0.0) + more
    if math.isnan(made):
        raise Fault("ERR resulting score is not a number (NaN)")
    return made


@table.add("zincrby", 4, "g")
def _zincrby(call: Call) -> Reply:
    amount = real(call.args[1])
    return _added(call, call.args[0], {"INCR"}, [(call.args[2], amount)])


@table.add("zrem", -3, "w")
def _zrem(call: Call) -> Reply:
    values = found(call)
    gone = sum(values.drop(member) for member in call.args[1:])
    if gone:
        call.db.changed(call.args[0], values)
    return gone


@table.add("zcard", 2)
def _zcard(call: Call) -> Reply:
    return len(found(call))


@table.add("zscore", 3)
def _zscore(call: Call) -> Reply:
    return found(call).scores.get(call.args[1])


@table.add("zmscore", -3)
def _zmscore(call: Call) -> Reply:
    scores = found(call).scores
    return [scores.get(member) for member in call.args[1:]]


@table.add("zrank zrevrank", -3)
def _zrank(call: Call) -> Reply:
    scored = words(call.args[2:])
    if scored not in ([], ["WITHSCORE"]):
        raise Fault(SYNTAX)
    values, member = found(call), call.args[1]
    if member not in values.scores:
        return NIL_ARRAY if scored else None
    rank = values.rank(member)
    rank = len(values) - 1 - rank if call.name == "zrevrank" else rank
    return [rank, values.scores[member]] if scored else rank


@table.add("zpopmin zpopmax", -2, "w")
def _zpop(call: Call) -> Reply:
    if len(call.args) > 2:
        raise Fault(f"ERR wrong number of arguments for '{call.name}' command")
    count = positive(call.args[1]) if len(call.args) == 2 else 1
    values = found(call)
    rows = values.rows[:count] if call.name == "zpopmin" else values.rows[::-1][:count]
    for _, member in rows:
        values.drop(member)
    if rows:
        call.db.changed(call.args[0], values)
    return [one for score, member in rows for one in (member, score)]


@table.add("zunionstore zinterstore", -4, "g")
def _store(call: Call) -> Reply:
    count = integer(call.args[1])
    names, rest = call.args[2 : count + 2], call.args[count + 2 :]
    if count < 1:
        raise Fault(f"ERR at least 1 input key is needed for '{call.name}' command")
    if len(names) < count:
        raise Fault(SYNTAX)
    every = [_scores(call, name) for name in names]
    weights, how = _weights(rest, count)
    members = dict.fromkeys(member for one in every for member in one)
    made = SortedSet()
    for member in members:
        scores = [
            _weighted(one[member], weight)
            for one, weight in zip(every, weights, strict=True)
            if member in one
        ]
        if call.name == "zunionstore" or len(scores) == count:
            made.put(member, _joined(scores, how))
    if made:
        call.db.put(call.args[0], made)
    else:
        call.db.remove(call.args[0])
    return len(made)


def _weighted(score: float, weight: float) -> float:
    value = score * weight
    return 0.0 if math.isnan(value) else value


def _joined(scores: list[float], how: str) -> float:
    if how == "SUM":
        total = sum(scores)
        return 0.0 if math.isnan(total) else total
    return min(scores) if how == "MIN" else max(scores)


def _weights(rest: list[bytes], count: int) -> tuple[list[float], str]:
    weights, how = [1.0] * count, "SUM"
    while rest:
        word = words([rest.pop(0)])[0]
        if word == "WEIGHTS" and len(rest) >= count:
            weights = [real(one, "ERR weight value is not a float") for one in rest[:count]]
            del rest[:count]
        elif word == "AGGREGATE" and rest and words(rest[:1])[0] in ("SUM", "MIN", "MAX"):
            how = words([rest.pop(0)])[0]
        else:
            raise Fault(SYNTAX)
    return weights, how


def _scores(call: Call, key: bytes) -> dict[bytes, float]:
    value = call.db.get(key)
    if value is None:
        return {}
    if isinstance(value, SortedSet):
        return value.scores
    if isinstance(value, Set):
        return dict.fromkeys(value, 1.0)
    raise Fault(database.WRONG_TYPE)


@table.add("zscan", -3)
def _zscan(call: Call) -> Reply:
    values = found(call)
    cursor, names = keys.scan(call.args[1], call.args[2:], database.walk(values))
    return [cursor, [one for name in names for one in (name, number(values.scores[name]))]]
