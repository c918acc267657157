"""Signing claims: JSON Web Signatures in their compact form (RFC 7515)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from cluster.api.tokens.keys import SigningKey, encoded

_encode = msgspec.json.Encoder().encode


class Signer:
    """Signs with one key."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self._head = _part({"alg": key.public.algorithm, "kid": key.public.id})

    def sign(self, payload: Mapping[str, Any]) -> str:
        """A token that says `payload`."""
        message = self._head + b"." + _part(payload)
        return f"{message.decode()}.{encoded(self._key.sign(message))}"


def _part(document: Mapping[str, Any]) -> bytes:
    return encoded(_encode(document)).encode()
