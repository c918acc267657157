"""MySQL's and MariaDB's images: they accept, authenticate and log."""

import random
from collections.abc import Mapping, Sequence
from typing import Final

from cluster.runtime.emulated import releases, serving
from cluster.runtime.emulated.databases import entrypoints, mysqlanswers, mysqlclient, mysqlwire
from cluster.runtime.emulated.image import Image
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
    return (any(allowed) or bitnami or bool(hashed)) and _variables(env, "USER") != "root"


def _serves(argv: Sequence[str]) -> bool:
    rest = [word for word in (one.rpartition("/")[2] for one in argv) if word not in _NAMES]
    return not rest or rest[0].startswith("-")


def _is_mariadb(call: Call) -> bool:
    return call.kernel.find("mariadbd") is not None


def _version(call: Call) -> str:
    tag = call.kernel.image_tag
    if _is_mariadb(call):
        return releases.version(tag, "11.6.2", releases.MARIADB) + "-MariaDB"
    return releases.version(tag, "8.4.3", releases.MYSQL)


@serving.server(when=_serves, starts=_starts)
async def mysqld(call: Call) -> int:
    """`docker-entrypoint.sh mysqld`."""
    words = [word for word in call.argv[1:] if word.rpartition("/")[2] not in _NAMES]
    if words and not words[0].startswith("-"):
        return await entrypoints.command(call, words)
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
        if _variables(call.env, "USER") == "root":
            await call.io.stderr.write(
                f'{at} [ERROR] [Entrypoint]: {prefix}_USER="root", {prefix}_USER and '
                f"{prefix}_PASSWORD are for configuring a regular user and cannot be used for the "
                "root user\n".encode()
            )
            return 1
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
        self._generated = ""
        if not root and _variables(call.env, "RANDOM_ROOT_PASSWORD"):
            self._users["root"] = self._generated = f"{self._random.getrandbits(128):032x}"
        old = _is_mariadb(call) or int(self._version.split(".")[0]) < 8
        self._plugin = mysqlwire.NATIVE if old else mysqlwire.CACHING
        self._database = _variables(call.env, "DATABASE")
        self._known = mysqlanswers.variables(self._version, call.kernel.hostname)
        self._clients = 7

    async def run(self) -> int:
        name = "mariadbd" if _is_mariadb(self._call) else "mysqld"
        end = f"  Version: '{self._version}'  socket: '/var/run/mysqld/mysqld.sock'  port: {PORT}"
        if self._generated:
            at = entrypoints.moment(self._call, "%Y-%m-%d %H:%M:%S+00:00")
            line = f"{at} [Note] [Entrypoint]: GENERATED ROOT PASSWORD: {self._generated}\n"
            await self._call.out(line)
        lines = (
            f"[System] [MY-010116] [Server] /usr/sbin/{name} ({name} {self._version}, emulated by "
            f"kubemu) starting as process {self._call.process.pid}",
            f"[Warning] [Server] {mysqlanswers.NOT_EMULATED}",
            f"[System] [MY-010931] [Server] /usr/sbin/{name}: ready for connections.{end}",
        )
        ready = [f"{self._stamp()} 0 {line}" for line in lines]
        return await entrypoints.serve(self._call, PORT, self._serve, ready)

    def _stamp(self) -> str:
        return entrypoints.moment(self._call, "%Y-%m-%dT%H:%M:%S.%fZ")

    async def _serve(self, stream: Stream) -> None:
        salt = bytes(self._random.randrange(33, 126) for _ in range(20))
        self._clients += 1
        number = self._clients
        session = mysqlwire.Session(
            self._users, salt, self._plugin, lambda user, host: self._answers(user, host, number),
            host=stream.peer.address, version=self._version, number=number,
        )  # fmt: skip
        reader = entrypoints.Reader(stream)
        await stream.send(session.greeting())
        while not session.closed:
            sequence, body = await mysqlclient.packet(reader)
            answer = session.receive(sequence, body)
            for line in (*session.log, *self._told(session.denied)):
                await self._call.io.stderr.write(f"{self._stamp()} {number} {line}\n".encode())
            session.log.clear()
            session.denied.clear()
            if answer:
                await stream.send(answer)

    def _told(self, denied: Sequence[str]) -> list[str]:
        """The lines about clients that were not let in: MariaDB warns of them, MySQL notes them,
        which its default of log_error_verbosity (2: errors and warnings) leaves out.
        """
        if _is_mariadb(self._call):
            return [f"[Warning] {text}" for text in denied]
        wordy = "--log-error-verbosity=3" in (one.replace("_", "-") for one in self._call.argv)
        return [f"[Note] [MY-010926] [Server] {text}" for text in denied] if wordy else []

    def _answers(self, user: str, host: str, number: int) -> mysqlanswers.Answers:
        """What a client that was let in is answered by."""
        known = dict(self._known) | {
            "version()": self._version, "user()": f"{user}@{host}", "database()": None,
            "current_user()": f"{user}@%", "current_user": f"{user}@%", "schema()": None,
            "connection_id()": number,
        }  # fmt: skip
        names = ["information_schema", "mysql", "performance_schema", "sys", self._database]
        return mysqlanswers.Answers(known, [name for name in names if name])


_CLIENTS: Final = {"mysql": mysqlclient.mysql, "mysqladmin": mysqlclient.mysqladmin}
_MARIADB: Final = _CLIENTS | {
    "mariadb": mysqlclient.mysql, "mariadb-admin": mysqlclient.mysqladmin,
    "healthcheck.sh": mysqlclient.healthcheck,
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
