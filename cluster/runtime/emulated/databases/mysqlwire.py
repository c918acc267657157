"""MySQL's client/server protocol as a server sees it: greeting, login, ping, simplest queries.

Sans-IO. Source: MySQL internals, "Client/Server Protocol".
"""

import hashlib
import hmac
import re
import struct
from collections.abc import Mapping
from typing import Final

_LONG_PASSWORD, _PROTOCOL_41, _SECURE, _PLUGIN, _WITH_DB = 1, 1 << 9, 1 << 15, 1 << 19, 1 << 3
_LENENC: Final = 1 << 21
_CAPABILITIES: Final = _LONG_PASSWORD | _PROTOCOL_41 | _SECURE | _PLUGIN | _WITH_DB | (1 << 13)
_NATIVE: Final = b"mysql_native_password"
MAX_PACKET: Final = 1 << 20
NOT_EMULATED: Final = "queries are not emulated: this server accepts connections and logins only"
_ONE: Final = re.compile(r"\s*select\s+(-?\d{1,9})\s*;?\s*", re.IGNORECASE)


def packet(number: int, body: bytes) -> bytes:
    """A packet."""
    return struct.pack("<I", len(body))[:3] + bytes([number & 0xFF]) + body


def error(number: int, code: int, state: str, text: str) -> bytes:
    """An ERR packet."""
    body = b"\xff" + struct.pack("<H", code) + b"#" + state.encode() + text.encode()
    return packet(number, body)


def okay(number: int) -> bytes:
    """An OK packet."""
    return packet(number, b"\0\0\0\2\0\0\0")


class Session:
    """One client. `closed`: it is to be hung up. `salt` has 20 bytes, none of them 0."""

    def __init__(self, users: Mapping[str, str], version: str, salt: bytes, host: str) -> None:
        self._users = users
        self._version = version
        self._salt = salt
        self._host = host
        self._number = 0
        self._state = "login"
        self._user = ""
        self.closed = False
        self.log: list[str] = []

    def greeting(self) -> bytes:
        """What is sent first."""
        low, high = _CAPABILITIES & 0xFFFF, _CAPABILITIES >> 16
        body = (
            b"\x0a" + self._version.encode() + b"\0" + struct.pack("<I", 1) + self._salt[:8] + b"\0"
            + struct.pack("<HBHHB", low, 0xFF, 2, high, 21) + bytes(10) + self._salt[8:] + b"\0"
            + _NATIVE + b"\0"
        )  # fmt: skip
        return packet(0, body)

    def receive(self, number: int, body: bytes) -> bytes:
        """A packet of the client's; what is answered."""
        self._number = number + 1
        try:
            if self._state == "login":
                return self._login(body)
            if self._state == "switched":
                return self._judged(body)
        except (IndexError, ValueError, struct.error):
            self.closed = True
            return error(self._number, 1043, "08S01", "Bad handshake")
        return self._command(body)

    def _login(self, body: bytes) -> bytes:
        (flags,) = struct.unpack("<I", body[:4])
        at = 32
        end = body.index(0, at)
        self._user = body[at:end].decode(errors="replace")
        at = end + 1
        size = body[at]
        if size == 1 and not flags & (_SECURE | _LENENC):
            raise ValueError("an old client")
        proof = body[at + 1 : at + 1 + size]
        rest = body[at + 1 + size :]
        if flags & _WITH_DB:
            rest = rest[rest.index(0) + 1 :]
        plugin = rest.split(b"\0")[0] if flags & _PLUGIN else _NATIVE
        if plugin != _NATIVE:
            self._state = "switched"
            return packet(self._number, b"\xfe" + _NATIVE + b"\0" + self._salt + b"\0")
        return self._judged(proof)

    def _judged(self, proof: bytes) -> bytes:
        password = self._users.get(self._user)
        right = password is not None and hmac.compare_digest(proof, scrambled(password, self._salt))
        if right:
            self._state = "commands"
            return okay(self._number)
        self.closed = True
        using = "YES" if proof else "NO"
        text = f"Access denied for user '{self._user}'@'{self._host}' (using password: {using})"
        self.log.append(f"[Note] [MY-010926] [Server] {text}")
        return error(self._number, 1045, "28000", text)

    def _command(self, body: bytes) -> bytes:
        kind, rest = body[:1], body[1:].decode(errors="replace")
        if kind == b"\x01":
            self.closed = True
            return b""
        if kind in (b"\x0e", b"\x02", b"\x1f"):
            return okay(self._number)
        if kind == b"\x03":
            return self._query(rest)
        return error(self._number, 1047, "08S01", "Unknown command")

    def _query(self, text: str) -> bytes:
        found = _ONE.fullmatch(text)
        if found is not None:
            return self._row(found[1], found[1])
        lower = text.strip().rstrip(";").lower()
        if lower in ("select version()", "select @@version"):
            return self._row(lower[7:], self._version)
        if lower.startswith("select @@version_comment"):
            return self._row("@@version_comment", "emulated by kubemu")
        if re.match(r"(set|begin|start|commit|rollback|use)\b", lower):
            return okay(self._number)
        self.log.append(f"[Warning] [Server] {NOT_EMULATED}: {text[:1000]}")
        return error(self._number, 1235, "42000", NOT_EMULATED)

    def _row(self, name: str, value: str) -> bytes:
        column = b"\3def\0\0\0" + _sized(name.encode()) + b"\0" + b"\x0c\x21\0"
        column += struct.pack("<IBHB", 255, 0xFD, 0, 0) + bytes(2)
        end = b"\xfe\0\0\2\0"
        bodies = (b"\1", column, end, _sized(value.encode()), end)
        return b"".join(packet(self._number + at, body) for at, body in enumerate(bodies))


def _sized(data: bytes) -> bytes:
    return bytes([len(data)]) + data[:250]


def scrambled(password: str, salt: bytes) -> bytes:
    """What mysql_native_password sends for a password."""
    if not password:
        return b""
    once = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    twice = hashlib.sha1(once, usedforsecurity=False).digest()
    mask = hashlib.sha1(salt + twice, usedforsecurity=False).digest()
    return bytes(one ^ other for one, other in zip(once, mask, strict=True))


def answer_of(user: str, password: str, salt: bytes) -> bytes:
    """A client's answer to the greeting, as a packet's body."""
    proof = scrambled(password, salt)
    flags = _LONG_PASSWORD | _PROTOCOL_41 | _SECURE | _PLUGIN
    return (
        struct.pack("<IIB", flags, MAX_PACKET, 33) + bytes(23) + user.encode() + b"\0"
        + bytes([len(proof)]) + proof + _NATIVE + b"\0"
    )  # fmt: skip


def salt_of(greeting: bytes) -> bytes:
    """The salt in a greeting's body. ValueError, IndexError."""
    at = greeting.index(0) + 5
    return greeting[at : at + 8] + greeting[at + 27 : at + 39]
