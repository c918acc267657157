"""Keys: what is there, what it is, when it goes; SCAN of everything."""

import bisect
from collections.abc import Callable, Sequence
from typing import Final

from cluster.runtime.emulated.redis import glob, values
from cluster.runtime.emulated.redis.commands.command import (
    NO_KEY,
    SYNTAX,
    Call,
    Reply,
    Table,
    integer,
    words,
)
from cluster.runtime.emulated.redis.resp import OK, Fault, Status

table: Final = Table()
_MOST: Final = 1000
"""Keys that a step of a scan gives at most."""


@table.add("del unlink", -2, "w")
def _del(call: Call) -> Reply:
    return sum(call.db.remove(key) for key in call.args)


@table.add("exists touch", -2)
def _exists(call: Call) -> Reply:
    return sum(call.db.has(key) for key in call.args)


@table.add("type", 2)
def _type(call: Call) -> Reply:
    found = call.db.get(call.args[0])
    return Status("none" if found is None else values.kind(found))


@table.add("expire pexpire expireat pexpireat", -3, "w")
def _expire(call: Call) -> Reply:
    key = call.args[0]
    value = integer(call.args[1])
    at = value if call.name.startswith("p") else value * 1000
    at += 0 if call.name.endswith("at") else call.now
    if abs(at) > 1 << 62:
        raise Fault(f"ERR invalid expire time in '{call.name}' command")
    options = words(call.args[2:])
    for word in options:
        if word not in ("NX", "XX", "GT", "LT"):
            raise Fault(f"ERR Unsupported option {word}")
    if len(options) > 1 and ("NX" in options or {"GT", "LT"} <= set(options)):
        raise Fault("ERR NX and XX, GT or LT options at the same time are not compatible")
    if not call.db.has(key) or not _may(call.db.expires.get(key), at, options):
        return 0
    call.db.expire(key, at)
    call.sent = [[b"PEXPIREAT", key, b"%d" % at]]
    return 1


def _may(old: int | None, at: int, options: Sequence[str]) -> bool:
    if "NX" in options and old is not None:
        return False
    if "XX" in options and old is None:
        return False
    if "GT" in options and (old is None or at <= old):
        return False
    return not ("LT" in options and old is not None and at >= old)


@table.add("ttl pttl expiretime pexpiretime", 2)
def _ttl(call: Call) -> Reply:
    if not call.db.has(call.args[0]):
        return -2
    at = call.db.expires.get(call.args[0])
    if at is None:
        return -1
    left = at if call.name.endswith("time") else at - call.now
    return left if call.name.startswith("p") else (left + 500) // 1000


@table.add("persist", 2, "w")
def _persist(call: Call) -> Reply:
    key = call.args[0]
    if not call.db.has(key) or key not in call.db.expires:
        return 0
    del call.db.expires[key]
    call.db.changed(key, call.db.entries[key])
    return 1


@table.add("keys", 2)
def _keys(call: Call) -> Reply:
    call.db.lapse_all()
    return [key for key in call.db.entries if glob.matches(call.args[0], key)]


@table.add("randomkey", 1)
def _randomkey(call: Call) -> Reply:
    call.db.lapse_all()
    keys = call.db.scanned()[1]
    return keys[call.engine.random.randrange(len(keys))] if keys else None


@table.add("dbsize", 1)
def _dbsize(call: Call) -> Reply:
    call.db.lapse_all()
    return len(call.db.entries)


@table.add("rename renamenx", 3, "w")
def _rename(call: Call) -> Reply:
    old, new = call.args
    value = call.db.get(old)
    if value is None:
        raise Fault(NO_KEY)
    if call.name == "renamenx" and call.db.has(new):
        return 0
    if old != new:
        at = call.db.expires.get(old)
        call.db.remove(old)
        call.db.put(new, value)
        if at is not None:
            call.db.expire(new, at)
    return OK if call.name == "rename" else 1


@table.add("copy", -3, "g")
def _copy(call: Call) -> Reply:
    source, target, *rest = call.args
    options = words(rest)
    replace = "REPLACE" in options
    into = call.db
    left = [word for word in options if word != "REPLACE"]
    if left:
        if len(left) != 2 or left[0] != "DB":
            raise Fault(SYNTAX)
        into = call.engine.database(integer(left[1].encode(errors="replace")))
    if into is call.db and source == target:
        raise Fault("ERR source and destination objects are the same")
    value = call.db.get(source)
    if value is None or (into.has(target) and not replace):
        return 0
    into.put(target, values.copy(value))
    if source in call.db.expires:
        into.expire(target, call.db.expires[source])
    return 1


@table.add("move", 3, "w")
def _move(call: Call) -> Reply:
    key, into = call.args[0], call.engine.database(integer(call.args[1]))
    if into is call.db:
        raise Fault("ERR source and destination objects are the same")
    value = call.db.get(key)
    if value is None or into.has(key):
        return 0
    at = call.db.expires.get(key)
    call.db.remove(key)
    into.put(key, value)
    if at is not None:
        into.expire(key, at)
    return 1


@table.add("flushdb flushall", -1, "w")
def _flush(call: Call) -> Reply:
    if words(call.args) not in ([], ["ASYNC"], ["SYNC"]):
        raise Fault(SYNTAX)
    for db in call.engine.databases if call.name == "flushall" else [call.db]:
        db.clear()
    return OK


@table.add("scan", -2)
def _scan(call: Call) -> Reply:
    call.db.lapse_all()
    return scan(call.args[0], call.args[1:], call.db.scanned(), lambda key: kind(call, key))


def kind(call: Call, key: bytes) -> str:
    """The kind of what a key holds, for SCAN's TYPE."""
    return values.kind(call.db.entries[key])


def scan(
    cursor: bytes,
    rest: list[bytes],
    walked: tuple[list[int], list[bytes]],
    kind_of: Callable[[bytes], str] | None = None,
) -> tuple[bytes, list[bytes]]:
    """A step of SCAN and its kin through `walked` (`database.walk`): where to go on (`0` at the
    end), and what was found. Fault.
    """
    start = integer(cursor, "ERR invalid cursor")
    pattern, count, wanted = _scan_options(rest, typed=kind_of is not None)
    places, keys = walked
    first = bisect.bisect_left(places, start)
    end = min(first + count, len(keys))
    while end < len(keys) and places[end] == places[end - 1]:
        end += 1
    chosen = [
        key
        for key in keys[first:end]
        if (pattern is None or glob.matches(pattern, key))
        and (wanted is None or kind_of is None or kind_of(key) == wanted)
    ]
    return b"%d" % (places[end] if end < len(keys) else 0), chosen


def _scan_options(rest: list[bytes], *, typed: bool) -> tuple[bytes | None, int, str | None]:
    pattern, count, wanted = None, 10, None
    if len(rest) % 2:
        raise Fault(SYNTAX)
    for name, value in zip(words(rest[::2]), rest[1::2], strict=True):
        if name == "MATCH":
            pattern = value
        elif name == "COUNT":
            count = integer(value)
        elif name == "TYPE" and typed:
            wanted = value.decode(errors="replace").lower()
        else:
            raise Fault(SYNTAX)
    if count < 1:
        raise Fault(SYNTAX)
    return pattern, min(count, _MOST), wanted
