"""The underlay as UDP: sockets that are drained, many datagrams a system call where Linux can.

`UDP_SEGMENT` sends a train at once, `UDP_GRO` receives one at once; both are probed at binding.
Where there is neither (macOS, old kernels) every datagram is a call. What does not fit into
a socket's buffer is lost, as on any wire, and counted.
"""

import asyncio
import errno
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from cluster.network.io import memory
from cluster.network.underlay import Address, AddressInUse, Endpoint, Receive, ReceiveTrain
from cluster.network.wire import trains
from cluster.network.wire.trains import Train

_UDP_SEGMENT = 103
_UDP_GRO = 104
_SO_RCVBUFFORCE = 33
_SO_SNDBUFFORCE = 32
_SO_MEMINFO = 55
_MEMINFO_DROPS = 8
_ANCILLARY = socket.CMSG_SPACE(4) if hasattr(socket, "CMSG_SPACE") else 0
_LARGEST = 65536
_KNOWN_SENDERS = 4096
_TURN = 128 << 10
"""Bytes that are read before others of the loop have their turn: what came first is acknowledged
while the rest is on its way. Both ends of a stream would wait for each other otherwise.
"""
_INT = struct.Struct("=i")


@dataclass(slots=True)
class Counters:
    """What went through one socket, in datagrams and bytes of payload."""

    received: int = 0
    received_bytes: int = 0
    sent: int = 0
    sent_bytes: int = 0
    send_full: int = 0
    """Datagrams lost because the socket's send buffer was full."""
    send_failed: int = 0
    """Datagrams that the machine would not send: no route, forbidden."""


class UdpUnderlay:
    """The machine's UDP. `buffer` bytes are asked for each socket's buffers.

    Without privilege Linux gives at most `net.core.rmem_max`. `budget` datagrams or trains are read
    before others of the loop have their turn, fewer where they are long. `segmentation=False` does
    without trains.
    """

    def __init__(
        self, *, buffer: int = 8 << 20, budget: int = 64, segmentation: bool = True
    ) -> None:
        self._buffer = buffer
        self._budget = budget
        self._segmentation = segmentation and sys.platform == "linux"

    async def bind(self, address: Address, receive: Receive) -> Endpoint:
        """See `Underlay.bind`."""

        def one_by_one(train: Train, sender: Address) -> None:
            for piece in train.pieces:
                receive(piece, sender)

        return await self.bind_trains(address, one_by_one)

    async def bind_trains(self, address: Address, receive: ReceiveTrain) -> "UdpEndpoint":
        """See `Underlay.bind_trains`."""
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            bound.setblocking(False)
            _enlarge(bound, self._buffer)
            memory.keep_for_long_frames()
            bound.bind(address)
        except OSError as error:
            bound.close()
            if error.errno == errno.EADDRINUSE:
                raise AddressInUse(f"{address.host}:{address.port} is in use") from error
            raise
        return UdpEndpoint(bound, receive, self._budget, segmentation=self._segmentation)


class UdpEndpoint:
    """One socket. See `underlay.Endpoint`."""

    def __init__(
        self, bound: socket.socket, receive: ReceiveTrain, budget: int, *, segmentation: bool
    ) -> None:
        self._socket = bound
        self._receive = receive
        self._budget = budget
        self._senders: dict[tuple[str, int], Address] = {}
        self._address = Address(*bound.getsockname()[:2])
        self.segments = segmentation and _allows(bound, _UDP_SEGMENT, 0)
        """Whether trains are sent at once."""
        self.coalesces = segmentation and _allows(bound, _UDP_GRO, 1)
        """Whether trains may be received at once."""
        # Read into memory that is there: fresh memory for the longest train costs more than a copy.
        self._buffer = bytearray(_LARGEST)
        self.counters = Counters()
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(bound, self._drain_trains if self.coalesces else self._drain)

    @property
    def address(self) -> Address:
        """See `underlay.Endpoint`."""
        return self._address

    @property
    def dropped(self) -> int:
        """Datagrams that came while the receive buffer was full, as the kernel counted them."""
        if self._closed or sys.platform != "linux":
            return 0
        try:
            raw = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36)
        except OSError:
            return 0
        words = struct.unpack(f"={len(raw) // 4}I", raw)
        return int(words[_MEMINFO_DROPS]) if len(words) > _MEMINFO_DROPS else 0

    def send(self, data: bytes, to: Address) -> None:
        """See `underlay.Endpoint`."""
        counters = self.counters
        try:
            self._socket.sendto(data, to)
        except OSError as error:
            self._failed(error, 1, len(data))
        else:
            counters.sent += 1
            counters.sent_bytes += len(data)

    def send_many(self, datagrams: Sequence[bytes | Train], to: Address) -> None:
        """See `underlay.Endpoint`."""
        if Train not in set(map(type, datagrams)):
            self._send_run(cast("Sequence[bytes]", datagrams), to)
            return
        run: list[bytes] = []
        for data in datagrams:
            if isinstance(data, Train):
                self._send_run(run, to)
                run = []
                self.send_train(data, to)
            else:
                run.append(data)
        self._send_run(run, to)

    def _send_run(self, run: Sequence[bytes], to: Address) -> None:
        if len(run) < 2 or not self.segments:
            for data in run:
                self.send(data, to)
            return
        for train in trains.couple(run):
            self.send_train(train, to)

    def send_train(self, train: Train, to: Address) -> None:
        """See `underlay.Endpoint`."""
        data, size = train
        if len(data) <= size:
            self.send(data, to)
            return
        if not self.segments:
            for piece in train.pieces:
                self.send(piece, to)
            return
        count = -(-len(data) // size)
        option = (socket.IPPROTO_UDP, _UDP_SEGMENT, struct.pack("=H", size))
        try:
            self._socket.sendmsg((data,), (option,), 0, to)
        except OSError as error:
            if error.errno in (errno.EIO, errno.EINVAL, errno.EMSGSIZE):
                # The way there cannot cut: no checksum offload (EIO), or pieces over its MTU.
                self.segments = error.errno != errno.EIO and self.segments
                for piece in train.pieces:
                    self.send(piece, to)
            else:
                self._failed(error, count, len(data))
        else:
            self.counters.sent += count
            self.counters.sent_bytes += len(data)

    def _failed(self, error: OSError, count: int, size: int) -> None:
        if error.errno == errno.EMSGSIZE:
            raise ValueError(f"{size} bytes do not fit into a datagram") from error
        if error.errno in (errno.EAGAIN, errno.ENOBUFS):
            self.counters.send_full += count
        else:
            self.counters.send_failed += count

    def close(self) -> None:
        """See `underlay.Endpoint`."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _sender(self, address: tuple[str, int]) -> Address:
        known = self._senders.get(address)
        if known is None:
            if len(self._senders) >= _KNOWN_SENDERS:
                self._senders.clear()
            known = self._senders[address] = Address(*address)
        return known

    def _drain(self) -> None:
        """Read one by one; what came from one sender goes on in trains, as if the kernel had
        joined it: long segments are then put together again at once.
        """
        take, buffer = self._socket.recvfrom_into, self._buffer
        counters, view = self.counters, memoryview(self._buffer)
        run: list[bytes] = []
        sender: tuple[str, int] | None = None
        for _ in range(self._budget):
            try:
                size, address = take(buffer)
            except OSError:
                break  # nothing more; or an error of an earlier datagram, told and gone
            counters.received += 1
            counters.received_bytes += size
            if address != sender:
                self._deliver(run, sender)
                run, sender = [], address
            run.append(bytes(view[:size]))
        self._deliver(run, sender)

    def _deliver(self, run: list[bytes], sender: tuple[str, int] | None) -> None:
        """Hand on what came from one sender, unless the socket was closed meanwhile."""
        if sender is None:
            return
        for train in trains.couple(run):
            if self._closed:
                return
            self._receive(train, self._sender(sender))

    def _drain_trains(self) -> None:
        receive, take, buffers = self._receive, self._socket.recvmsg_into, (self._buffer,)
        counters, view = self.counters, memoryview(self._buffer)
        most = counters.received_bytes + _TURN
        for _ in range(self._budget):
            try:
                length, ancillary, _flags, address = take(buffers, _ANCILLARY)
            except OSError:
                return  # as above
            size = length
            for level, kind, value in ancillary:
                if level == socket.IPPROTO_UDP and kind == _UDP_GRO:
                    (size,) = _INT.unpack_from(value)
            counters.received += -(-length // size) if size else 1
            counters.received_bytes += length
            receive(Train(bytes(view[:length]), size), self._sender(address))
            if self._closed or counters.received_bytes >= most:
                return


def _allows(bound: socket.socket, option: int, value: int) -> bool:
    try:
        bound.setsockopt(socket.IPPROTO_UDP, option, value)
    except OSError:
        return False
    return True


def _enlarge(bound: socket.socket, size: int) -> None:
    """As large buffers as may be had: past the system's limit where we may, up to it otherwise."""
    pairs = ((socket.SO_RCVBUF, _SO_RCVBUFFORCE), (socket.SO_SNDBUF, _SO_SNDBUFFORCE))
    for option, force in pairs:
        if sys.platform == "linux":
            try:
                bound.setsockopt(socket.SOL_SOCKET, force, size)
                continue
            except PermissionError:
                pass
        wanted = size
        while wanted >= 1 << 16:
            try:
                bound.setsockopt(socket.SOL_SOCKET, option, wanted)
                break
            except OSError:
                wanted >>= 1  # macOS refuses what is over its limit
