"""Pings of pods to machines beyond the cluster, by an ICMP socket of this machine.

Linux gives such sockets to those in `net.ipv4.ping_group_range`, and raw ones to root. Where there
is neither, pings beyond the cluster are not answered.
"""

import asyncio
import os
import socket
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import structlog

from cluster.network.wire import icmp

KEPT_SECONDS: Final = 10.0
MOST: Final = 1024
"""Pings that are under way."""

Answer = Callable[[bytes], None]
"""Takes the data of the answer: what follows the eight bytes of ICMP's header."""


class Pings:
    """One socket, for all. It is opened with the first ping."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._raw = False
        self._closed = False
        self._next = 0
        self._waiting: OrderedDict[int, tuple[float, str, Answer]] = OrderedDict()

    def send(self, address: str, data: bytes, answer: Answer) -> None:
        """Ping; `answer` is called with what comes back, or never."""
        sock = self._opened()
        if sock is None:
            return
        self._expire()
        if len(self._waiting) >= MOST:
            return
        self._next = number = (self._next + 1) & 0xFFFF
        self._waiting[number] = (self._loop.time(), address, answer)
        message = icmp.build(icmp.ECHO_REQUEST, 0, os.getpid() << 16 & 0xFFFF0000 | number, data)
        try:
            sock.sendto(message, (address, 0))
        except OSError:
            del self._waiting[number]

    def close(self) -> None:
        """No more answers."""
        self._closed = True
        self._waiting.clear()
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _opened(self) -> socket.socket | None:
        if self._socket is not None or self._closed:
            return self._socket
        for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
            try:
                sock = socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP)
            except OSError:
                continue
            sock.setblocking(False)
            self._socket, self._raw = sock, kind == socket.SOCK_RAW
            self._loop.add_reader(sock, self._readable)
            return sock
        self._closed = True
        structlog.get_logger().info("this machine lets us send no pings: pods' are not answered")
        return None

    def _readable(self) -> None:
        sock = self._socket
        for _ in range(64):
            try:
                data, (address, _port) = sock.recvfrom(65536) if sock else (b"", ("", 0))
            except OSError:
                return
            self._came(data, address)

    def _came(self, data: bytes, address: str) -> None:
        if self._raw or (data[:1] and data[0] >> 4 == 4):
            data = data[(data[0] & 15) * 4 :] if data else data  # macOS keeps the IP header, too.
        message = icmp.parse(data)
        if message is None or message.type != icmp.ECHO_REPLY:
            return
        if self._raw and message.identifier != os.getpid() & 0xFFFF:
            return
        found = self._waiting.get(message.sequence)
        if found is not None and found[1] == address:
            del self._waiting[message.sequence]
            found[2](message.payload)

    def _expire(self) -> None:
        oldest = self._loop.time() - KEPT_SECONDS
        while self._waiting and next(iter(self._waiting.values()))[0] < oldest:
            self._waiting.popitem(last=False)
