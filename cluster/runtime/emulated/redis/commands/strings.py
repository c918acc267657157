"""Strings, counters and bits."""

import re
from typing import Final

from cluster.runtime.emulated.redis.commands.command import (
    SYNTAX,
    Call,
    Reply,
    Table,
    added,
    bounded,
    integer,
    short,
    span,
    words,
)
from cluster.runtime.emulated.redis.resp import OK, Fault

table: Final = Table()
_WHOLE: Final = re.compile(rb"0|-?[1-9]\d{0,18}")


@table.add("get", 2)
def _get(call: Call) -> Reply:
    return call.db.string(call.args[0])


@table.add("set", -3, "g")
def _set(call: Call) -> Reply:
    key, value, *rest = call.args
    options = words(rest)
    at, flags = _options(call, options, {"NX", "XX", "GET", "KEEPTTL"})
    if {"NX", "XX"} <= flags or ("KEEPTTL" in flags and at is not None):
        raise Fault(SYNTAX)
    old = call.db.string(key) if "GET" in flags else None
    there = call.db.has(key)
    if (there and "NX" in flags) or (not there and "XX" in flags):
        return old
    call.db.put(key, value, keep="KEEPTTL" in flags)
    if at is not None:
        call.db.expire(key, at)
        call.sent = [[b"SET", key, value, b"PXAT", b"%d" % at]]
    return old if "GET" in flags else OK


def _options(call: Call, options: list[str], known: set[str]) -> tuple[int | None, set[str]]:
    """When it expires, in milliseconds, and the flags. Fault."""
    at: int | None = None
    flags: set[str] = set()
    place = 0
    while place < len(options):
        word = options[place]
        if word in known:
            flags.add(word)
        elif word in ("EX", "PX", "EXAT", "PXAT") and place + 1 < len(options) and at is None:
            place += 1
            at = moment(call, word, options[place].encode(errors="replace"))
        else:
            raise Fault(SYNTAX)
        place += 1
    return at, flags


def moment(call: Call, unit: str, text: bytes) -> int:
    """When a key expires that is given `EX 10`, `PXAT 1700000000000` or the like. Fault."""
    value = integer(text)
    scaled = value if unit.startswith("P") else value * 1000
    if value <= 0 or scaled > 1 << 62:
        raise Fault(f"ERR invalid expire time in '{call.name}' command")
    return scaled if unit.endswith("AT") else call.now + scaled


@table.add("setnx", 3, "g")
def _setnx(call: Call) -> Reply:
    if call.db.has(call.args[0]):
        return 0
    call.db.put(call.args[0], call.args[1])
    return 1


@table.add("setex psetex", 4, "g")
def _setex(call: Call) -> Reply:
    key, span_, value = call.args
    at = moment(call, "PX" if call.name == "psetex" else "EX", span_)
    call.db.put(key, value)
    call.db.expire(key, at)
    call.sent = [[b"SET", key, value, b"PXAT", b"%d" % at]]
    return OK


@table.add("getset", 3, "g")
def _getset(call: Call) -> Reply:
    old = call.db.string(call.args[0])
    call.db.put(call.args[0], call.args[1])
    return old


@table.add("getdel", 2, "w")
def _getdel(call: Call) -> Reply:
    old = call.db.string(call.args[0])
    call.db.remove(call.args[0])
    return old


@table.add("getex", -2, "w")
def _getex(call: Call) -> Reply:
    key = call.args[0]
    at, flags = _options(call, words(call.args[1:]), {"PERSIST"})
    if flags and at is not None:
        raise Fault(SYNTAX)
    found = call.db.string(key)
    if found is not None and flags:
        call.db.put(key, found)
    elif found is not None and at is not None:
        call.db.expire(key, at)
    return found


@table.add("mget", -2)
def _mget(call: Call) -> Reply:
    found = [call.db.get(key) for key in call.args]
    return [one if isinstance(one, bytes) else None for one in found]


@table.add("mset msetnx", -3, "g")
def _mset(call: Call) -> Reply:
    if len(call.args) % 2:
        raise Fault(f"ERR wrong number of arguments for '{call.name}' command")
    keys = call.args[::2]
    if call.name == "msetnx" and any(call.db.has(key) for key in keys):
        return 0
    for key, value in zip(keys, call.args[1::2], strict=True):
        call.db.put(key, value)
    return OK if call.name == "mset" else 1


@table.add("incr decr", 2, "g")
def _step(call: Call) -> Reply:
    return _add(call, 1 if call.name == "incr" else -1)


@table.add("incrby decrby", 3, "g")
def _by(call: Call) -> Reply:
    amount = integer(call.args[1])
    if call.name == "decrby":
        amount = bounded(-amount, "ERR decrement would overflow")
    return _add(call, amount)


def _add(call: Call, amount: int) -> int:
    key = call.args[0]
    old = call.db.string(key)
    value = bounded((0 if old is None else integer(old)) + amount)
    call.db.put(key, b"%d" % value, keep=True)
    return value


@table.add("incrbyfloat", 3, "g")
def _incrbyfloat(call: Call) -> Reply:
    key = call.args[0]
    text = added(call.db.string(key), call.args[1])
    call.db.put(key, text, keep=True)
    call.sent = [[b"SET", key, text, b"KEEPTTL"]]
    return text


@table.add("append", 3, "g")
def _append(call: Call) -> Reply:
    key, more = call.args
    old = call.db.string(key) or b""
    size = short(len(old) + len(more))
    call.db.put(key, old + more, keep=True)
    return size


@table.add("strlen", 2)
def _strlen(call: Call) -> Reply:
    return len(call.db.string(call.args[0]) or b"")


@table.add("getrange substr", 4)
def _getrange(call: Call) -> Reply:
    start, stop = integer(call.args[1]), integer(call.args[2])
    return _part(call.db.string(call.args[0]) or b"", start, stop)


def _part(value: bytes, start: int, stop: int) -> bytes:
    """A range with both ends; one that ends before the first byte ends at it."""
    if start < 0 and stop < 0 and start > stop:
        return b""
    if stop < 0:
        stop = max(stop + len(value), 0)
    first, end = span(start, stop, len(value))
    return value[first:end]


@table.add("setrange", 4, "g")
def _setrange(call: Call) -> Reply:
    key, place, more = call.args
    at = integer(place)
    if at < 0:
        raise Fault("ERR offset is out of range")
    old = call.db.string(key) or b""
    if not more:
        return len(old)
    short(at + len(more))
    padded = old.ljust(at, b"\0")
    made = padded[:at] + more + padded[at + len(more) :]
    call.db.put(key, made, keep=True)
    return len(made)


@table.add("setbit", 4, "g")
def _setbit(call: Call) -> Reply:
    at = _bit(call.args[1])
    if call.args[2] not in (b"0", b"1"):
        raise Fault("ERR bit is not an integer or out of range")
    value = bytearray(call.db.string(call.args[0]) or b"")
    value.extend(bytes(max(at // 8 + 1 - len(value), 0)))
    mask = 0x80 >> at % 8
    old = int(bool(value[at // 8] & mask))
    value[at // 8] = value[at // 8] | mask if call.args[2] == b"1" else value[at // 8] & ~mask
    call.db.put(call.args[0], bytes(value), keep=True)
    return old


@table.add("getbit", 3)
def _getbit(call: Call) -> Reply:
    at = _bit(call.args[1])
    value = call.db.string(call.args[0]) or b""
    return int(at // 8 < len(value) and bool(value[at // 8] & 0x80 >> at % 8))


def _bit(text: bytes) -> int:
    message = "ERR bit offset is not an integer or out of range"
    at = integer(text, message)
    if at < 0:
        raise Fault(message)
    short(at // 8 + 1)
    return at


@table.add("bitcount", -2)
def _bitcount(call: Call) -> Reply:
    if len(call.args) not in (1, 3):
        raise Fault(SYNTAX)
    value = call.db.string(call.args[0])
    if value is None:
        return 0
    if len(call.args) == 3:
        value = _part(value, integer(call.args[1]), integer(call.args[2]))
    return int.from_bytes(value, "big").bit_count()
