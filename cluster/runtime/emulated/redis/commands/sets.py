"""Sets."""

from collections.abc import Sequence
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
    words,
)
from cluster.runtime.emulated.redis.resp import Fault, Members
from cluster.runtime.emulated.redis.values import Set

table: Final = Table()
_EACH: Final = 64


def _set(call: Call, key: bytes | None = None) -> Set:
    return call.db.set(call.args[0] if key is None else key) or Set()


@table.add("sadd", -3, "g")
def _sadd(call: Call) -> Reply:
    key, *members = call.args
    found = call.db.made(key, Set)
    before = len(found)
    found.update(dict.fromkeys(members))
    added = len(found) - before
    if added:
        call.db.changed(key, found, sum(map(len, members)) + _EACH * added)
    return added


@table.add("srem", -3, "w")
def _srem(call: Call) -> Reply:
    found = _set(call)
    gone = 0
    for member in call.args[1:]:
        if member in found:
            del found[member]
            gone += 1
    if gone:
        call.db.changed(call.args[0], found)
    return gone


@table.add("smembers", 2)
def _smembers(call: Call) -> Reply:
    return Members(_set(call))


@table.add("scard", 2)
def _scard(call: Call) -> Reply:
    return len(_set(call))


@table.add("sismember", 3)
def _sismember(call: Call) -> Reply:
    return int(call.args[1] in _set(call))


@table.add("smismember", -3)
def _smismember(call: Call) -> Reply:
    found = _set(call)
    return [int(member in found) for member in call.args[1:]]


@table.add("smove", 4, "g")
def _smove(call: Call) -> Reply:
    source, target, member = call.args
    found = call.db.set(source)
    if found is None:
        return 0
    _set(call, target)
    if member not in found:
        return 0
    if source == target:
        return 1
    del found[member]
    call.db.changed(source, found)
    into = call.db.made(target, Set)
    into[member] = None
    call.db.changed(target, into, len(member) + _EACH)
    return 1


@table.add("spop", -2, "w")
def _spop(call: Call) -> Reply:
    found = _set(call)
    count = positive(call.args[1]) if len(call.args) > 1 else None
    taken = call.engine.chosen(list(found), 1 if count is None else count)
    for member in taken:
        del found[member]
    if taken:
        call.db.changed(call.args[0], found)
        call.sent = [[b"SREM", call.args[0], *taken]]
    if count is None:
        return taken[0] if taken else None
    return Members(taken)


@table.add("srandmember", -2)
def _srandmember(call: Call) -> Reply:
    found = list(_set(call))
    if len(call.args) == 1:
        return found[call.engine.random.randrange(len(found))] if found else None
    return call.engine.chosen(found, _count(call))


def _count(call: Call) -> int:
    if len(call.args) > 2:
        raise Fault(SYNTAX)
    return integer(call.args[1])


@table.add("sinter", -2)
def _sinter(call: Call) -> Reply:
    return Members(_joined(call, "inter", call.args))


@table.add("sunion", -2)
def _sunion(call: Call) -> Reply:
    return Members(_joined(call, "union", call.args))


@table.add("sdiff", -2)
def _sdiff(call: Call) -> Reply:
    return Members(_joined(call, "diff", call.args))


@table.add("sinterstore sunionstore sdiffstore", -3, "g")
def _store(call: Call) -> Reply:
    made = _joined(call, call.name[1:-5], call.args[1:])
    if made:
        call.db.put(call.args[0], made)
    else:
        call.db.remove(call.args[0])
    return len(made)


@table.add("sintercard", -3)
def _sintercard(call: Call) -> Reply:
    count = integer(call.args[0], "ERR numkeys should be greater than 0")
    names, rest = call.args[1 : count + 1], call.args[count + 1 :]
    if count < 1 or len(names) < count:
        raise Fault("ERR Number of keys can't be greater than number of args")
    limit = integer(rest[1]) if len(rest) == 2 and words(rest[:1]) == ["LIMIT"] else 0
    if (rest and not limit and rest[1:] != [b"0"]) or limit < 0:
        raise Fault(SYNTAX)
    size = len(_joined(call, "inter", names))
    return min(size, limit) if limit else size


def _joined(call: Call, how: str, names: Sequence[bytes]) -> Set:
    sets = [_set(call, name) for name in names]
    if how == "union":
        return Set((member, None) for one in sets for member in one)
    first, others = sets[0], sets[1:]
    if how == "inter":
        return Set((one, None) for one in first if all(one in other for other in others))
    return Set((one, None) for one in first if not any(one in other for other in others))


@table.add("sscan", -3)
def _sscan(call: Call) -> Reply:
    return list(keys.scan(call.args[1], call.args[2:], database.walk(_set(call))))
