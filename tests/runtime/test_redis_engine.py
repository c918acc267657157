"""The emulated Redis without a container: protocol, data, transactions, bounds."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redisworld import Host, Talk, commands

from cluster.runtime.emulated.redis import glob, rdb, resp
from cluster.runtime.emulated.redis.engine import MOST, Engine
from cluster.runtime.emulated.redis.resp import Fault, Pairs, Push, Status
from cluster.runtime.emulated.redis.settings import Settings

KEYS = st.sampled_from([b"a", b"b", b""])
VALUES = st.binary(max_size=4)
STRINGS = st.one_of(
    st.tuples(st.just("set"), KEYS, VALUES),
    st.tuples(st.just("append"), KEYS, VALUES),
    st.tuples(st.just("get"), KEYS),
    st.tuples(st.just("del"), KEYS),
    st.tuples(st.just("rename"), KEYS, KEYS),
    st.tuples(st.just("exists"), KEYS, KEYS),
    st.tuples(st.just("pexpire"), KEYS, st.integers(-5, 50)),
    st.tuples(st.just("wait"), st.integers(0, 30)),
)


class Model:
    """What a plain dictionary of strings does."""

    def __init__(self) -> None:
        self.data: dict[bytes, tuple[bytes, int | None]] = {}
        self.now = 0

    def get(self, key: bytes) -> bytes | None:
        value, until = self.data.get(key, (None, None))
        return None if until is not None and until <= self.now else value

    def do(self, name: str, *args: bytes | int) -> object:
        key = args[0] if isinstance(args[0], bytes) else b""
        old = self.get(key)
        if old is None:
            self.data.pop(key, None)
        if name == "set":
            self.data[key] = (args[1], None)  # type: ignore[assignment]
            return "OK"
        if name == "append":
            made = (old or b"") + args[1]  # type: ignore[operator]
            self.data[key] = (made, self.data[key][1] if old is not None else None)
            return len(made)
        if name == "get":
            return old
        if name == "del":
            return int(self.data.pop(key, None) is not None)
        if name == "exists":
            return sum(self.get(one) is not None for one in args)  # type: ignore[arg-type]
        if name == "pexpire":
            if old is not None:
                self.data[key] = (old, self.now + int(args[1]))
            return int(old is not None)
        assert name == "rename"
        if old is None:
            return "ERR no such key"
        new = args[1]
        assert isinstance(new, bytes)
        self.data[new] = self.data[key] if new == key else self.data.pop(key)
        return "OK"


@given(st.lists(STRINGS, max_size=40))
@settings(max_examples=60, deadline=None)
def test_strings_are_a_dictionary_that_forgets(story: list[tuple[str, ...]]) -> None:
    model, talk = Model(), Talk()
    for name, *args in story:
        if name == "wait":
            model.now += int(args[0])
            talk.host.time += int(args[0])
            continue
        words = [one if isinstance(one, bytes) else str(one).encode() for one in args]
        replies = resp.Replies()
        replies.feed(talk.send(name, *words))
        found = replies.next()
        assert found is not None
        shown = str(found[0]) if isinstance(found[0], Fault) else found[0]
        assert shown == model.do(name, *args)  # type: ignore[arg-type]
    talk.send("keys", "*")
    live = sorted(key for key in model.data if model.get(key) is not None)
    assert sorted(talk.engine.databases[0].entries) == live


@given(st.integers(0, 10_000), st.integers(1, 7))
@settings(max_examples=25, deadline=None)
def test_a_dump_gives_back_what_was_there(seed: int, piece: int) -> None:
    chance = random.Random(seed)
    talk, made = Talk(), commands(chance)
    for _ in range(150):
        talk.send(*next(made))
    talk.send("discard")
    talk.send("save")
    assert talk.host.stored is not None
    again = Talk()
    again.host.time = talk.host.time
    again.engine.load(talk.host.stored)
    for old, new in zip(talk.engine.databases, again.engine.databases, strict=True):
        assert {key: _plain(one) for key, one in old.entries.items()} == {
            key: _plain(one) for key, one in new.entries.items()
        }
        assert old.expires == new.expires
    cut = talk.host.stored[: -piece * 9]
    if len(cut) > 9:
        with pytest.raises(rdb.Unreadable):
            Talk().engine.load(cut)


def _plain(value: object) -> object:
    return getattr(value, "rows", value)


@given(st.lists(st.lists(st.binary(max_size=20), min_size=1, max_size=4), max_size=5), st.data())
@settings(max_examples=60, deadline=None)
def test_requests_are_read_however_they_are_cut(
    wanted: list[list[bytes]], data: st.DataObject
) -> None:
    wire = b"".join(map(resp.command, wanted))
    reader, found = resp.Requests(), []
    at = 0
    while at < len(wire):
        size = data.draw(st.integers(1, len(wire) - at))
        reader.feed(wire[at : at + size])
        at += size
        while (one := reader.next()) is not None:
            found.append(one)
    assert found == wanted


PIECES = [
    b"*2\r\n", b"$3\r\n", b"get", b"\r\n", b"*-1\r\n", b"$-1\r\n", b"\0", b"'", b'"\\x',
    b"*99999999\r\n", b"$9\r\n",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=20))
@settings(max_examples=80, deadline=None)
def test_whatever_comes_is_answered_or_ends_the_connection(pieces: list[bytes]) -> None:
    talk = Talk()
    talk.session.receive(b"".join(pieces))
    while talk.session.step():
        pass
    out = talk.session.take()
    assert not out or out[:1] in b"+-:$*"
    if talk.session.closing:
        assert b"-ERR Protocol error: " in out


REPLIES = [
    (None, b"$-1\r\n", b"_\r\n"),
    (True, b":1\r\n", b"#t\r\n"),
    (1.5, b"$3\r\n1.5\r\n", b",1.5\r\n"),
    (3.0, b"$1\r\n3\r\n", b",3\r\n"),
    (float("-inf"), b"$4\r\n-inf\r\n", b",-inf\r\n"),
    (Pairs([(b"a", 1)]), b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
    (resp.Members([b"a"]), b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n"),
    (Push([b"a"]), b"*1\r\n$1\r\na\r\n", b">1\r\n$1\r\na\r\n"),
    (Fault("ERR x\ny"), b"-ERR x y\r\n", b"-ERR x y\r\n"),
    ([Status("OK"), []], b"*2\r\n+OK\r\n*0\r\n", b"*2\r\n+OK\r\n*0\r\n"),
    (resp.NIL_ARRAY, b"*-1\r\n", b"_\r\n"),
]


@pytest.mark.parametrize(("reply", "two", "three"), REPLIES)
def test_replies_on_the_wire(reply: object, two: bytes, three: bytes) -> None:
    assert resp.encode(reply, 2) == two
    assert resp.encode(reply, 3) == three


GLOBS = [
    ("*", "", True), ("h?llo", "hello", True), ("h*llo", "heeeello", True),
    ("h[ae]llo", "hillo", False), ("h[^e]llo", "hallo", True), ("h[a-b]llo", "hbllo", True),
    ("\\*", "*", True), ("\\*", "x", False), ("a*b*c", "aXbXbc", True), ("a*b", "abX", False),
    ("", "", True), ("[", "[", False), ("*" * 500 + "b", "a" * 1000, False),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "text", "fits"), GLOBS)
def test_patterns(pattern: str, text: str, fits: bool) -> None:
    assert glob.matches(pattern.encode(), text.encode()) == fits


def test_a_scan_meets_all_keys_that_stay() -> None:
    talk = Talk()
    for number in range(300):
        talk.send("set", f"k{number}", "x")
    cursor, met, rounds = b"0", set(), 0
    while cursor != b"0" or not rounds:
        reply = talk.ask(f"scan {cursor.decode()} count 20 match k*")
        assert isinstance(reply, list)
        cursor = reply[0]
        met.update(reply[1])
        talk.send("set", f"new{rounds}", "x")
        talk.send("del", f"k{rounds}", f"new{rounds - 3}")
        rounds += 1
    assert met >= {f"k{number}".encode() for number in range(rounds, 300)}
    assert rounds > 10


def test_a_transaction_fails_when_a_watched_key_was_changed() -> None:
    one = Talk()
    two = Talk(one.engine)
    one.ask("set k 1")
    for own in (False, True):
        one.ask("watch k")
        (one if own else two).ask("incr k")
        one.ask("multi")
        assert one.ask("incr k") == "QUEUED"
        assert one.ask("exec") is None
    assert one.ask("get k") == b"3"
    one.ask("multi")
    assert isinstance(one.ask("nonsense"), Fault)
    assert str(one.ask("exec")).startswith("EXECABORT")


def test_keys_go_when_their_time_has_come() -> None:
    talk = Talk()
    talk.ask("set a 1 px 1500")
    talk.ask("set b 1 ex 10")
    assert (talk.ask("ttl a"), talk.ask("pttl a")) == (2, 1500)
    talk.host.time += 1500
    assert talk.ask("mget a b") == [None, b"1"]
    assert talk.ask("ttl a") == -2
    assert talk.ask("persist b") == 1
    talk.host.time += 100_000
    assert (talk.ask("ttl b"), talk.ask("dbsize")) == (-1, 1)


def test_memory_has_a_bound_whatever_is_configured() -> None:
    talk = Talk(maxmemory="1gb")
    reply = None
    for number in range(200):
        reply = talk.ask(f"setrange k{number} 1000000 x")
    assert isinstance(reply, Fault)
    assert str(reply) == "OOM command not allowed when used memory > 'maxmemory'."
    assert talk.engine.used < MOST + (2 << 20)
    assert talk.ask("del k0 k1 k2 k3") == 4
    assert talk.ask("set small x") == "OK"


POLICIES = [("allkeys-lru", b"used"), ("volatile-ttl", b"forever"), ("volatile-lru", b"forever")]


@pytest.mark.parametrize(("policy", "stays"), POLICIES)
def test_what_is_evicted(policy: str, stays: bytes) -> None:
    talk = Talk(maxmemory="1mb", maxmemory_policy=policy)
    talk.ask("set used x")
    talk.ask("set forever x")
    for number in range(60):
        talk.ask(f"setrange k{number} 10000 x")
        talk.ask(f"expire k{number} {1000 + number}")
        if policy == "allkeys-lru":
            talk.ask("get used")
    keys = talk.ask("keys *")
    assert isinstance(keys, list)
    assert stays in keys
    assert b"k59" in keys
    assert len(keys) < 20


def test_answers_do_not_grow_without_bound() -> None:
    talk = Talk()
    talk.send("setrange", "k", "4000000", "x")
    reply = talk.send("mget", *["k"] * 1000)
    assert reply == b"-ERR the reply is too big\r\n"
    talk.ask("multi")
    for _ in range(100):
        talk.ask("get k")
    assert talk.send("exec") == b"-ERR the reply is too big\r\n"


def test_who_does_not_read_messages_is_cut_off() -> None:
    talk = Talk()
    deaf = Talk(talk.engine)
    deaf.ask("subscribe c")
    for _ in range(12):
        talk.send("publish", "c", b"x" * 1_000_000)
    assert deaf.session.closing
    assert deaf.session.behind == 0


def test_what_is_not_built_says_so() -> None:
    talk = Talk()
    assert str(talk.ask("xadd s * a b")) == "ERR XADD is not emulated"
    assert str(talk.ask("eval return 0")) == "ERR EVAL is not emulated"
    assert str(talk.ask("gett k")).startswith("ERR unknown command 'gett'")


def test_clients_are_counted() -> None:
    engine = Engine(Settings(), Host(), random.Random(1), "7.4.1")
    engine.settings.set("maxclients", "2")
    first, second = engine.connect("a", lambda: None), engine.connect("b", lambda: None)
    assert engine.connect("c", lambda: None) is None
    assert first is not None
    assert second is not None
    engine.gone(first)
    assert engine.connect("d", lambda: None) is not None


def test_hello_speaks_resp3() -> None:
    talk = Talk(requirepass="p")
    assert str(talk.ask("hello 3")).startswith("NOAUTH HELLO")
    assert talk.send("hello", "3", "auth", "default", "p").startswith(b"%7\r\n$6\r\nserver\r\n")
    talk.ask("hset h f v")
    assert talk.send("hgetall", "h") == b"%1\r\n$1\r\nf\r\n$1\r\nv\r\n"
    assert talk.send("get", "none") == b"_\r\n"
    assert str(talk.ask("hello 4")) == "NOPROTO unsupported protocol version"
