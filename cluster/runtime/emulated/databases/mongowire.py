"""MongoDB's wire protocol as a server sees it: hello, ping, login; of data nothing. Sans-IO.

Source: MongoDB manual, "Wire Protocol", "Authentication".
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from cluster.runtime.emulated.databases import bson, scram

_REPLY, _QUERY, _MESSAGE = 1, 2004, 2013
_NO_ANSWER: Final = 2
NOT_EMULATED: Final = "kubemu keeps no documents: this server only accepts connections"
_MECHANISM: Final = "SCRAM-SHA-256"
_ROUNDS: Final = 15000
_FREE: Final = frozenset(
    ("hello", "ismaster", "ping", "buildinfo", "saslstart", "saslcontinue", "endsessions",
     "whatsmyuri", "logout", "getlasterror")
)  # fmt: skip
"""Commands that need no login."""

Document = dict[str, Any]


def failed(code: int, name: str, text: str) -> Document:
    """An answer that is an error."""
    return {"ok": 0.0, "errmsg": text, "code": code, "codeName": name}


class Session:
    """One client. `users` are of the database admin; without any nobody needs to log in."""

    def __init__(
        self, users: Mapping[str, str], version: str, nonce: Callable[[], str], number: int = 1
    ) -> None:
        self._users = users
        self._version = version
        self._nonce = nonce
        self._number = number
        self._scram: scram.Server | None = None
        self._known = not users
        self._skips = False
        """Whether the client spares the empty message at a login's end."""
        self.log: list[str] = []

    def answer(self, head: bytes, body: bytes, now: int) -> bytes:
        """What a request (its 16 bytes of head, and the rest) is answered at `now`, in
        milliseconds. ValueError for what is none.
        """
        _, number, _, operation = struct.unpack("<iiii", head)
        if operation == _QUERY:
            at = body.index(0, 4) + 1 + 8
            document = self._reply(bson.decode(body[at:]), now)
            rest = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(document)
            return struct.pack("<iiii", len(rest) + 16, 0, number, _REPLY) + rest
        if operation != _MESSAGE or len(body) < 10:
            raise ValueError("an operation that is not emulated")
        (flags,) = struct.unpack("<I", body[:4])
        if body[4] != 0:
            # Documents before the command (drivers may send them so) are not looked at.
            (size,) = struct.unpack_from("<i", body, 5)
            if size < 4 or body[5 + size : 6 + size] != b"\0":
                raise ValueError("a message without a command")
            body = body[:4] + body[5 + size :]
        document = self._reply(bson.decode(body[5:]), now)
        if flags & _NO_ANSWER:
            return b""
        rest = struct.pack("<IB", 0, 0) + bson.encode(document)
        return struct.pack("<iiii", len(rest) + 16, 0, number, _MESSAGE) + rest

    def _reply(self, asked: Document, now: int) -> Document:
        name = next(iter(asked), "")
        command = name.lower()
        if command not in _FREE and not self._known:
            return failed(13, "Unauthorized", f"Command {name[:60]} requires authentication")
        if command in ("hello", "ismaster"):
            return self._hello(asked, now)
        if command == "saslstart":
            return self._login(asked, str(asked.get("mechanism")))
        if command == "saslcontinue":
            return self._proved(asked)
        if command == "buildinfo":
            parts = [int(part) for part in self._version.split(".")]
            return {"version": self._version, "gitVersion": "emulated by kubemu", "modules": [],
                    "versionArray": [*parts, 0], "bits": 64, "maxBsonObjectSize": 16 << 20,
                    "ok": 1.0}  # fmt: skip
        if command in ("ping", "endsessions", "logout", "getlasterror"):
            return {"ok": 1.0}
        if command == "connectionstatus":
            return {"authInfo": {"authenticatedUsers": [], "authenticatedUserRoles": []},
                    "ok": 1.0}  # fmt: skip
        self.log.append(f"{NOT_EMULATED}: {name[:60]}")
        return failed(115, "CommandNotSupported", NOT_EMULATED)

    def _hello(self, asked: Document, now: int) -> Document:
        made: Document = {
            "isWritablePrimary": True, "ismaster": True, "helloOk": True,
            "maxBsonObjectSize": 16 << 20, "maxMessageSizeBytes": 48000000,
            "maxWriteBatchSize": 100000, "logicalSessionTimeoutMinutes": 30,
            "connectionId": self._number, "minWireVersion": 0, "maxWireVersion": 21,
            "readOnly": False,
        }  # fmt: skip
        if isinstance(asked.get("saslSupportedMechs"), str):
            made["saslSupportedMechs"] = [_MECHANISM]
        early = asked.get("speculativeAuthenticate")
        if isinstance(early, dict) and early.get("mechanism") == _MECHANISM:
            answer = self._login(early, _MECHANISM)
            if answer["ok"]:
                made["speculativeAuthenticate"] = answer
        return made | {"ok": 1.0}

    def _login(self, asked: Document, mechanism: str) -> Document:
        if mechanism != _MECHANISM:
            text = f"Unable to use {mechanism[:40]}: only {_MECHANISM} is emulated"
            return failed(334, "MechanismUnavailable", text)
        self._scram = scram.Server(self._nonce(), find=self._users.get, rounds=_ROUNDS)
        return self._step(asked, self._scram)

    def _proved(self, asked: Document) -> Document:
        if self._scram is None:
            return failed(17, "ProtocolError", "No SASL session state found")
        if self._scram.done:  # The empty message at the end, of who does not skip it.
            self._scram = None
            return {"conversationId": 1, "done": True, "payload": b"", "ok": 1.0}
        return self._step(asked, self._scram)

    def _step(self, asked: Document, server: scram.Server) -> Document:
        payload = asked.get("payload")
        answer = server.receive(payload) if isinstance(payload, bytes) else None
        if answer is None:
            self._scram = None
            self.log.append(f"Failed to authenticate: {server.user[:60]}")
            return failed(18, "AuthenticationFailed", "Authentication failed.")
        options = asked.get("options")
        skips = isinstance(options, dict) and options.get("skipEmptyExchange") is True
        self._skips = skips if options is not None else self._skips
        self._known = self._known or server.done
        done = server.done and self._skips
        return {"conversationId": 1, "done": done, "payload": answer, "ok": 1.0}
