"""SCRAM-SHA-256, a server's and a client's side of it. Source: RFC 5802 and 7677.

`Server.receive` takes the bare SASL messages. Salt and nonce are made of what the caller gives.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Final

_ROUNDS: Final = 4096
"""Of PostgreSQL (scram_iterations); MongoDB takes more."""


class Server:
    """The server's side. Nobody's password (None) is never right. Where the client says in its
    first message who it is, `find` gives the password.
    """

    def __init__(
        self, nonce: str, password: str | None = None,
        find: Callable[[str], str | None] | None = None, *, rounds: int = _ROUNDS,
    ) -> None:  # fmt: skip
        self.done = False
        self.user = ""
        """Whom the client says to be."""
        self._find = find
        self._rounds = rounds
        self._password = password
        self._nonce = nonce
        self._first = ""
        self._challenge = ""

    def receive(self, body: bytes) -> bytes | None:
        """A message of the client's; the answer, or None where it is not right."""
        text = body.decode(errors="replace")
        return self._begin(text) if not self._first else self._prove(text)

    def _begin(self, text: str) -> bytes | None:
        bare = re.match(
            r"[ny],[^,]{0,256},(n=([^,]{0,256}),r=([\x21-\x2b\x2d-\x7e]{1,256}).*)", text, re.DOTALL
        )
        if bare is None:
            return None
        self._first, self.user = bare[1], bare[2].replace("=2C", ",").replace("=3D", "=")
        if self._find is not None:
            self._password = self._find(self.user)
        salt = base64.b64encode(hashlib.sha256(self._nonce.encode()).digest()[:16]).decode()
        self._nonce = bare[3] + self._nonce
        self._challenge = f"r={self._nonce},s={salt},i={self._rounds}"
        return self._challenge.encode()

    def _prove(self, text: str) -> bytes | None:
        found = re.fullmatch(r"(c=[A-Za-z0-9+/=]*,r=([^,]*)),p=([A-Za-z0-9+/=]{1,100})", text)
        if found is None or found[2] != self._nonce or self._password is None:
            return None
        salt = base64.b64decode(self._challenge.split(",s=")[1].split(",i=")[0])
        salted = hashlib.pbkdf2_hmac("sha256", self._password.encode(), salt, self._rounds)
        client = _hash(salted, b"Client Key")
        said = f"{self._first},{self._challenge},{found[1]}".encode()
        signature = _hash(hashlib.sha256(client).digest(), said)
        try:
            proof = base64.b64decode(found[3])
        except ValueError:
            return None
        right = bytes(one ^ other for one, other in zip(client, signature, strict=True))
        if not hmac.compare_digest(right, proof):
            return None
        self.done = True
        return b"v=" + base64.b64encode(_hash(_hash(salted, b"Server Key"), said))


def _hash(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


class Prover:
    """The client's side."""

    def __init__(self, password: str, nonce: str, user: str = "") -> None:
        self._password = password
        self._first = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={nonce}"

    def first(self) -> bytes:
        """The first message."""
        return f"n,,{self._first}".encode()

    def final(self, challenge: bytes) -> bytes:
        """The second. ValueError for what is no challenge."""
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
