"""Pings: echo requests of ours that wait for their answers (RFC 792)."""

import errno
from collections.abc import Callable
from typing import Final, NamedTuple

from cluster.network.stack.endhost.ports import error
from cluster.network.wire import icmp, ipv4

MOST: Final = 1024


class Answer(NamedTuple):
    """What came back to an echo request."""

    source: int
    """Who answered: the target, or the hop that sent an error."""
    type: int
    """ICMP's: ECHO_REPLY, UNREACHABLE, TIME_EXCEEDED."""
    code: int
    seconds: float
    ttl: int
    """That the answer had left."""
    size: int
    """Bytes of the ICMP message."""


class Echo:
    """A request that waits. `cancel` it when it has waited long enough."""

    __slots__ = ("_echoes", "answered", "identifier", "sent")

    def __init__(
        self, echoes: "Echoes", identifier: int, sent: float, answered: Callable[[Answer], None]
    ) -> None:
        self._echoes = echoes
        self.identifier = identifier
        self.sent = sent
        self.answered = answered

    def cancel(self) -> None:
        """Wait no more."""
        self._echoes.remove(self)


class Echoes:
    """Requests by identifier: each has one of its own."""

    def __init__(self, first: int) -> None:
        self._waiting: dict[int, Echo] = {}
        self._next = first & 0xFFFF

    def make(self, now: float, answered: Callable[[Answer], None]) -> Echo:
        """A new request. OSError ENOBUFS where too many wait."""
        if len(self._waiting) >= MOST:
            raise error(errno.ENOBUFS)
        while self._next in self._waiting:
            self._next = (self._next + 1) & 0xFFFF
        made = self._waiting[self._next] = Echo(self, self._next, now, answered)
        self._next = (self._next + 1) & 0xFFFF
        return made

    def remove(self, echo: Echo) -> None:
        """It waits no more."""
        if self._waiting.get(echo.identifier) is echo:
            del self._waiting[echo.identifier]

    def answer(
        self, now: float, identifier: int, message: icmp.Message, header: ipv4.Header
    ) -> None:
        """A message came back to a request; those of nobody are passed over."""
        echo = self._waiting.pop(identifier, None)
        if echo is not None:
            size = header.end - header.payload
            seconds = now - echo.sent
            echo.answered(
                Answer(header.source, message.type, message.code, seconds, header.ttl, size)
            )
