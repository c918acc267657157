"""Connections to endpoints that are kept for the next request (upstream-keepalive-*)."""

import asyncio
from typing import Final

from cluster.runtime.emulated.ingressnginx.endpoints import Peer
from cluster.runtime.emulated.web.client import Conversation

MOST: Final = 320
"""Idle connections (upstream-keepalive-connections)."""
_IDLE: Final = 60.0
_REQUESTS: Final = 10_000


class Kept:
    """A pool. A key is an endpoint, and whether and as whom it is asked by TLS."""

    def __init__(self) -> None:
        self._idle: dict[tuple[Peer, str], list[tuple[Conversation, float]]] = {}
        self._count = 0
        self._served: dict[Conversation, int] = {}

    def take(self, key: tuple[Peer, str]) -> Conversation | None:
        """A connection that was kept: the one used last. Whether it is still good shows in use."""
        found = self._idle.get(key)
        now = asyncio.get_running_loop().time()
        while found:
            talk, until = found.pop()
            self._count -= 1
            if not found:
                del self._idle[key]
            if now < until and not talk.stream.closed and not talk.stream.lost:
                return talk
            self._drop(talk)
        return None

    def keep(self, key: tuple[Peer, str], talk: Conversation) -> None:
        """Have a connection that is done with its request; it is closed where it cannot be kept."""
        served = self._served.get(talk, 0) + 1
        if served >= _REQUESTS or not talk.again():
            self._drop(talk)
            return
        if self._count >= MOST:
            self._forget_oldest()
        self._served[talk] = served
        until = asyncio.get_running_loop().time() + _IDLE
        self._idle.setdefault(key, []).append((talk, until))
        self._count += 1

    def _forget_oldest(self) -> None:
        key = next(iter(self._idle))
        talk, _ = self._idle[key].pop(0)
        if not self._idle[key]:
            del self._idle[key]
        self._count -= 1
        self._drop(talk)

    def drop(self, talk: Conversation) -> None:
        """Use a connection no more."""
        self._drop(talk)

    def _drop(self, talk: Conversation) -> None:
        self._served.pop(talk, None)
        talk.stream.close()
