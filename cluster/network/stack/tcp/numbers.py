"""Initial sequence numbers and clocks of a stack's connections (RFC 6528, RFC 7323, 5.4)."""

import hashlib
import random
from typing import Final

from cluster.network.stack.tcp.segment import MASK

_TICKS: Final = 250_000
"""Sequence numbers a second: the clock of RFC 9293, 3.4.1."""


class Numbers:
    """What connections begin with: to others unforeseeable, between the same ends ever growing, so
    that a new connection is known from an old one's remains.
    """

    def __init__(self, generator: random.Random) -> None:
        self._secret = generator.randbytes(16)
        self.clock = generator.getrandbits(32)
        """What the timestamps of all connections count from."""

    def start(self, now: float, name: bytes) -> int:
        """The initial sequence number of a connection; `name` says between which ends."""
        digest = hashlib.blake2s(name, digest_size=4, key=self._secret).digest()
        return (int.from_bytes(digest, "big") + int(now * _TICKS)) & MASK
