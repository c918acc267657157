"""Emulated databases: what they demand, how one logs in, what they answer, what hurts them not."""

import asyncio
import random
import struct
from collections.abc import Awaitable, Callable, Mapping

import pytest
from dataworld import Box, World
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from cluster.aio import virtual
from cluster.runtime.emulated import catalog
from cluster.runtime.emulated.databases import (
    bson,
    mongowire,
    mysqlanswers,
    mysqlwire,
    pganswers,
    pgwire,
    scram,
    statements,
)

PORTS = {
    "library/postgres": 5432, "library/mysql": 3306, "library/mariadb": 3306,
    "library/mongo": 27017, "library/rabbitmq": 5672, "library/zookeeper": 2181,
    "library/nats": 4222, "apache/kafka": 9092, "library/memcached": 11211,
    "coreos/etcd": 2379, "library/cassandra": 9042,
}  # fmt: skip
NEEDED = {"POSTGRES_PASSWORD": "secret", "MYSQL_ROOT_PASSWORD": "secret"}


def emulated(world: World, name: str, tag: str = "latest", **env: str) -> Box:
    image = catalog.find(name)
    assert image is not None
    return world.box(image, tag, **env)


def told(story: Callable[[World], Awaitable[None]]) -> None:
    virtual.run(story(World()))


@pytest.mark.parametrize(
    ("image", "env", "code", "says"),
    [
        ("library/postgres", {}, 1,
         "Error: Database is uninitialized and superuser password is not specified.\n"),
        ("library/mysql", {}, 1, "[ERROR] [Entrypoint]: Database is uninitialized and password "
                                 "option is not specified\n"),
        ("library/mysql", {}, 1, "    - MYSQL_ROOT_PASSWORD\n"),
        ("library/mysql", {"MYSQL_ROOT_PASSWORD": "x", "MYSQL_USER": "root"}, 1,
         'MYSQL_USER="root", MYSQL_USER and MYSQL_PASSWORD are for configuring a regular user'),
        ("library/mariadb", {}, 1, "    - MARIADB_ROOT_PASSWORD\n"),
        ("library/mongo", {"MONGO_INITDB_ROOT_USERNAME": "root"}, 1,
         "error: missing 'MONGO_INITDB_ROOT_USERNAME' or 'MONGO_INITDB_ROOT_PASSWORD'\n"),
    ],
)  # fmt: skip
def test_a_server_without_its_password_does_not_start(
    image: str, env: Mapping[str, str], code: int, says: str
) -> None:
    async def story(world: World) -> None:
        box = emulated(world, image, **env)
        assert await box.begin().wait() == code
        assert says in box.err.data.decode()

    told(story)


@pytest.mark.parametrize("image", sorted(PORTS))
def test_each_says_that_it_is_emulated_and_ends_when_asked(image: str) -> None:
    async def story(world: World) -> None:
        box = emulated(world, image, **NEEDED)
        box.begin()
        await asyncio.sleep(1)
        if image != "library/memcached":  # Which logs nothing at all; `version` tells.
            assert "kubemu" in (box.out.data + box.err.data).decode()
        assert await box.stop() == 0

    told(story)


PG = {"PGPASSWORD": "secret"}


@pytest.mark.parametrize(
    ("image", "command", "out", "err", "code"),
    [
        ("postgres", "psql -h web -tAc 'SELECT 1'", "1\n", "", 0),
        ("postgres", "psql -h web -c \"select 1 as one, 'text' as two; set x to 1\"",
         " one | two  \n-----+------\n   1 | text\n(1 row)\n\nSET\n", "", 0),
        ("postgres", "psql -h web -Atc \"select 1, 'text', true\"", "1|text|t\n", "", 0),
        ("postgres", "psql -h web -c 'create table t (a int)'", "",
         "ERROR:  kubemu does not run SQL: this server only accepts connections\n", 1),
        ("postgres", "PGPASSWORD=wrong psql -h web -c 'select 1'", "",
         'FATAL:  password authentication failed for user "postgres"\n', 2),
        ("postgres", "psql -h web -U nobody -c 'select 1'", "",
         'FATAL:  password authentication failed for user "nobody"\n', 2),
        ("postgres", "psql -h web -d none -c 'select 1'", "",
         'FATAL:  database "none" does not exist\n', 2),
        ("postgres", "pg_isready -h web", "web:5432 - accepting connections\n", "", 0),
        ("postgres", "pg_isready -h web -p 1", "web:1 - no response\n", "", 2),
        ("mysql", "mysql -h web -uroot -psecret -e \"select 1, 'a', NULL\"",
         "1\ta\tNULL\n1\ta\tNULL\n", "", 0),
        ("mysql", "mysql -h web -uroot -psecret shop -Ne 'select database()'", "shop\n", "", 0),
        ("mysql", "mysql -h web -uapp -pown -Ne 'show databases'",
         "information_schema\nmysql\nperformance_schema\nshop\nsys\n", "", 0),
        ("mysql", "mysql -h web -uroot -psecret none -e 'select 1'", "",
         "ERROR 1049 (42000): Unknown database 'none'\n", 1),
        ("mysql", "mysql -h web -uroot -pwrong -e 'select 1'", "",
         "ERROR 1045 (28000): Access denied for user 'root'@'10.244.0.3' (using password: YES)\n",
         1),
        ("mysql", "mysql -h web -uroot -e 'select 1'", "",
         "ERROR 1045 (28000): Access denied for user 'root'@'10.244.0.3' (using password: NO)\n",
         1),
        ("mysql", "mysql -h web -uroot -psecret -e 'drop table t'", "",
         "ERROR 1235 (42000): kubemu does not run SQL: this server only accepts connections\n", 1),
        ("mysql", "mysql -h web -P 1 -e 'select 1'", "",
         "ERROR 2003 (HY000): Can't connect to MySQL server on 'web:1' (111)\n", 1),
        ("mysql", "mysqladmin -h web -uroot -psecret ping", "mysqld is alive\n", "", 0),
        ("mysql:5.7", "mysql -h web -uroot -psecret -Ne 'select version()'", "5.7.44\n", "", 0),
        ("mariadb:11.4", "mariadb -h web -uroot -psecret -Ne 'select version()'",
         "11.4.4-MariaDB\n", "", 0),
        ("mongo", "mongosh --host web --quiet --eval \"db.adminCommand('ping').ok\"", "1\n", "",
         0),
        ("mongo", "mongosh --host web --eval 'db.t.find()'", "",
         "MongoServerError: kubemu keeps no documents: this server only accepts connections\n", 1),
    ],
)  # fmt: skip
def test_the_images_own_clients(image: str, command: str, out: str, err: str, code: int) -> None:
    async def story(world: World) -> None:
        name, _, tag = image.partition(":")
        tag = tag or "16"
        env = NEEDED | {"MYSQL_DATABASE": "shop", "MYSQL_USER": "app", "MYSQL_PASSWORD": "own"}
        server = emulated(world, f"library/{name}", tag, **env)
        server.begin()
        client = emulated(world, f"library/{name}", tag, **PG)
        client.kernel.files.put("/etc/hosts", f"{server.address} web\n".encode())
        result = await client.run("sh", "-c", command)
        assert result.code == code
        assert result.out.startswith(out) if out else result.out == ""
        assert result.err.endswith(err) if err else result.err == ""

    told(story)


@pytest.mark.parametrize(
    ("image", "args", "said"),
    [
        ("library/mysql", (), ""),
        (
            "library/mysql",
            ("--log_error_verbosity=3",),
            "[Note] [MY-010926] [Server] Access denied",
        ),
        ("library/mariadb", (), "[Warning] Access denied for user 'root'"),
    ],
)
def test_who_is_not_let_in_is_logged_as_the_servers_defaults_have_it(
    image: str, args: tuple[str, ...], said: str
) -> None:
    async def story(world: World) -> None:
        server = emulated(world, image, "8.4", **NEEDED)
        server.begin(*args)
        result = await server.run("sh", "-c", "sleep 1; mysqladmin ping; echo $?")
        assert result.out == "mysqld is alive\n0\n"
        logged = (server.out.data + server.err.data).decode()
        assert ("Access denied" in logged) is bool(said)
        assert said in logged

    told(story)


KNOWN: Mapping[str, statements.Value] = {"version()": "9", "current_user": "me", "@@port": 1}


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("select 1", {"1": 1}),
        ("SELECT -5 AS five, 'it''s' s", {"five": -5, "s": "it's"}),
        ("select true, NULL, current_user", {"true": True, "NULL": None, "current_user": "me"}),
        ("select version() v, @@global.port, @@session.port as p",
         {"v": "9", "@@global.port": 1, "p": 1}),
        ("select 1::int LIMIT 1", {"1": 1}),
        ("select * from t", None),
        ("select 1 from t", None),
        ("select 1 +", None),
        ("select sleep(9)", None),
        ("select nope()", None),
        ("select 'open", None),
        ("select", None),
        ("select ,", None),
        ("insert into t values (1)", None),
        ("select " + "1," * 200 + "1", None),
    ],
)  # fmt: skip
def test_only_what_is_true_without_data_is_a_row(
    text: str, row: Mapping[str, object] | None
) -> None:
    found = statements.row(text, KNOWN, lambda item, _word: item)
    assert (None if found is None else {one.name: one.value for one in found}) == row


def test_statements_end_at_semicolons_that_are_in_no_quotes() -> None:
    assert statements.split("a; b ';' c ;; /* ; */ d -- e;\n\"f;\"") == [
        "a",
        "b ';' c",
        'd  \n"f;"',
    ]
    assert len(statements.split("x;" * 1000)) == 50


def messages(data: bytes) -> list[tuple[bytes, bytes]]:
    found = []
    while data:
        (size,) = struct.unpack(">I", data[1:5])
        found.append((data[:1], data[5 : 1 + size]))
        data = data[1 + size :]
    return found


def postgres() -> pgwire.Session:
    session = pgwire.Session({"me": ""}, "16.4", lambda: "n", trust=True, databases={"me": None})
    answer = session.start(pgwire.VERSION, b"user\0me\0\0")
    assert messages(answer)[-1] == (b"Z", b"I")
    return session


def test_prepared_statements_are_answered_in_the_formats_that_are_asked_for() -> None:
    session = postgres()
    parse = b"s\0select 7, $1 as x, true\0" + struct.pack(">HI", 1, 25)
    kinds = [kind for kind, _ in messages(session.receive(b"P", parse))]
    assert kinds == [b"1"]
    kinds = [kind for kind, _ in messages(session.receive(b"D", b"Ss\0"))]
    assert kinds == [b"t", b"T"]
    bind = b"p\0s\0" + struct.pack(">HHi", 0, 1, 2) + b"hi" + struct.pack(">HHHH", 3, 1, 0, 1)
    assert messages(session.receive(b"B", bind)) == [(b"2", b"")]
    data, done = messages(session.receive(b"E", b"p\0\0\0\0\0"))
    assert done == (b"C", b"SELECT 1\0")
    cells = struct.pack(">Hi", 3, 4) + struct.pack(">i", 7) + b"\0\0\0\2hi" + b"\0\0\0\1\1"
    assert data == (b"D", cells)
    assert messages(session.receive(b"S", b"")) == [(b"Z", b"I")]


def test_after_an_error_all_is_skipped_until_the_client_syncs() -> None:
    session = postgres()
    assert messages(session.receive(b"Q", b"begin\0"))[-1] == (b"Z", b"T")
    ((kind, body),) = messages(session.receive(b"P", b"\0insert into t\0\0\0"))
    assert kind == b"E"
    assert b"C0A000\0" in body
    assert session.receive(b"B", b"\0\0\0\0\0\0\0\0") == b""
    assert session.receive(b"E", b"\0\0\0\0\0") == b""
    assert messages(session.receive(b"S", b"")) == [(b"Z", b"E")]
    error, _ = messages(session.receive(b"Q", b"select 1\0"))
    assert b"C25P02\0" in error[1]
    assert messages(session.receive(b"Q", b"commit\0")) == [(b"C", b"ROLLBACK\0"), (b"Z", b"I")]


def test_settings_can_be_set_and_shown() -> None:
    session = postgres()
    session.receive(b"Q", b"set time zone 'Europe/Zurich'; set x.y = 1\0")
    shown = messages(session.receive(b"Q", b"show timezone\0"))
    assert shown[1][1].endswith(b"Europe/Zurich")
    refused = messages(session.receive(b"Q", b"show nonsense\0"))
    assert b'unrecognized configuration parameter "nonsense"' in refused[0][1]


def test_a_prepared_statement_costs_little_and_they_are_counted() -> None:
    session = postgres()
    for at in range(100):
        assert session.receive(b"P", b"%d\0select 1\0\0\0" % at)[:1] == b"1"
    assert b"53200" in session.receive(b"P", b"more\0select 1\0\0\0")
    session.receive(b"S", b"")
    long = b"0\0select '" + b"x" * 5000 + b"'\0\0\0"
    assert b"0A000" in session.receive(b"P", long)


@pytest.mark.parametrize("plugin", [mysqlwire.NATIVE, mysqlwire.CACHING])
@pytest.mark.parametrize("other", [False, True])
def test_mysql_logs_in_by_its_plugin_and_asks_others_to_switch(plugin: bytes, other: bool) -> None:
    salt = bytes(range(40, 60))
    known: dict[str, statements.Value] = {}
    session = mysqlwire.Session(
        {"me": "pass"}, salt, plugin, lambda _user, _host: mysqlanswers.Answers(known, ()),
        host="h", version="8.4.0",
    )  # fmt: skip
    greeting = session.greeting()[4:]
    answer = mysqlwire.login("me", "pass", "", greeting)
    if other:
        answer = answer.replace(plugin, b"some_other_password")
    said = session.receive(1, answer)
    if other:
        assert said[4:5] == b"\xfe"
        said = session.receive(3, mysqlwire.switched("pass", said[4:]))
    assert said[4:5] == (b"\x00" if plugin == mysqlwire.NATIVE else b"\x01")
    assert session.receive(0, b"\x0e")[4:5] == b"\0"
    assert not session.closed


@pytest.mark.parametrize(("password", "done"), [("pass", True), ("wrong", False)])
def test_mongo_logs_in_and_needs_it(password: str, done: bool) -> None:
    session = mongowire.Session({"me": "pass"}, "8.0.3", lambda: "nonce")

    def ask(**command: object) -> dict[str, object]:
        body = struct.pack("<IB", 0, 0) + bson.encode(command)
        answer = session.answer(struct.pack("<iiii", len(body) + 16, 1, 0, 2013), body, 0)
        return bson.decode(answer[21:])

    assert ask(find="t")["codeName"] == "Unauthorized"
    prover = scram.Prover(password, "client", "me")
    first = ask(saslStart=1, mechanism="SCRAM-SHA-256", payload=prover.first(),
                options={"skipEmptyExchange": True})  # fmt: skip
    challenge = first["payload"]
    assert isinstance(challenge, bytes)
    last = ask(saslContinue=1, conversationId=1, payload=prover.final(challenge))
    assert last.get("done", False) is done
    wanted = "CommandNotSupported" if done else "Unauthorized"
    assert ask(find="t")["codeName"] == wanted


@pytest.mark.parametrize("image", sorted(PORTS))
def test_hostile_bytes_end_a_connection_and_nothing_else(image: str) -> None:
    chance = random.Random(image)
    pieces = [
        b"", b"\0", b"\n", b"\xff" * 70_000, b"\0" * 70_000, b"a " * 40_000 + b"\r\n",
        b"\0\0\0\x08\x04\xd2\x16\x2f" * 50, struct.pack(">II", 2**31, 196608), b"\xff\xff\xff\1x",
        struct.pack(">II", 20, 196608) + b"user\0me\0\0\0\0\0" + b"Q\0\0\0\4P\0\0\0\2",
        struct.pack("<iiii", 2**30, 1, 0, 2013), struct.pack("<iiii", -1, 1, 0, 2004),
        struct.pack("<iiii", 30, 1, 0, 2013) + bytes(14), b"get " + b"k " * 900 + b"\r\n",
        b"set k 0 0 99999999999999\r\n", b"PING\r\nSUB x\r\n", b"AMQP\0\0\x09\1" + bytes(40),
        b"AMQP\0\0\x09\1\1\0\0\0\0\0\4\0\x0a\0\x0b\xce", b"\4\0\0\0\7\0\0\0\0" * 9,
        b"\x05\0\0\0\1\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n",
        *(chance.randbytes(chance.choice((3, 40, 4000))) for _ in range(30)),
    ]  # fmt: skip

    async def story(world: World) -> None:
        server = emulated(world, image, POSTGRES_HOST_AUTH_METHOD="trust", **NEEDED)
        server.begin()
        client = emulated(world, "library/busybox")
        await asyncio.sleep(0.1)
        for piece in pieces:
            stream = await client.net.connect(server.address, PORTS[image])
            try:
                async with asyncio.timeout(5):
                    await stream.send(piece)
                    stream.end()
                    while await stream.receive():
                        pass
            except OSError:
                pass  # Hung up by the server, or it waits for more.
            stream.close()
        assert server.main is not None
        assert server.main.code is None
        again = await client.net.connect(server.address, PORTS[image])
        again.close()

    with capture_logs() as logs:
        told(story)
    assert [one for one in logs if one["log_level"] in ("error", "critical")] == []


def test_long_messages_are_read_and_not_kept() -> None:
    async def story(world: World) -> None:
        server = emulated(world, "library/postgres", POSTGRES_HOST_AUTH_METHOD="trust")
        server.begin()
        client = emulated(world, "library/busybox")
        await asyncio.sleep(0.1)
        stream = await client.net.connect(server.address, 5432)
        start = b"user\0postgres\0\0"
        await stream.send(struct.pack(">II", len(start) + 8, pgwire.VERSION) + start)
        answer = await stream.receive()
        assert answer.endswith(b"Z\0\0\0\5I")
        size = 5 << 20
        await stream.send(b"Q" + struct.pack(">I", size + 4))
        for _ in range(size >> 16):
            await stream.send(b"x" * 65536)
        assert pganswers.NOT_EMULATED.encode() in await stream.receive()
        await stream.send(pganswers.message(b"Q", b"select 1\0"))
        assert b"SELECT 1" in await stream.receive()
        stream.close()

    told(story)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"set a 5 0 1\r\nx\r\nget a\r\n", b"STORED\r\nVALUE a 5 1\r\nx\r\nEND\r\n"),
        (b"set a 0 0 1 noreply\r\nx\r\nget a b\r\n", b"VALUE a 0 1\r\nx\r\nEND\r\n"),
        (b"add a 0 0 1\r\nx\r\nadd a 0 0 1\r\ny\r\n", b"STORED\r\nNOT_STORED\r\n"),
        (b"set n 0 0 1\r\n9\r\nincr n 2\r\ndecr n 20\r\nincr m 1\r\n",
         b"STORED\r\n11\r\n0\r\nNOT_FOUND\r\n"),
        (b"set a 0 -1 1\r\nx\r\nget a\r\n", b"STORED\r\nEND\r\n"),
        (b"set a 0 0 1\r\nx\r\ndelete a\r\ndelete a\r\n",
         b"STORED\r\nDELETED\r\nNOT_FOUND\r\n"),
        (b"set a 0 0 1\r\nx\r\nappend a 0 0 1\r\ny\r\nget a\r\n",
         b"STORED\r\nSTORED\r\nVALUE a 0 2\r\nxy\r\nEND\r\n"),
        (b"set a 0 0 1\r\nxyz\r\n", b"CLIENT_ERROR bad data chunk\r\nERROR\r\n"),
        (b"version\r\nnonsense\r\n", b"VERSION 1.6.32\r\nERROR\r\n"),
    ],
)  # fmt: skip
def test_memcached_speaks_its_text_protocol(sent: bytes, said: bytes) -> None:
    async def story(world: World) -> None:
        server = emulated(world, "library/memcached")
        server.begin()
        await asyncio.sleep(0.1)
        client = emulated(world, "library/busybox")
        stream = await client.net.connect(server.address, 11211)
        await stream.send(sent + b"quit\r\n")
        got = b""
        while data := await stream.receive():
            got += data
        assert got == said

    told(story)


def test_memcached_does_not_answer_one_line_with_a_gigabyte() -> None:
    async def story(world: World) -> None:
        server = emulated(world, "library/memcached")
        server.begin()
        await asyncio.sleep(0.1)
        stream = await emulated(world, "library/busybox").net.connect(server.address, 11211)
        await stream.send(b"set a 0 0 1000000\r\n" + b"x" * 1_000_000 + b"\r\n")
        assert await stream.receive() == b"STORED\r\n"
        await stream.send(b"get" + b" a" * 900 + b"\r\n")
        size = 0
        while data := await stream.receive():
            size += len(data)
        assert 4_000_000 < size < 7_000_000

    told(story)


JUNK = st.binary(max_size=200) | st.sampled_from(
    [b"select $1\0", b"s\0select 1\0\0\1\0\0\0\x17", b"\0\0\0\0\0\0\0\0", b"Ss\0", b"Pp\0"]
)


@given(st.lists(st.tuples(st.sampled_from(list("QPBDECSHXdcfz")), JUNK), max_size=12))
def test_any_messages_of_a_postgres_client_are_answered(
    sent: list[tuple[str, bytes]],
) -> None:
    session = postgres()
    for kind, body in sent:
        if session.closed:
            return
        messages(session.receive(kind.encode(), body))


QUERIES = st.text(max_size=60).map(lambda one: b"\3" + one.encode())


@given(st.lists(st.binary(max_size=100) | QUERIES, max_size=6))
def test_any_commands_of_a_mysql_client_are_answered(sent: list[bytes]) -> None:
    known = dict(mysqlanswers.variables("8", "h")) | {"database()": None}
    answers = mysqlanswers.Answers(known, ("mysql",))
    for body in sent:
        data = answers.command(1, body)
        while data:
            data = data[4 + int.from_bytes(data[:3], "little") :]


@given(st.binary(max_size=80))
def test_bson_of_anything_is_a_document_or_none(data: bytes) -> None:
    try:
        found = bson.decode(data)
    except ValueError:
        return
    assert isinstance(found, dict)


def test_bson_that_is_written_is_read() -> None:
    told = {"a": 1, "b": -(2**40), "c": 1.5, "d": True, "e": "ä", "f": b"\0\1", "g": {"h": {}}}
    assert bson.decode(bson.encode(told)) == told
    deep: dict[str, object] = {}
    for _ in range(30):
        deep = {"x": deep}
    with pytest.raises(ValueError, match="no document"):
        bson.decode(bson.encode(deep))
