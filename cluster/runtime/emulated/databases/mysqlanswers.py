"""What MySQL answers to commands: pings, constants, its own settings, and bounds of transactions.
All else is an error. Sans-IO.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cluster.runtime.emulated.databases import statements
from cluster.runtime.emulated.databases.statements import Value

NOT_EMULATED: Final = "kubemu does not run SQL: this server only accepts connections"
_QUIT_LIKE: Final = frozenset((0x0E, 0x1F))
"""COM_PING and COM_RESET_CONNECTION."""
_DONE: Final = ("set", "begin", "start", "commit", "rollback", "savepoint", "release", "unlock")
_LIKE: Final = re.compile(
    r"show\s+(?:global\s+|session\s+)?(variables|databases|schemas|warnings|errors)"
    r"(?:\s+like\s+'([^']{0,100})'|\s+where\s+variable_name\s*=\s*'([^']{0,100})')?\s*",
    re.IGNORECASE,
)


def packet(number: int, body: bytes) -> bytes:
    """A packet."""
    return struct.pack("<I", len(body))[:3] + bytes([number & 0xFF]) + body


def error(number: int, code: int, state: str, text: str) -> bytes:
    """An ERR packet."""
    body = b"\xff" + struct.pack("<H", code) + b"#" + state.encode()
    return packet(number, body + text.encode(errors="replace"))


def okay(number: int, status: int = 2) -> bytes:
    """An OK packet. The status' bits: 1 in a transaction, 2 autocommit."""
    return packet(number, b"\0\0\0" + struct.pack("<HH", status, 0))


@dataclass(slots=True)
class Answers:
    """A session's commands. `log` collects what the server writes of them."""

    known: dict[str, Value]
    """What it knows of itself, for `statements.row`."""
    databases: Sequence[str]
    log: list[str] = field(default_factory=list)
    _busy: bool = False
    """Whether a transaction is open."""

    def use(self, name: str) -> bool:
        """Take a database; whether there is such a one."""
        if name not in self.databases:
            return False
        self.known["database()"] = self.known["schema()"] = name
        return True

    def command(self, number: int, body: bytes) -> bytes:
        """A command (its packet's body); what is answered in packets from `number` on."""
        kind, rest = body[0] if body else 0, body[1:].decode(errors="replace")
        if kind in _QUIT_LIKE:
            return self._okay(number)
        if kind == 0x02:
            return self._used(number, rest)
        if kind == 0x03:
            return self._query(number, rest)
        if kind == 0x09:
            return packet(number, b"Uptime: 0  Threads: 1  Questions: 0  (emulated by kubemu)")
        if kind == 0x16:
            return self._refused(number, rest)
        return error(number, 1047, "08S01", "Unknown command")

    def _okay(self, number: int) -> bytes:
        return okay(number, 3 if self._busy else 2)

    def _used(self, number: int, name: str) -> bytes:
        if self.use(name):
            return self._okay(number)
        return error(number, 1049, "42000", f"Unknown database '{name[:64]}'")

    def _refused(self, number: int, text: str) -> bytes:
        self.log.append(f"[Warning] [Server] {NOT_EMULATED}: {text[:1000]}")
        return error(number, 1235, "42000", NOT_EMULATED)

    def _query(self, number: int, text: str) -> bytes:
        found = statements.split(text)
        if not found:
            return error(number, 1065, "42000", "Query was empty")
        if len(found) > 1:
            return self._refused(number, text)
        statement = found[0]
        columns = statements.row(statement, self.known, _name)
        if columns is not None and not any(one.parameter for one in columns):
            row = [one.value for one in columns]
            return self._rows(number, [one.name for one in columns], [row])
        word = statements.verb(statement)
        if word == "use":
            return self._used(number, statement[3:].strip().strip("`"))
        if word == "show":
            return self._shown(number, statement)
        if word not in _DONE:
            return self._refused(number, text)
        if word in ("begin", "start", "commit", "rollback"):
            self._busy = word in ("begin", "start")
        return self._okay(number)

    def _shown(self, number: int, statement: str) -> bytes:
        found = _LIKE.fullmatch(statement)
        if found is None:
            return self._refused(number, statement)
        what = found[1].lower()
        pattern = _pattern(found[2] if found[2] is not None else found[3] or "%")
        if what in ("warnings", "errors"):
            return self._rows(number, ["Level", "Code", "Message"], [])
        if what == "variables":
            names = sorted(name[2:] for name in self.known if name.startswith("@@"))
            rows = [[name, _shown(self.known[f"@@{name}"])] for name in names
                    if pattern.fullmatch(name)]  # fmt: skip
            return self._rows(number, ["Variable_name", "Value"], rows)
        names = [name for name in sorted(self.databases) if pattern.fullmatch(name)]
        return self._rows(number, ["Database"], [[name] for name in names])

    def _rows(self, number: int, names: Sequence[str], rows: Sequence[Sequence[Value]]) -> bytes:
        """A result set of the text protocol."""
        end = b"\xfe\0\0" + struct.pack("<H", 3 if self._busy else 2)
        first: Sequence[Value] = rows[0] if rows else [""] * len(names)
        bodies = [bytes([len(names)])]
        bodies += [_column(name, value) for name, value in zip(names, first, strict=True)]
        bodies.append(end)
        bodies += [b"".join(map(_field, row)) for row in rows]
        bodies.append(end)
        return b"".join(packet(number + at, body) for at, body in enumerate(bodies))


def _name(item: str, _word: str) -> str:
    return item.strip("'")[:64]


def _pattern(like: str) -> re.Pattern[str]:
    """LIKE's. Not more than one % counts, so that nothing takes long."""
    parts = [re.escape(part).replace("_", ".") for part in like.split("%")[:3]]
    return re.compile(".*".join(parts), re.IGNORECASE)


def _column(name: str, value: Value) -> bytes:
    number = isinstance(value, int)
    character, length, kind = (63, 20, 8) if number else (33, 1024, 0xFD)
    head = b"\3def\0\0\0" + _sized(name.encode(errors="replace")) + b"\0\x0c"
    return head + struct.pack("<HIBHB", character, length, kind, 0, 0) + bytes(2)


def _field(value: Value) -> bytes:
    return b"\xfb" if value is None else _sized(_shown(value).encode(errors="replace"))


def _shown(value: Value) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _sized(data: bytes) -> bytes:
    """A string with its length before it."""
    if len(data) < 251:
        return bytes([len(data)]) + data
    return b"\xfd" + struct.pack("<I", len(data))[:3] + data


def variables(version: str, hostname: str) -> Mapping[str, Value]:
    """What a server knows of itself, as `@@name`, by the defaults of MySQL 8.4."""
    told: dict[str, Value] = {
        "version": version, "version_comment": "emulated by kubemu", "hostname": hostname,
        "port": 3306, "autocommit": 1, "auto_increment_increment": 1, "read_only": 0,
        "super_read_only": 0, "max_allowed_packet": 67108864, "lower_case_table_names": 0,
        "character_set_client": "utf8mb4", "character_set_connection": "utf8mb4",
        "character_set_results": "utf8mb4", "character_set_server": "utf8mb4",
        "collation_server": "utf8mb4_0900_ai_ci", "collation_connection": "utf8mb4_0900_ai_ci",
        "init_connect": "", "interactive_timeout": 28800, "wait_timeout": 28800, "license": "GPL",
        "net_write_timeout": 60, "net_buffer_length": 16384, "performance_schema": 1,
        "query_cache_size": 0, "query_cache_type": "OFF", "system_time_zone": "UTC",
        "time_zone": "SYSTEM", "transaction_isolation": "REPEATABLE-READ",
        "tx_isolation": "REPEATABLE-READ", "transaction_read_only": 0, "max_connections": 151,
        "sql_mode": "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
                    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
        "socket": "/var/run/mysqld/mysqld.sock", "have_ssl": "DISABLED",
        "default_storage_engine": "InnoDB",
    }  # fmt: skip
    return {f"@@{name}": value for name, value in told.items()}
