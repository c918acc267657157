"""PostgreSQL's protocol 3.0 as a server sees it: start, login, and then `pganswers`.

Sans-IO: messages in, bytes out. Source: PostgreSQL documentation, chapter "Frontend/Backend
Protocol".
"""

import struct
from collections.abc import Callable, Mapping
from typing import Final

from cluster.runtime.emulated.databases import scram
from cluster.runtime.emulated.databases.pganswers import Answers, error, message
from cluster.runtime.emulated.databases.statements import Value

SSL, GSS, CANCEL, VERSION = 80877103, 80877104, 80877102, 196608
_MECHANISM: Final = b"SCRAM-SHA-256"


class Session:
    """One client. `closed`: it is to be hung up. `nonce` gives random text."""

    def __init__(
        self, users: Mapping[str, str], version: str, nonce: Callable[[], str], *, trust: bool,
        databases: Mapping[str, None], number: int = 1,
    ) -> None:  # fmt: skip
        self._users = users
        self._version = version
        self._nonce = nonce
        self._trust = trust
        self._databases = databases
        self._number = number
        self._scram: scram.Server | None = None
        self._answers: Answers | None = None
        self.user = ""
        self.database = ""
        self.closed = False
        self.log: list[str] = []
        self.started = False

    def start(self, code: int, body: bytes) -> bytes:
        """The first message: its code, and what follows."""
        if code in (SSL, GSS):
            return b"N"
        if code == CANCEL:
            self.closed = True
            return b""
        if code >> 16 != 3:
            asked = f"{code >> 16}.{code & 0xFFFF}"
            text = f"unsupported frontend protocol {asked}: server supports 3.0 to 3.0"
            return self._fatal("0A000", text)
        words = body.split(b"\0")
        told = dict(zip(words[::2], words[1::2], strict=False))
        self.user = told.get(b"user", b"").decode(errors="replace")
        self.database = told.get(b"database", b"").decode(errors="replace") or self.user
        self.started = True
        if not self.user:
            return self._fatal("28000", "no PostgreSQL user name specified in startup packet")
        if self._trust:
            return self._negotiated(code, told) + self._welcome()
        self._scram = scram.Server(self._nonce(), self._users.get(self.user))
        asks = message(b"R", struct.pack(">I", 10) + _MECHANISM + b"\0\0")
        return self._negotiated(code, told) + asks

    @staticmethod
    def _negotiated(code: int, told: Mapping[bytes, bytes]) -> bytes:
        """NegotiateProtocolVersion, for a client that wants more than 3.0."""
        options = [name for name in told if name.startswith(b"_pq_.")]
        if code == VERSION and not options:
            return b""
        body = struct.pack(">II", VERSION, len(options))
        return message(b"v", body + b"".join(name + b"\0" for name in options))

    def receive(self, kind: bytes, body: bytes) -> bytes:
        """Another message."""
        if kind == b"X":
            self.closed = True
            return b""
        if self._scram is not None:
            return self._login(kind, body)
        if self._answers is None:
            return self._fatal("08P01", f"invalid frontend message type {kind[0]}")
        try:
            if kind == b"Q":
                return self._answers.simple(body.partition(b"\0")[0].decode(errors="replace"))
            if kind in b"PBDECSH":
                return self._answers.extended(kind, body)
        except (struct.error, ValueError, IndexError):
            return self._fatal("08P01", "invalid message format")
        if kind in b"dcf":  # What is left of a COPY that was refused.
            return b""
        return self._fatal("08P01", f"invalid frontend message type {kind[0]}")

    def _login(self, kind: bytes, body: bytes) -> bytes:
        server = self._scram
        if kind != b"p" or server is None:
            return self._fatal("08P01", f"expected password response, got message type {kind[0]}")
        if not server.user:
            # SASLInitialResponse: the mechanism, a length, the first message.
            mechanism, _, rest = body.partition(b"\0")
            answer = server.receive(rest[4:]) if mechanism == _MECHANISM else None
            server.user = server.user or "*"
        else:
            answer = server.receive(body)
        if answer is None:
            text = f'password authentication failed for user "{self.user}"'
            return self._fatal("28P01", text)
        if not server.done:
            return message(b"R", struct.pack(">I", 11) + answer)
        self._scram = None
        return message(b"R", struct.pack(">I", 12) + answer) + self._welcome()

    def _welcome(self) -> bytes:
        if self.user not in self._users:
            return self._fatal("28000", f'role "{self.user}" does not exist')
        if self.database not in self._databases:
            return self._fatal("3D000", f'database "{self.database}" does not exist')
        told = {"server_version": self._version, "server_encoding": "UTF8",
                "client_encoding": "UTF8", "DateStyle": "ISO, MDY", "TimeZone": "UTC",
                "integer_datetimes": "on", "standard_conforming_strings": "on",
                "in_hot_standby": "off", "is_superuser": "on",
                "session_authorization": self.user}  # fmt: skip
        made = message(b"R", struct.pack(">I", 0))
        for name, value in told.items():
            made += message(b"S", f"{name}\0{value}\0".encode(errors="replace"))
        settings = {name.lower(): value for name, value in told.items()} | {
            "transaction_isolation": "read committed", "transaction_read_only": "off",
            "max_connections": "100", "search_path": '"$user", public', "server_version_num":
            _numbered(self._version), "default_transaction_read_only": "off", "port": "5432",
            "listen_addresses": "*", "password_encryption": "scram-sha-256", "ssl": "off",
        }  # fmt: skip
        known: dict[str, Value] = {
            "version()": f"PostgreSQL {self._version} (emulated by kubemu), 64-bit",
            "current_user": self.user, "session_user": self.user, "user": self.user,
            "current_database()": self.database, "current_catalog": self.database,
            "current_schema()": "public", "current_schema": "public",
            "pg_is_in_recovery()": False, "pg_backend_pid()": self._number,
            "pg_advisory_unlock_all()": "",
        }  # fmt: skip
        self._answers = Answers(known, settings, self.log)
        return made + message(b"K", struct.pack(">II", self._number, 1)) + self._answers.ready()

    def _fatal(self, code: str, text: str) -> bytes:
        self.closed = True
        self.log.append(f"FATAL:  {text}")
        return error("FATAL", code, text)


def _numbered(version: str) -> str:
    major, *more = map(int, version.split("."))
    if major >= 10:
        return f"{major}{more[0]:04}"
    return f"{major}{more[0]:02}{more[1] if len(more) > 1 else 0:02}"
