"""Connections: who one is, which database, transactions, channels."""

from typing import Final

from cluster.runtime.emulated.redis.commands.command import (
    SYNTAX,
    Call,
    Reply,
    Table,
    integer,
    words,
)
from cluster.runtime.emulated.redis.resp import OK, Fault, Pairs, Push, Status

table: Final = Table()
_BAD_AUTH: Final = "WRONGPASS invalid username-password pair or user is disabled."
_NO_PASSWORD: Final = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)


_WITHOUT_EFFECT: Final = (("REPLY", ["ON"]), ("TRACKING", ["OFF"]))


@table.add("ping", -1, "l")
def _ping(call: Call) -> Reply:
    if len(call.args) > 1:
        raise Fault("ERR wrong number of arguments for 'ping' command")
    if call.session.subscribed and call.session.protocol == 2:
        return [b"pong", call.args[0] if call.args else b""]
    return call.args[0] if call.args else Status("PONG")


@table.add("echo", 2)
def _echo(call: Call) -> Reply:
    return call.args[0]


@table.add("select", 2)
def _select(call: Call) -> Reply:
    number = integer(call.args[0])
    if abs(number) >= 1 << 31:
        bounds = "value must between -2147483648 and 2147483647"
        raise Fault(f"ERR value is out of range, {bounds}")
    call.engine.database(number)
    call.session.number = number
    return OK


@table.add("auth", -2, "oa")
def _auth(call: Call) -> Reply:
    if len(call.args) > 2:
        raise Fault(SYNTAX)
    user, password = call.args if len(call.args) == 2 else (b"default", call.args[0])
    if len(call.args) == 1 and not call.engine.settings["requirepass"]:
        raise Fault(_NO_PASSWORD)
    _login(call, user, password)
    return OK


def _login(call: Call, user: bytes, password: bytes) -> None:
    wanted = call.engine.settings["requirepass"].encode()
    if user != b"default" or (wanted and password != wanted):
        raise Fault(_BAD_AUTH)
    call.session.allowed = True


@table.add("hello", -1, "oa")
def _hello(call: Call) -> Reply:
    rest = list(call.args)
    protocol = call.session.protocol
    if rest:
        text = rest.pop(0)
        if text not in (b"2", b"3"):
            raise Fault("NOPROTO unsupported protocol version")
        protocol = int(text)
    while rest:
        word = words([rest.pop(0)])[0]
        if word == "AUTH" and len(rest) > 1:
            _login(call, rest.pop(0), rest.pop(0))
        elif word == "SETNAME" and rest:
            call.session.name = rest.pop(0)
        else:
            raise Fault(f"ERR Syntax error in HELLO option '{word.lower()[:40]}'")
    if not call.session.allowed:
        raise Fault(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the "
            "HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and "
            "select the RESP protocol version at the same time"
        )
    call.session.protocol = protocol
    return Pairs([
        (b"server", b"redis"), (b"version", call.engine.version.encode()), (b"proto", protocol),
        (b"id", call.session.id), (b"mode", b"standalone"),
        (b"role", b"replica" if call.engine.settings.leader() else b"master"), (b"modules", []),
    ])  # fmt: skip


@table.add("quit", -1, "ola")
def _quit(call: Call) -> Reply:
    call.session.closing = True
    return OK


@table.add("reset", 1, "ola")
def _reset(call: Call) -> Reply:
    call.session.reset()
    return Status("RESET")


@table.add("client", -2)
def _client(call: Call) -> Reply:
    what, *rest = words(call.args)
    session = call.session
    if what == "SETNAME" and len(rest) == 1:
        if any(byte < 33 or byte > 126 for byte in call.args[1]):
            raise Fault("ERR Client names cannot contain spaces, newlines or special characters.")
        session.name = call.args[1]
        return OK
    if what == "GETNAME":
        return session.name or None
    if what == "ID":
        return session.id
    if what == "INFO":
        return session.describe(call.now).encode()
    if what == "LIST":
        return b"".join(one.describe(call.now).encode() for one in call.engine.sessions.values())
    if what in ("SETINFO", "NO-EVICT", "NO-TOUCH") or (what, rest) in _WITHOUT_EFFECT:
        return OK
    raise Fault(f"ERR unknown subcommand '{what.lower()[:40]}'. Try CLIENT HELP.")


# ---- transactions --------------------------------------------------------------------------------


@table.add("multi", 1, "a")
def _multi(call: Call) -> Reply:
    if call.session.queue is not None:
        raise Fault("ERR MULTI calls can not be nested")
    call.session.queue = []
    return OK


@table.add("discard", 1, "a")
def _discard(call: Call) -> Reply:
    if call.session.queue is None:
        raise Fault("ERR DISCARD without MULTI")
    call.session.end_transaction()
    return OK


@table.add("exec", 1, "a")
def _exec(call: Call) -> Reply:
    return call.session.carry_out()


@table.add("watch", -2, "a")
def _watch(call: Call) -> Reply:
    if call.session.queue is not None:
        raise Fault("ERR WATCH inside MULTI is not allowed")
    for key in call.args:
        call.db.has(key)
        call.engine.watching.add(call.session, call.db.number, key)
    return OK


@table.add("unwatch", 1)
def _unwatch(call: Call) -> Reply:
    call.engine.watching.drop(call.session)
    return OK


# ---- channels ------------------------------------------------------------------------------------


@table.add("subscribe psubscribe", -2, "l")
def _subscribe(call: Call) -> Reply:
    for name in call.args:
        call.engine.channels.join(call.session, name, pattern=call.name[0] == "p")
        call.session.push(Push([call.name.encode(), name, call.session.subscribed]))
    return call.session.SAID


@table.add("unsubscribe punsubscribe", -1, "l")
def _unsubscribe(call: Call) -> Reply:
    session = call.session
    pattern = call.name[0] == "p"
    names = call.args or list(session.patterns if pattern else session.joined)
    for name in names:
        call.engine.channels.leave(session, name, pattern=pattern)
        session.push(Push([call.name.encode(), name, session.subscribed]))
    if not names:
        session.push(Push([call.name.encode(), None, session.subscribed]))
    return session.SAID


@table.add("publish", 3)
def _publish(call: Call) -> Reply:
    call.sent = [[b"PUBLISH", *call.args]]
    return call.engine.channels.publish(call.args[0], call.args[1])


@table.add("pubsub", -2)
def _pubsub(call: Call) -> Reply:
    what = words(call.args[:1])[0]
    if what == "CHANNELS" and len(call.args) < 3:
        return call.engine.channels.names(call.args[1] if len(call.args) == 2 else b"*")
    if what == "NUMSUB":
        return [one for name in call.args[1:] for one in (name, call.engine.channels.count(name))]
    if what == "NUMPAT":
        return call.engine.channels.patterns()
    raise Fault(f"ERR unknown subcommand '{what.lower()[:40]}'. Try PUBSUB HELP.")
