"""MySQL's client/server protocol as a server sees it: greeting, login, and then `mysqlanswers`.

Sans-IO. Source: MySQL Server documentation, "Client/Server Protocol"; the login is by the plugins
caching_sha2_password (MySQL from 8 on: its fast way, for the server knows the password) and
mysql_native_password.
"""

import hashlib
import hmac
import struct
from collections.abc import Callable, Mapping
from typing import Final

from cluster.runtime.emulated.databases.mysqlanswers import Answers, error, okay, packet

_LONG_PASSWORD, _WITH_DB, _PROTOCOL_41, _TRANSACTIONS = 1, 1 << 3, 1 << 9, 1 << 13
_SECURE, _PLUGIN, _LENENC = 1 << 15, 1 << 19, 1 << 21
_CAPABILITIES: Final = _LONG_PASSWORD | _PROTOCOL_41 | _SECURE | _PLUGIN | _WITH_DB | _TRANSACTIONS
NATIVE, CACHING = b"mysql_native_password", b"caching_sha2_password"
_BAD: Final = (IndexError, ValueError, struct.error)


class Session:
    """One client. `closed`: it is to be hung up. `salt` has 20 bytes, none of them 0."""

    def __init__(
        self, users: Mapping[str, str], salt: bytes, plugin: bytes,
        answers: Callable[[str, str], Answers], *, host: str, version: str, number: int = 1,
    ) -> None:  # fmt: skip
        self._users = users
        self._version = version
        self._salt = salt
        self._host = host
        self._plugin = plugin
        self._connection = number
        self._number = 0
        self._switched = False
        self._make = answers
        self._answers: Answers | None = None
        self._user = self._database = ""
        self.closed = False
        self.log: list[str] = []
        self.denied: list[str] = []
        """Why the client was not let in."""

    def greeting(self) -> bytes:
        """What is sent first."""
        low, high = _CAPABILITIES & 0xFFFF, _CAPABILITIES >> 16
        body = (
            b"\x0a" + self._version.encode() + b"\0" + struct.pack("<I", self._connection)
            + self._salt[:8] + b"\0" + struct.pack("<HBHHB", low, 0xFF, 2, high, 21) + bytes(10)
            + self._salt[8:] + b"\0" + self._plugin + b"\0"
        )  # fmt: skip
        return packet(0, body)

    def receive(self, number: int, body: bytes) -> bytes:
        """A packet of the client's; what is answered."""
        self._number = number + 1
        if self._answers is None:
            try:
                return self._judged(body) if self._switched else self._login(body)
            except _BAD:
                return self._fatal(1043, "08S01", "Bad handshake")
        if body[:1] == b"\x01":
            self.closed = True
            return b""
        answer = self._answers.command(self._number, body)
        self.log += self._answers.log
        self._answers.log.clear()
        return answer

    def _login(self, body: bytes) -> bytes:
        (flags,) = struct.unpack("<I", body[:4])
        end = body.index(0, 32)
        self._user = body[32:end].decode(errors="replace")
        size = body[end + 1]
        proof = body[end + 2 : end + 2 + size]
        rest = body[end + 2 + size :]
        if flags & _WITH_DB:
            name, _, rest = rest.partition(b"\0")
            self._database = name.decode(errors="replace")
        plugin = rest.split(b"\0")[0] if flags & _PLUGIN else NATIVE
        if plugin != self._plugin:
            self._switched = True
            return packet(self._number, b"\xfe" + self._plugin + b"\0" + self._salt + b"\0")
        return self._judged(proof)

    def _judged(self, proof: bytes) -> bytes:
        password = self._users.get(self._user)
        proof = proof.rstrip(b"\0") if len(proof) == 1 else proof
        wanted = scrambled(password or "", self._salt, self._plugin)
        if password is None or not hmac.compare_digest(proof, wanted):
            using = "YES" if proof else "NO"
            text = f"Access denied for user '{self._user}'@'{self._host}' (using password: {using})"
            return self._fatal(1045, "28000", text)
        answers = self._make(self._user, self._host)
        if self._database and not answers.use(self._database):
            return self._fatal(1049, "42000", f"Unknown database '{self._database[:64]}'")
        self._answers = answers
        if proof and self._plugin == CACHING:
            return packet(self._number, b"\x01\x03") + okay(self._number + 1)
        return okay(self._number)

    def _fatal(self, code: int, state: str, text: str) -> bytes:
        self.closed = True
        self.denied.append(text)
        return error(self._number, code, state, text)


def scrambled(password: str, salt: bytes, plugin: bytes = NATIVE) -> bytes:
    """What a client sends to prove that it knows a password."""
    if not password:
        return b""
    if plugin == CACHING:
        once = hashlib.sha256(password.encode()).digest()
        twice = hashlib.sha256(once).digest()
        mask = hashlib.sha256(twice + salt).digest()
    else:
        once = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
        twice = hashlib.sha1(once, usedforsecurity=False).digest()
        mask = hashlib.sha1(salt + twice, usedforsecurity=False).digest()
    return bytes(one ^ other for one, other in zip(once, mask, strict=True))


# ---- a client's side ---------------------------------------------------------------------------


def login(user: str, password: str, database: str, greeting: bytes) -> bytes:
    """A client's answer to the greeting (the bodies of packets). IndexError, ValueError."""
    at = greeting.index(0) + 5
    salt = greeting[at : at + 8] + greeting[at + 27 : at + 39]
    plugin = greeting[at + 40 :].split(b"\0")[0]
    proof = scrambled(password, salt, plugin)
    flags = _LONG_PASSWORD | _PROTOCOL_41 | _SECURE | _PLUGIN | (_WITH_DB if database else 0)
    name = database.encode() + b"\0" if database else b""
    return (
        struct.pack("<IIB", flags, 1 << 20, 33) + bytes(23) + user.encode() + b"\0"
        + bytes([len(proof)]) + proof + name + plugin + b"\0"
    )  # fmt: skip


def switched(password: str, body: bytes) -> bytes:
    """A client's answer to a request to use another plugin."""
    plugin, _, rest = body[1:].partition(b"\0")
    return scrambled(password, rest[:20], plugin)
