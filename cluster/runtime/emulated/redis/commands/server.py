"""The server itself: INFO, CONFIG, saving, whom it follows."""

from typing import Final

from cluster.runtime.emulated.redis import glob, info
from cluster.runtime.emulated.redis.commands.command import (
    SYNTAX,
    Call,
    Reply,
    Table,
    integer,
    words,
)
from cluster.runtime.emulated.redis.resp import OK, Fault, Pairs, Status
from cluster.runtime.emulated.redis.settings import DEFAULTS, Bad

table: Final = Table()


@table.add("info", -1)
def _info(call: Call) -> Reply:
    return info.text(call.engine, words(call.args), call.now).encode()


@table.add("config", -2)
def _config(call: Call) -> Reply:
    what = words(call.args[:1])[0]
    settings = call.engine.settings
    if what == "GET" and len(call.args) > 1:
        wanted = [arg.lower() for arg in call.args[1:]]
        return Pairs(
            (name.encode(), value.encode())
            for name, value in settings.items()
            if any(glob.matches(one, name.encode()) for one in wanted)
        )
    if what == "SET" and len(call.args) > 2 and len(call.args) % 2:
        return _set(call)
    if what == "RESETSTAT":
        call.engine.commands_done = call.engine.sessions_seen = 0
        return OK
    if what == "REWRITE":
        raise Fault("ERR The server is running without a config file")
    raise Fault(f"ERR unknown subcommand '{what.lower()[:40]}'. Try CONFIG HELP.")


def _set(call: Call) -> Reply:
    settings = call.engine.settings
    for name, value in zip(call.args[1::2], call.args[2::2], strict=True):
        shown = name.decode(errors="replace").lower()
        if shown not in DEFAULTS:
            raise Fault(
                f"ERR Unknown option or number of arguments for CONFIG SET - '{shown[:60]}'"
            )
        try:
            settings.set(shown, value.decode(errors="replace"))
        except Bad as bad:
            raise Fault(
                f"ERR CONFIG SET failed (possibly related to argument '{shown}') - {bad}"
            ) from bad
    call.engine.configured()
    return OK


@table.add("command", -1)
def _command(call: Call) -> Reply:
    what = words(call.args[:1])
    if what == ["COUNT"]:
        return len(call.engine.commands)
    if what == ["DOCS"]:
        return Pairs()
    if what in ([], ["INFO"]):
        names = [arg.decode(errors="replace").lower() for arg in call.args[1:]]
        known = call.engine.commands
        return [_described(call, name) if name in known else None for name in names or known]
    if what == ["LIST"]:
        return [name.encode() for name in call.engine.commands]
    raise Fault(f"ERR unknown subcommand '{what[0].lower()[:40]}'. Try COMMAND HELP.")


def _described(call: Call, name: str) -> Reply:
    found = call.engine.commands[name]
    flags = ["write" if found.write else "readonly"] + (["denyoom"] if found.grows else [])
    return [name.encode(), found.arity, [Status(flag) for flag in flags], 1, 1, 1]


@table.add("time", 1)
def _time(call: Call) -> Reply:
    return [b"%d" % (call.now // 1000), b"%d" % (call.now % 1000 * 1000)]


@table.add("save", 1)
def _save(call: Call) -> Reply:
    call.engine.save()
    return OK


@table.add("bgsave bgrewriteaof", -1)
def _bgsave(call: Call) -> Reply:
    call.engine.save()
    if call.name == "bgsave":
        return Status("Background saving started")
    return Status("Background append only file rewriting started")


@table.add("lastsave", 1)
def _lastsave(call: Call) -> Reply:
    return call.engine.saved_at // 1000


@table.add("shutdown", -1)
def _shutdown(call: Call) -> Reply:
    options = words(call.args)
    if not set(options) <= {"NOSAVE", "SAVE", "NOW", "FORCE"}:
        raise Fault(SYNTAX)
    call.engine.shut_down(save=False if "NOSAVE" in options else "SAVE" in options or None)
    return call.session.SAID


@table.add("role", 1)
def _role(call: Call) -> Reply:
    engine = call.engine
    leader = engine.settings.leader()
    if leader is None:
        rows = [
            [one.address.rpartition(":")[0].encode(), b"%d" % one.port, b"%d" % engine.offset]
            for one in engine.followers
        ]
        return [b"master", engine.offset, rows]
    state = b"connected" if engine.linked else b"connect"
    return [b"slave", leader[0].encode(), leader[1], state, engine.offset if engine.linked else -1]


@table.add("replicaof slaveof", 3)
def _replicaof(call: Call) -> Reply:
    host, port = (arg.decode(errors="replace") for arg in call.args)
    if (host.lower(), port.lower()) == ("no", "one"):
        call.engine.follow("", 0)
    else:
        number = integer(call.args[1])
        if not 0 < number < 65536:
            raise Fault("ERR Invalid master port")
        call.engine.follow(host, number)
    return OK


@table.add("replconf", -1, "o")
def _replconf(call: Call) -> Reply:
    for name, value in zip(words(call.args[::2]), call.args[1::2], strict=False):
        if name == "LISTENING-PORT":
            call.session.port = integer(value)
        if name == "ACK":
            return call.session.SAID
    return OK


@table.add("psync", 3)
def _psync(call: Call) -> Reply:
    return call.engine.lead(call.session)


@table.add("wait", 3)
def _wait(call: Call) -> Reply:
    # Followers get what is written before its reply: there is nothing to wait for.
    return len(call.engine.followers)


@table.add("memory", -2)
def _memory(call: Call) -> Reply:
    from cluster.runtime.emulated.redis import values

    if words(call.args[:1]) == ["USAGE"] and len(call.args) > 1:
        found = call.db.get(call.args[1])
        return None if found is None else values.size(found) + len(call.args[1]) + 80
    raise Fault("ERR only MEMORY USAGE is emulated")


@table.add("slowlog latency", -2)
def _slowlog(call: Call) -> Reply:
    what = words(call.args[:1])[0]
    return OK if what == "RESET" else 0 if what == "LEN" else []


@table.add("object", -3)
def _object(call: Call) -> Reply:
    raise Fault("ERR OBJECT is not emulated")
