"""Hashes."""

import math
from typing import Final

from cluster.runtime.emulated.redis import database
from cluster.runtime.emulated.redis.commands import keys
from cluster.runtime.emulated.redis.commands.command import (
    SYNTAX,
    Call,
    Reply,
    Table,
    added,
    bounded,
    integer,
    real,
    words,
)
from cluster.runtime.emulated.redis.resp import OK, Fault, Pairs
from cluster.runtime.emulated.redis.values import Hash

table: Final = Table()
_EACH: Final = 64


def _hash(call: Call) -> Hash:
    return call.db.hash(call.args[0]) or Hash()


@table.add("hset hmset", -4, "g")
def _hset(call: Call) -> Reply:
    key, *pairs = call.args
    if len(pairs) % 2:
        raise Fault(f"ERR wrong number of arguments for '{call.name}' command")
    found = call.db.made(key, Hash)
    before = len(found)
    found.update(zip(pairs[::2], pairs[1::2], strict=True))
    call.db.changed(key, found, sum(map(len, pairs)) + _EACH * (len(found) - before))
    return OK if call.name == "hmset" else len(found) - before


@table.add("hsetnx", 4, "g")
def _hsetnx(call: Call) -> Reply:
    key, field, value = call.args
    if field in _hash(call):
        return 0
    found = call.db.made(key, Hash)
    found[field] = value
    call.db.changed(key, found, len(field) + len(value) + _EACH)
    return 1


@table.add("hget", 3)
def _hget(call: Call) -> Reply:
    return _hash(call).get(call.args[1])


@table.add("hmget", -3)
def _hmget(call: Call) -> Reply:
    found = _hash(call)
    return [found.get(field) for field in call.args[1:]]


@table.add("hgetall", 2)
def _hgetall(call: Call) -> Reply:
    return Pairs(_hash(call).items())


@table.add("hkeys hvals", 2)
def _hkeys(call: Call) -> Reply:
    found = _hash(call)
    return list(found if call.name == "hkeys" else found.values())


@table.add("hlen", 2)
def _hlen(call: Call) -> Reply:
    return len(_hash(call))


@table.add("hexists", 3)
def _hexists(call: Call) -> Reply:
    return int(call.args[1] in _hash(call))


@table.add("hstrlen", 3)
def _hstrlen(call: Call) -> Reply:
    return len(_hash(call).get(call.args[1], b""))


@table.add("hdel", -3, "w")
def _hdel(call: Call) -> Reply:
    found = call.db.hash(call.args[0])
    if found is None:
        return 0
    gone = sum(found.pop(field, None) is not None for field in call.args[1:])
    if gone:
        call.db.changed(call.args[0], found)
    return gone


@table.add("hincrby", 4, "g")
def _hincrby(call: Call) -> Reply:
    amount = integer(call.args[2])
    old = integer(_hash(call).get(call.args[1], b"0"), "ERR hash value is not an integer")
    value = bounded(old + amount)
    _put(call, b"%d" % value)
    return value


@table.add("hincrbyfloat", 4, "g")
def _hincrbyfloat(call: Call) -> Reply:
    amount = real(call.args[2])
    if not math.isfinite(amount):
        raise Fault("ERR value is NaN or Infinity")
    text = added(_hash(call).get(call.args[1]), call.args[2], "ERR hash value is not a float")
    _put(call, text)
    call.sent = [[b"HSET", call.args[0], call.args[1], text]]
    return text


def _put(call: Call, value: bytes) -> None:
    found = call.db.made(call.args[0], Hash)
    found[call.args[1]] = value
    call.db.changed(call.args[0], found, len(call.args[1]) + len(value))


@table.add("hrandfield", -2)
def _hrandfield(call: Call) -> Reply:
    found = _hash(call)
    if len(call.args) == 1:
        names = list(found)
        return names[call.engine.random.randrange(len(names))] if names else None
    valued = words(call.args[2:])
    if valued not in ([], ["WITHVALUES"]):
        raise Fault(SYNTAX)
    chosen = call.engine.chosen(list(found), integer(call.args[1]))
    return Pairs((name, found[name]) for name in chosen) if valued else chosen


@table.add("hscan", -3)
def _hscan(call: Call) -> Reply:
    found = _hash(call)
    cursor, names = keys.scan(call.args[1], call.args[2:], database.walk(found))
    return [cursor, [one for name in names for one in (name, found[name])]]
