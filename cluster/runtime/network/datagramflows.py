"""Datagrams of pods to machines beyond the cluster: a real socket for each pair of ends, for as
long as either side uses it.
"""

import asyncio
import contextlib
import socket
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from cluster.network.stack.endpoint import Endpoint

IDLE_SECONDS: Final = 120.0
"""nf_conntrack_udp_timeout_stream."""
MOST: Final = 512
_AT_ONCE: Final = 64
"""Datagrams that are read before others have their turn."""

Answered = Callable[[bytes, Endpoint, Endpoint], None]
"""Takes a datagram that came back: data, from, to."""
Real = Callable[[int], str | None]
"""Where an address is really reached; None where nothing may go there."""


class Flows:
    """All of them, those first that were silent the longest."""

    def __init__(self, answered: Answered, real: Real) -> None:
        self._answered = answered
        self._real = real
        self._loop = asyncio.get_running_loop()
        self._flows: OrderedDict[tuple[Endpoint, Endpoint], Flow] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._flows)

    def send(self, data: bytes, source: Endpoint, target: Endpoint) -> None:
        """Send a datagram; it may be lost. Where nothing listens at the target, whoever sends next
        is not told: there is no packet of his left to quote.
        """
        flow = self._flows.get((source, target)) or self._open(source, target)
        if flow is not None:
            self.used(flow)
            flow.send(data)

    def used(self, flow: "Flow") -> None:
        """Something goes through it."""
        flow.used = self._loop.time()
        self._flows.move_to_end((flow.source, flow.target))

    def close(self) -> None:
        """End all."""
        if self._timer is not None:
            self._timer.cancel()
        while self._flows:
            self._flows.popitem()[1].close()

    def _open(self, source: Endpoint, target: Endpoint) -> "Flow | None":
        where = self._real(target.address)
        if where is None:
            return None
        if len(self._flows) >= MOST:
            self._flows.popitem(last=False)[1].close()
        try:
            flow = Flow(self, source, target, where)
        except OSError:
            return None
        self._flows[source, target] = flow
        if self._timer is None:
            self._timer = self._loop.call_later(IDLE_SECONDS, self._expire)
        return flow

    def came(self, flow: "Flow", data: bytes) -> None:
        """Something came back."""
        self.used(flow)
        self._answered(data, flow.target, flow.source)

    def _expire(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._flows:
            flow = next(iter(self._flows.values()))
            if flow.used + IDLE_SECONDS > now:
                again = flow.used + IDLE_SECONDS - now
                self._timer = self._loop.call_later(again, self._expire)
                return
            self.gone(flow)

    def gone(self, flow: "Flow") -> None:
        """It is used no more."""
        if self._flows.get((flow.source, flow.target)) is flow:
            del self._flows[flow.source, flow.target]
        flow.close()


class Flow:
    """One socket. OSError where it cannot be made."""

    __slots__ = ("_flows", "_loop", "_socket", "source", "target", "used")

    def __init__(self, flows: Flows, source: Endpoint, target: Endpoint, where: str) -> None:
        self._flows = flows
        self._loop = asyncio.get_running_loop()
        self.source = source
        self.target = target
        self.used = 0.0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.connect((where, target.port))
        except OSError:
            self._socket.close()
            raise
        self._loop.add_reader(self._socket, self._readable)

    def send(self, data: bytes) -> None:
        """Send one; it is lost where the machine takes none."""
        with contextlib.suppress(OSError):
            self._socket.send(data)

    def _readable(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                data = self._socket.recv(65536)
            except OSError:  # None is left; or nobody listens there, which recv tells once.
                return
            self._flows.came(self, data)

    def close(self) -> None:
        """Use it no more."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()
