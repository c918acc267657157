"""MySQL's and MariaDB's images: they accept, authenticate, log; `mysqladmin` and its kin."""

import random
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Final

from cluster.runtime.emulated import serving
from cluster.runtime.emulated.databases import entrypoints, mysqlwire
from cluster.runtime.emulated.image import Image
from cluster.runtime.vos import resolving
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.sockets import Stream

PORT: Final = 3306
_WAYS: Final = ("ROOT_PASSWORD", "ALLOW_EMPTY_PASSWORD", "RANDOM_ROOT_PASSWORD")
_NAMES: Final = ("docker-entrypoint.sh", "entrypoint.sh", "run.sh", "mysqld", "mariadbd")


def _variables(env: Mapping[str, str], name: str) -> str:
    return entrypoints.given(env, f"MYSQL_{name}", f"MARIADB_{name}")


def _starts(_argv: Sequence[str], env: Mapping[str, str]) -> bool:
    allowed = [_variables(env, name) for name in (*_WAYS, "ALLOW_EMPTY_ROOT_PASSWORD")]
    bitnami = env.get("ALLOW_EMPTY_PASSWORD", "") in ("yes", "true")
    hashed = _variables(env, "ROOT_PASSWORD_HASH")
    return any(allowed) or bitnami or bool(hashed)


def _serves(argv: Sequence[str]) -> bool:
    rest = [word for word in (one.rpartition("/")[2] for one in argv) if word not in _NAMES]
    return not rest or rest[0].startswith("-")


def _is_mariadb(call: Call) -> bool:
    return call.kernel.find("mariadbd") is not None


def _version(call: Call) -> str:
    found = re.match(r"(\d{1,2})(?:\.(\d{1,2}))?(?:\.(\d{1,2}))?", call.kernel.image_tag)
    if found is None:
        return "11.6.2-MariaDB" if _is_mariadb(call) else "8.4.3"
    plain = ".".join(part or "0" for part in found.groups())
    return f"{plain}-MariaDB" if _is_mariadb(call) else plain


@serving.server(when=_serves, starts=_starts)
async def mysqld(call: Call) -> int:
    """`docker-entrypoint.sh mysqld`."""
    words = [word for word in call.argv[1:] if word.rpartition("/")[2] not in _NAMES]
    if words and not words[0].startswith("-"):
        program = call.kernel.find(words[0])
        if program is None:
            return await call.complain(f"exec: {words[0]}: not found", 127)
        return await program(Call(words, call.process, call.io, call.env, call.cwd))
    mariadb = _is_mariadb(call)
    if not _starts(call.argv, call.env):
        prefix = "MARIADB" if mariadb else "MYSQL"
        ways = (
            ("ROOT_PASSWORD", "ALLOW_EMPTY_ROOT_PASSWORD", "RANDOM_ROOT_PASSWORD")
            if mariadb
            else _WAYS
        )
        rows = "".join(f"    - {prefix}_{way}\n" for way in ways)
        at = entrypoints.moment(call, "%Y-%m-%d %H:%M:%S+00:00")
        await call.io.stderr.write(
            f"{at} [ERROR] [Entrypoint]: Database is uninitialized and password option is not "
            "specified\n    You need to specify one of the following as an environment variable:\n"
            f"{rows}".encode()
        )
        return 1
    return await _Server(call).run()


class _Server:
    """A server: users are those of the environment."""

    def __init__(self, call: Call) -> None:
        root = entrypoints.secret(call, "MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD")
        self._call = call
        self._users = {"root": root}
        user = _variables(call.env, "USER")
        if user:
            self._users[user] = entrypoints.secret(call, "MYSQL_PASSWORD", "MARIADB_PASSWORD")
        self._version = _version(call)
        seed = f"{call.kernel.hostname}/{call.kernel.started}"
        self._random = random.Random(seed)  # noqa: S311

    async def run(self) -> int:
        name = "mariadbd" if _is_mariadb(self._call) else "mysqld"
        end = f"  Version: '{self._version}'  socket: '/var/run/mysqld/mysqld.sock'  port: {PORT}"
        lines = (
            f"[System] [MY-010116] [Server] /usr/sbin/{name} ({name} {self._version}, emulated by "
            f"kubemu) starting as process {self._call.process.pid}",
            f"[System] [MY-010931] [Server] /usr/sbin/{name}: ready for connections.{end}",
        )
        ready = [f"{self._stamp()} 0 {line}" for line in lines]
        return await entrypoints.serve(self._call, PORT, self._serve, ready)

    def _stamp(self) -> str:
        return entrypoints.moment(self._call, "%Y-%m-%dT%H:%M:%S.%fZ")

    async def _serve(self, stream: Stream) -> None:
        salt = bytes(self._random.randrange(33, 126) for _ in range(20))
        session = mysqlwire.Session(self._users, self._version, salt, stream.peer.address)
        reader = entrypoints.Reader(stream)
        await stream.send(session.greeting())
        while not session.closed:
            number, body = await _packet(reader)
            answer = session.receive(number, body)
            for line in session.log:
                await self._call.io.stderr.write(f"{self._stamp()} 8 {line}\n".encode())
            session.log.clear()
            if answer:
                await stream.send(answer)


async def _packet(reader: entrypoints.Reader) -> tuple[int, bytes]:
    head = await reader.exactly(4)
    return head[3], await reader.exactly(struct.unpack("<I", head[:3] + b"\0")[0])


# ---- programs ------------------------------------------------------------------------------------


def _options(call: Call) -> tuple[dict[str, str], list[str]]:
    names = {"host": "h", "user": "u", "password": "p", "port": "P", "execute": "e"}
    found: dict[str, str] = {}
    rest: list[str] = []
    words = list(call.argv[1:])
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            key = names.get(name, name)
            takes = not equals and name in names and name != "password" and bool(words)
            found[key] = value if equals else words.pop(0) if takes else ""
        elif word[:1] == "-" and len(word) > 1:
            letter, value = word[1], word[2:]
            takes = letter in "huPeDS" and not value and bool(words)
            found[letter] = words.pop(0) if takes else value
        else:
            rest.append(word)
    return found, rest


async def _asked(call: Call, found: dict[str, str], query: bytes) -> tuple[int, bytes]:
    """What a server answers to a login, then to a command: an error's code and text, or 0 and the
    answer. OSError.
    """
    host = found.get("h") or "127.0.0.1"
    port = int(found["P"]) if found.get("P", "x").isdigit() else PORT
    place = (await resolving.addresses(host, files=call.files, net=call.net))[0]
    stream = await call.net.connect(place, port)
    reader = entrypoints.Reader(stream)
    try:
        _, greeting = await _packet(reader)
        user = found.get("u") or "root"
        password = found.get("p") or call.env.get("MYSQL_PWD") or ""
        salt = mysqlwire.salt_of(greeting)
        await stream.send(mysqlwire.packet(1, mysqlwire.answer_of(user, password, salt)))
        _, body = await _packet(reader)
        if body[:1] != b"\xff" and query:
            await stream.send(mysqlwire.packet(0, query))
            _, body = await _packet(reader)
            if body == b"\1":
                for _ in range(3):
                    _, body = await _packet(reader)
                return 0, body[1:]
        if body[:1] == b"\xff":
            return struct.unpack("<H", body[1:3])[0], body[9:]
        return 0, body
    finally:
        stream.close()


def _unreachable(found: dict[str, str], error: OSError) -> str:
    host = found.get("h")
    if host and host != "localhost":
        return f"Can't connect to MySQL server on '{host}:{found.get('P') or PORT}' ({error.errno})"
    return (
        "Can't connect to local MySQL server through socket '/var/run/mysqld/mysqld.sock' "
        f"({error.errno})"
    )


async def mysqladmin(call: Call) -> int:
    """`mysqladmin [-h HOST] [-u USER] [-pPASSWORD] ping|status`."""
    found, rest = _options(call)
    what = rest[0] if rest else ""
    if what not in ("ping", "status", "version"):
        return await call.complain(f"{what or 'no command'} is not emulated: only ping and status")
    name = call.argv[0].rpartition("/")[2]
    try:
        code, text = await _asked(call, found, b"\x0e")
    except OSError as error:
        await call.io.stderr.write(
            f"{name}: connect to server at '{found.get('h') or 'localhost'}' failed\nerror: "
            f"'{_unreachable(found, error)}'\n".encode()
        )
        return 1
    if code and what == "ping" and "silent" not in found:
        shown = f"{name}: connect to server at '{found.get('h') or 'localhost'}' failed\nerror: '"
        await call.io.stderr.write(shown.encode() + text + b"'\n")
    if code and what != "ping":
        return 1
    # One who denies access is alive.
    if "silent" not in found and "s" not in found:
        await call.out("mysqld is alive\n" if what == "ping" else "Uptime: 0  Threads: 1\n")
    return 0


async def mysql(call: Call) -> int:
    """`mysql [-h HOST] [-u USER] [-pPASSWORD] -e QUERY`."""
    found, _ = _options(call)
    if "version" in found or "V" in found:
        await call.out(f"mysql  Ver {_version(call)} for Linux on x86_64 (emulated by kubemu)\n")
        return 0
    query = found.get("e") or ""
    if not query:
        return await call.complain("only -e QUERY is emulated")
    try:
        code, text = await _asked(call, found, b"\x03" + query.encode())
    except OSError as error:
        number = 2002 if not found.get("h") else 2003
        await call.io.stderr.write(
            f"ERROR {number} (HY000): {_unreachable(found, error)}\n".encode()
        )
        return 1
    if code:
        state = {1045: "28000", 1235: "42000"}.get(code, "HY000")
        await call.io.stderr.write(f"ERROR {code} ({state}): ".encode() + text + b"\n")
        return 1
    if text[:1] not in (b"\0", b""):
        shown = text.decode(errors="replace")
        silent = "N" in found or "skip-column-names" in found
        await call.out(f"{shown}\n" if silent else f"{shown}\n{shown}\n")
    return 0


async def healthcheck(call: Call) -> int:
    """`healthcheck.sh --connect --innodb_initialized` of MariaDB's image."""
    try:
        code, _ = await _asked(call, {}, b"")
    except OSError:
        return await call.complain("ERROR 2002 (HY000): Can't connect to local server")
    return int(code not in (0, 1045))


_CLIENTS: Final = {"mysql": mysql, "mysqladmin": mysqladmin}
_MARIADB: Final = _CLIENTS | {
    "mariadb": mysql, "mariadb-admin": mysqladmin, "healthcheck.sh": healthcheck,
    "mariadbd": mysqld, "mysqld": mysqld, "docker-entrypoint.sh": mysqld,
}  # fmt: skip
_FILES: Final = {"/var/lib/mysql/": "", "/var/run/mysqld/": "", "/docker-entrypoint-initdb.d/": ""}

IMAGES: Final = (
    Image(
        names=("library/mysql", "mysql/mysql-server", "percona/percona-server", "library/percona"),
        entrypoint=("docker-entrypoint.sh",), cmd=("mysqld",), ports=(PORT, 33060), files=_FILES,
        programs=_CLIENTS | {"mysqld": mysqld, "docker-entrypoint.sh": mysqld},
    ),
    Image(
        names=("library/mariadb",), entrypoint=("docker-entrypoint.sh",), cmd=("mariadbd",),
        ports=(PORT,), files=_FILES, programs=_MARIADB,
    ),
    Image(
        names=("bitnami/mysql", "bitnamilegacy/mysql"),
        entrypoint=("/opt/bitnami/scripts/mysql/entrypoint.sh",),
        cmd=("/opt/bitnami/scripts/mysql/run.sh",), ports=(PORT,), user="1001", files=_FILES,
        programs=_CLIENTS | {"/opt/bitnami/scripts/mysql/entrypoint.sh": mysqld},
    ),
    Image(
        names=("bitnami/mariadb", "bitnamilegacy/mariadb"),
        entrypoint=("/opt/bitnami/scripts/mariadb/entrypoint.sh",),
        cmd=("/opt/bitnami/scripts/mariadb/run.sh",), ports=(PORT,), user="1001", files=_FILES,
        programs=_MARIADB | {"/opt/bitnami/scripts/mariadb/entrypoint.sh": mysqld},
    ),
)  # fmt: skip
