"""PostgreSQL's protocol 3.0 as a server sees it: start, SCRAM-SHA-256, the simplest queries.

Sans-IO: messages in, bytes out. Source: PostgreSQL documentation, chapter "Frontend/Backend
Protocol"; RFC 5802 and 7677.
"""

import base64
import hashlib
import hmac
import re
import struct
from collections.abc import Callable, Mapping
from typing import Final

SSL, GSS, CANCEL, VERSION = 80877103, 80877104, 80877102, 196608
_ROUNDS: Final = 4096
_ONE: Final = re.compile(r"\s*select\s+(-?\d{1,9})(?:\s+as\s+(\w+))?\s*;?\s*", re.IGNORECASE)
NOT_EMULATED: Final = "queries are not emulated: this server accepts connections and logins only"


def message(kind: bytes, body: bytes = b"") -> bytes:
    """A message of the server's."""
    return kind + struct.pack(">I", len(body) + 4) + body


def error(severity: str, code: str, text: str) -> bytes:
    """An ErrorResponse."""
    fields = f"S{severity}\0V{severity}\0C{code}\0M{text}\0\0"
    return message(b"E", fields.encode())


def ready() -> bytes:
    """ReadyForQuery, idle."""
    return message(b"Z", b"I")


class Session:
    """One client. `closed`: it is to be hung up. `nonce` gives random text."""

    def __init__(
        self, users: Mapping[str, str], version: str, nonce: Callable[[], str], *, trust: bool,
        databases: Mapping[str, None],
    ) -> None:  # fmt: skip
        self._users = users
        self._version = version
        self._nonce = nonce
        self._trust = trust
        self._databases = databases
        self._scram: _Scram | None = None
        self.user = ""
        self.database = ""
        self.closed = False
        self.log: list[str] = []
        self.started = False

    def start(self, code: int, body: bytes) -> bytes:
        """The first message: its code, and what follows."""
        if code in (SSL, GSS):
            return b"N"
        if code == CANCEL or code >> 16 != 3:
            self.closed = True
            return b"" if code == CANCEL else self._fatal("0A000", "unsupported frontend protocol")
        words = body.split(b"\0")
        told = dict(zip(words[::2], words[1::2], strict=False))
        self.user = told.get(b"user", b"").decode(errors="replace")
        self.database = told.get(b"database", b"").decode(errors="replace") or self.user
        self.started = True
        if not self.user:
            return self._fatal("28000", "no PostgreSQL user name specified in startup packet")
        if self._trust:
            return self._welcome() if self.user in self._users else self._no_role()
        self._scram = _Scram(self._users.get(self.user), self._nonce())
        return message(b"R", struct.pack(">I", 10) + b"SCRAM-SHA-256\0\0")

    def receive(self, kind: bytes, body: bytes) -> bytes:
        """Another message."""
        if kind == b"X":
            self.closed = True
            return b""
        if self._scram is not None:
            return self._login(kind, body)
        if kind == b"Q":
            return self._query(body.rstrip(b"\0").decode(errors="replace")) + ready()
        if kind == b"S":
            return ready()
        if kind in b"PBDECFd":
            return error("ERROR", "0A000", NOT_EMULATED) if kind == b"P" else b""
        return self._fatal("08P01", f"invalid frontend message type {kind[0]}")

    def _login(self, kind: bytes, body: bytes) -> bytes:
        scram = self._scram
        if kind != b"p" or scram is None:
            return self._fatal("08P01", f"expected password response, got message type {kind[0]}")
        answer = scram.receive(body)
        if answer is None:
            text = f'password authentication failed for user "{self.user}"'
            return self._fatal("28P01", text)
        if not scram.done:
            return message(b"R", struct.pack(">I", 11) + answer)
        self._scram = None
        return message(b"R", struct.pack(">I", 12) + answer) + self._welcome()

    def _welcome(self) -> bytes:
        if self.database not in self._databases:
            return self._fatal("3D000", f'database "{self.database}" does not exist')
        told = {"server_version": self._version, "server_encoding": "UTF8",
                "client_encoding": "UTF8", "DateStyle": "ISO, MDY", "TimeZone": "UTC",
                "integer_datetimes": "on", "standard_conforming_strings": "on"}  # fmt: skip
        made = message(b"R", struct.pack(">I", 0))
        for name, value in told.items():
            made += message(b"S", f"{name}\0{value}\0".encode())
        return made + message(b"K", struct.pack(">II", 1, 1)) + ready()

    def _query(self, text: str) -> bytes:
        if not text.strip(" ;\n\t"):
            return message(b"I")
        found = _ONE.fullmatch(text)
        if found is not None:
            return _row(found[2] or "?column?", found[1], 23)
        if re.fullmatch(r"\s*select\s+version\(\)\s*;?\s*", text, re.IGNORECASE):
            return _row("version", f"PostgreSQL {self._version} (emulated by kubemu)", 25)
        first = re.match(r"\s*(\w*)", text)
        if first is not None and first[1].lower() in ("set", "begin", "commit", "rollback"):
            return message(b"C", first[1].upper().encode() + b"\0")
        self.log += [f"ERROR:  {NOT_EMULATED}", f"STATEMENT:  {text[:1000]}"]
        return error("ERROR", "0A000", NOT_EMULATED)

    def _no_role(self) -> bytes:
        return self._fatal("28000", f'role "{self.user}" does not exist')

    def _fatal(self, code: str, text: str) -> bytes:
        self.closed = True
        self.log.append(f"FATAL:  {text}")
        return error("FATAL", code, text)


def _row(name: str, value: str, kind: int) -> bytes:
    field = name.encode() + b"\0" + struct.pack(">IHIhih", 0, 0, kind, -1, -1, 0)
    data = value.encode()
    return (
        message(b"T", struct.pack(">H", 1) + field)
        + message(b"D", struct.pack(">HI", 1, len(data)) + data)
        + message(b"C", b"SELECT 1\0")
    )


class _Scram:
    """The server's side of SCRAM-SHA-256. Nobody's password is never right."""

    def __init__(self, password: str | None, nonce: str) -> None:
        self.done = False
        self._password = password
        self._nonce = nonce
        self._first = ""
        self._challenge = ""

    def receive(self, body: bytes) -> bytes | None:
        """A message of the client's; the answer, or None where it is not right."""
        text = body.decode(errors="replace")
        return self._begin(text) if not self._first else self._prove(text)

    def _begin(self, text: str) -> bytes | None:
        mechanism, _, rest = text.partition("\0")
        at = rest.find("n,")
        bare = re.search(r"(n=[^,]*,r=([\x21-\x2b\x2d-\x7e]{1,256}).*)", rest, re.DOTALL)
        if mechanism != "SCRAM-SHA-256" or bare is None or at < 0:
            return None
        self._first = bare[1]
        salt = base64.b64encode(hashlib.sha256(self._nonce.encode()).digest()[:16]).decode()
        self._nonce = bare[2] + self._nonce
        self._challenge = f"r={self._nonce},s={salt},i={_ROUNDS}"
        return self._challenge.encode()

    def _prove(self, text: str) -> bytes | None:
        found = re.fullmatch(r"(c=[A-Za-z0-9+/=]*,r=([^,]*)),p=([A-Za-z0-9+/=]{1,100})", text)
        if found is None or found[2] != self._nonce or self._password is None:
            return None
        salt = base64.b64decode(self._challenge.split(",s=")[1].split(",i=")[0])
        salted = hashlib.pbkdf2_hmac("sha256", self._password.encode(), salt, _ROUNDS)
        client = _hash(salted, b"Client Key")
        said = f"{self._first},{self._challenge},{found[1]}".encode()
        signature = _hash(hashlib.sha256(client).digest(), said)
        try:
            proof = base64.b64decode(found[3])
        except ValueError:
            return None
        if not hmac.compare_digest(
            bytes(a ^ b for a, b in zip(client, signature, strict=True)), proof
        ):
            return None
        self.done = True
        return b"v=" + base64.b64encode(_hash(_hash(salted, b"Server Key"), said))


def _hash(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


class Prover:
    """The client's side of SCRAM-SHA-256."""

    def __init__(self, password: str, nonce: str) -> None:
        self._password = password
        self._first = f"n=,r={nonce}"

    def first(self) -> bytes:
        """The body of the first answer (SASLInitialResponse)."""
        said = f"n,,{self._first}".encode()
        return b"SCRAM-SHA-256\0" + struct.pack(">I", len(said)) + said

    def final(self, challenge: bytes) -> bytes:
        """The body of the second. ValueError for what is no challenge."""
        text = challenge.decode()
        found = re.fullmatch(r"r=([^,]+),s=([^,]+),i=(\d{1,6})", text)
        if found is None:
            raise ValueError("no SCRAM challenge")
        salt, rounds = base64.b64decode(found[2]), int(found[3])
        salted = hashlib.pbkdf2_hmac("sha256", self._password.encode(), salt, min(rounds, 100_000))
        client = _hash(salted, b"Client Key")
        bare = f"c=biws,r={found[1]}"
        signature = _hash(hashlib.sha256(client).digest(), f"{self._first},{text},{bare}".encode())
        proof = bytes(one ^ other for one, other in zip(client, signature, strict=True))
        return f"{bare},p={base64.b64encode(proof).decode()}".encode()
