"""PostgreSQL's images: `postgres` accepts, authenticates and logs; `pg_isready`; a small `psql`."""

import asyncio
import contextlib
import random
import struct
from collections.abc import Mapping, Sequence
from typing import Final

from cluster.runtime.emulated import releases, serving
from cluster.runtime.emulated.databases import entrypoints, pganswers, pgwire, scram
from cluster.runtime.emulated.image import Image
from cluster.runtime.vos import resolving
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.sockets import Stream

PORT: Final = 5432
_PATIENCE: Final = 60.0
_SHORT: Final = ("-h", "-p", "-U", "-d", "-c", "-v")
_FLAGS: Final = ("t", "A", "q", "X", "w", "e", "a", "1")
"""Options of psql of one letter without a value, which may be joined: `-tAc`."""
_UNSET: Final = """Error: Database is uninitialized and superuser password is not specified.
       You must specify POSTGRES_PASSWORD to a non-empty value for the
       superuser. For example, "-e POSTGRES_PASSWORD=password" on "docker run".

       You may also use "POSTGRES_HOST_AUTH_METHOD=trust" to allow all
       connections without a password. This is *not* recommended.
"""


def _trusts(env: Mapping[str, str]) -> bool:
    return env.get("POSTGRES_HOST_AUTH_METHOD", "") == "trust"


def _starts(_argv: Sequence[str], env: Mapping[str, str]) -> bool:
    known = entrypoints.given(env, "POSTGRES_PASSWORD", "POSTGRESQL_PASSWORD")
    empty = env.get("ALLOW_EMPTY_PASSWORD", "") in ("yes", "true")
    return bool(known) or _trusts(env) or empty


def _serves(argv: Sequence[str]) -> bool:
    words = [word.rpartition("/")[2] for word in argv]
    names = ("docker-entrypoint.sh", "entrypoint.sh", "run.sh", "postgres")
    rest = [word for word in words if word not in names]
    return not rest or rest[0].startswith("-")


def _version(call: Call) -> str:
    return releases.version(call.kernel.image_tag, "17.2", releases.POSTGRES)


@serving.server(when=_serves, starts=_starts)
async def postgres(call: Call) -> int:
    """`docker-entrypoint.sh postgres`."""
    words = [word for word in call.argv[1:] if word not in ("postgres", "/run.sh")]
    if words and not words[0].startswith("-"):
        return await entrypoints.command(call, words)
    if not _starts(call.argv, call.env):
        await call.io.stderr.write(_UNSET.encode())
        return 1
    return await _Server(call).run()


class _Server:
    """A server: users and databases are those of the environment."""

    def __init__(self, call: Call) -> None:
        env = call.env
        user = env.get("POSTGRES_USER") or env.get("POSTGRESQL_USERNAME") or "postgres"
        password = entrypoints.secret(call, "POSTGRES_PASSWORD", "POSTGRESQL_PASSWORD")
        database = env.get("POSTGRES_DB") or env.get("POSTGRESQL_DATABASE") or user
        self._call = call
        self._users = {user: password}
        self._databases = dict.fromkeys(("postgres", "template1", database))
        self._version = _version(call)
        self._clients = 100
        # Nonces differ from run to run of a container, and are the same for a seed.
        seed = f"{call.kernel.hostname}/{call.kernel.started}"
        self._random = random.Random(seed)  # noqa: S311

    async def run(self) -> int:
        data = self._call.env.get("PGDATA", "/var/lib/postgresql/data")
        known = self._call.files.exists(f"{data}/PG_VERSION")
        with contextlib.suppress(OSError):
            self._call.files.make_folders(data)
            self._call.files.put(f"{data}/PG_VERSION", f"{self._version.split('.')[0]}\n".encode())
        told = self._call.env.get("PGPORT", "")
        words = self._call.argv
        told = words[words.index("-p") + 1] if "-p" in words[:-1] else told
        port = int(told) if told.isdigit() and 0 < int(told[:6]) < 65536 else PORT
        lines = (
            f"LOG:  starting PostgreSQL {self._version} (emulated by kubemu), 64-bit",
            f'LOG:  listening on IPv4 address "0.0.0.0", port {port}',
            f'LOG:  listening on IPv6 address "::", port {port}',
            f'LOG:  listening on Unix socket "/var/run/postgresql/.s.PGSQL.{port}"',
            f"LOG:  {pganswers.NOT_EMULATED}",
            "LOG:  database system is ready to accept connections",
        )
        begun = "PostgreSQL init process complete; ready for start up."
        if known:
            begun = "PostgreSQL Database directory appears to contain a database; "
            begun += "Skipping initialization"
        await self._call.out(f"\n{begun}\n\n")
        ready = [self._line(line) for line in lines]
        return await entrypoints.serve(self._call, port, self._serve, ready)

    def _line(self, text: str) -> str:
        return f"{entrypoints.moment(self._call)[:-3]} UTC [{self._call.process.pid}] {text}"

    async def _serve(self, stream: Stream) -> None:
        session = pgwire.Session(
            self._users, self._version, self._nonce,
            trust=self._trusted(stream),
            databases=self._databases, number=self._next(),
        )  # fmt: skip
        reader = entrypoints.Reader(stream)
        while not session.closed:
            if session.started:
                kind = await reader.exactly(1)
                (size,) = struct.unpack(">I", await reader.exactly(4))
                answer = session.receive(kind, await reader.body(size - 4))
            else:
                async with asyncio.timeout(_PATIENCE):  # authentication_timeout
                    size, code = struct.unpack(">II", await reader.exactly(8))
                    answer = session.start(code, await reader.exactly(size - 8))
            for line in session.log:
                await self._call.io.stderr.write((self._line(line) + "\n").encode())
            session.log.clear()
            await stream.send(answer)

    def _trusted(self, stream: Stream) -> bool:
        """As in the image's pg_hba.conf: the container itself needs no password."""
        local = stream.peer.address in ("127.0.0.1", "::1", stream.local.address)
        return local or _trusts(self._call.env) or not any(self._users.values())

    def _next(self) -> int:
        self._clients += 1
        return self._clients

    def _nonce(self) -> str:
        return f"{self._random.getrandbits(144):036x}"


# ---- programs ------------------------------------------------------------------------------------


def _options(call: Call) -> tuple[dict[str, str], list[str]]:
    names = {"--host": "h", "--port": "p", "--username": "U", "--dbname": "d", "--command": "c",
             "--timeout": "t", "--quiet": "q"}  # fmt: skip
    found: dict[str, str] = {}
    rest: list[str] = []
    words = list(call.argv[1:])
    isready = call.argv[0].endswith("pg_isready")
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if name in names and word != "--quiet":
            found[names[name]] = value if equals else (words.pop(0) if words else "")
        elif word[:1] == "-" and word[1:2] in _FLAGS and word[2:] and not isready:
            found[word[1]] = "1"
            words.insert(0, f"-{word[2:]}")
        elif word[:2] in _SHORT or (word == "-t" and isready):
            found[word[1]] = word[2:] or (words.pop(0) if words else "")
        elif word.startswith("-"):
            found[word.lstrip("-")] = "1"
        else:
            rest.append(word)
    return found, rest


async def _connected(call: Call, found: dict[str, str]) -> tuple[Stream, str]:
    """A connection, and how the place is called. OSError."""
    host = found.get("h") or call.env.get("PGHOST") or ""
    port = found.get("p") or call.env.get("PGPORT") or str(PORT)
    shown = f"{host}:{port}" if host and host[0] != "/" else f"/var/run/postgresql:{port}"
    place = "127.0.0.1" if not host or host[0] == "/" else host
    address = (await resolving.addresses(place, files=call.files, net=call.net))[0]
    number = int(port) if port.isdigit() and len(port) < 6 else PORT
    return await call.net.connect(address, number), shown


def _start(user: str, database: str) -> bytes:
    body = f"user\0{user}\0database\0{database}\0\0".encode()
    return struct.pack(">II", len(body) + 8, pgwire.VERSION) + body


async def pg_isready(call: Call) -> int:
    """`pg_isready [-h HOST] [-p PORT] [-U USER] [-d DB] [-t SECONDS] [-q]`: 0, or 2."""
    found, _ = _options(call)
    quiet = "q" in found or "quiet" in found
    limit = float(found["t"]) if found.get("t", "x").isdigit() else 3.0
    host = found.get("h") or "/var/run/postgresql"
    shown = f"{host}:{found.get('p') or PORT}"
    code = 2
    try:
        async with asyncio.timeout(limit or None):
            stream, shown = await _connected(call, found)
            await stream.send(_start(found.get("U") or "postgres", found.get("d") or "postgres"))
            code = 0 if (await stream.receive())[:1] in (b"R", b"E") else 2
            stream.close()
    except OSError:
        code = 2
    if not quiet:
        await call.out(f"{shown} - {'no response' if code else 'accepting connections'}\n")
    return code


async def psql(call: Call) -> int:
    """`psql [-h HOST] [-U USER] [-d DB] [-tA] -c COMMAND`."""
    found, rest = _options(call)
    user = found.get("U") or call.env.get("PGUSER") or call.env.get("POSTGRES_USER") or "postgres"
    database = found.get("d") or (rest[0] if rest else "") or call.env.get("PGDATABASE") or user
    if "version" in found or "V" in found:
        await call.out(f"psql (PostgreSQL) {_version(call)}\n")
        return 0
    if "c" not in found:
        return await call.complain("only psql -c COMMAND is emulated", 2)
    try:
        stream, shown = await _connected(call, found)
        client = _Client(stream, call.env.get("PGPASSWORD", ""))
        refused = await client.login(user, database)
        if refused:
            return await call.complain(
                f'error: connection to server at "{shown}" failed: {refused}', 2
            )
        answer = await client.ask(found["c"])
        stream.close()
    except OSError as error:
        why = error.strerror or "server closed the connection unexpectedly"
        return await call.complain(f"error: connection to server failed: {why}", 2)
    return await _show(call, answer, found)


class _Client:
    """A client's side of a connection."""

    def __init__(self, stream: Stream, password: str) -> None:
        self._stream = stream
        self._reader = entrypoints.Reader(stream)
        self._prover = scram.Prover(password, "kubemu-psql-nonce")

    async def _next(self) -> tuple[bytes, bytes]:
        kind = await self._reader.exactly(1)
        (size,) = struct.unpack(">I", await self._reader.exactly(4))
        return kind, await self._reader.exactly(size - 4)

    async def login(self, user: str, database: str) -> str:
        """Why one is not let in; "" where one is. OSError."""
        await self._stream.send(_start(user, database))
        while True:
            kind, body = await self._next()
            if kind == b"E":
                return _text(body)
            if kind == b"Z":
                return ""
            (code,) = struct.unpack(">I", body[:4]) if kind == b"R" else (0,)
            if code == 10:
                first = self._prover.first()
                head = b"SCRAM-SHA-256\0" + struct.pack(">I", len(first))
                await self._stream.send(pganswers.message(b"p", head + first))
            elif code == 11:
                await self._stream.send(pganswers.message(b"p", self._prover.final(body[4:])))

    async def ask(self, query: str) -> list[tuple[bytes, bytes]]:
        """The messages that answer a query. OSError."""
        await self._stream.send(pganswers.message(b"Q", query.encode() + b"\0"))
        found: list[tuple[bytes, bytes]] = []
        while (one := await self._next())[0] != b"Z":
            found.append(one)
        return found


def _text(body: bytes) -> str:
    fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
    return f"{fields.get(b'S', 'ERROR')}:  {fields.get(b'M', '')}"


async def _show(
    call: Call, messages: Sequence[tuple[bytes, bytes]], found: Mapping[str, str]
) -> int:
    bare = "t" in found or "tuples-only" in found
    aligned = "A" not in found and "no-align" not in found
    columns: list[tuple[str, bool]] = []
    for kind, body in messages:
        if kind == b"E":
            await call.io.stderr.write((_text(body) + "\n").encode())
            return 1
        if kind == b"T":
            columns = _columns(body)
        elif kind == b"D":
            await call.out(_table(columns, _cells(body), bare=bare, aligned=aligned))
        elif kind == b"C" and not body.startswith((b"SELECT", b"SHOW")):
            await call.out(body.rstrip(b"\0").decode() + "\n")
    return 0


def _columns(body: bytes) -> list[tuple[str, bool]]:
    """The columns of a RowDescription: their names, and whether they hold numbers."""
    found: list[tuple[str, bool]] = []
    at = 2
    for _ in range(struct.unpack(">H", body[:2])[0]):
        end = body.index(b"\0", at)
        (kind,) = struct.unpack_from(">I", body, end + 7)
        found.append((body[at:end].decode(errors="replace"), kind in (20, 21, 23)))
        at = end + 19
    return found


def _cells(body: bytes) -> list[str]:
    """The values of a DataRow; NULL is empty."""
    found: list[str] = []
    at = 2
    while at < len(body):
        (size,) = struct.unpack_from(">i", body, at)
        found.append(body[at + 4 : at + 4 + max(size, 0)].decode(errors="replace"))
        at += 4 + max(size, 0)
    return found


def _table(
    columns: Sequence[tuple[str, bool]], cells: Sequence[str], *, bare: bool, aligned: bool
) -> str:
    """A row as psql prints it."""
    names = [name for name, _ in columns]
    if not aligned:
        head = "" if bare else "|".join(names) + "\n"
        return f"{head}{'|'.join(cells)}\n" + ("" if bare else "(1 row)\n")
    widths = [max(len(name), len(cell)) for name, cell in zip(names, cells, strict=True)]
    shown = [
        f"{cell:>{width}}" if number else f"{cell:<{width}}"
        for cell, width, (_, number) in zip(cells, widths, columns, strict=True)
    ]
    row = f" {' | '.join(shown)}".rstrip()
    if bare:
        return f"{row}\n\n"
    head = " | ".join(f"{name:^{width}}" for name, width in zip(names, widths, strict=True))
    line = "-+-".join("-" * width for width in widths)
    return f" {head} \n-{line}-\n{row}\n(1 row)\n\n"


_PROGRAMS: Final = {"docker-entrypoint.sh": postgres, "postgres": postgres,
                    "pg_isready": pg_isready, "psql": psql}  # fmt: skip
_ENV: Final = {"PGDATA": "/var/lib/postgresql/data", "LANG": "en_US.utf8"}

IMAGES: Final = (
    Image(
        names=("library/postgres", "postgis/postgis", "timescale/timescaledb", "pgvector/pgvector"),
        entrypoint=("docker-entrypoint.sh",), cmd=("postgres",), env=_ENV, ports=(PORT,),
        stop_signal="SIGINT", files={"/var/lib/postgresql/data/": "", "/var/run/postgresql/": ""},
        programs=_PROGRAMS,
    ),
    Image(
        names=("bitnami/postgresql", "bitnamilegacy/postgresql"),
        entrypoint=("/opt/bitnami/scripts/postgresql/entrypoint.sh",), cmd=("/run.sh",),
        env={"PGDATA": "/bitnami/postgresql/data"}, ports=(PORT,), user="1001",
        files={"/bitnami/postgresql/data/": ""},
        programs=_PROGRAMS | {"/opt/bitnami/scripts/postgresql/entrypoint.sh": postgres},
    ),
)  # fmt: skip
