"""A device of the kernel as a port of the data plane: frames with virtio-net's header.

The descriptor is a TAP device's or a packet socket's (`plugging`). It is drained when it can be
read; what it does not take at once is lost and counted, as a full queue of a network card.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cluster.network.io import memory
from cluster.network.wire import offload, udp, virtio
from cluster.network.wire.frame import Frame

_LARGEST = 65536 + 4096
_BATCH = 1 << 19
"""Bytes of frames that are read before they are carried on: more would leave the CPU's caches."""

Receive = Callable[[list[Frame]], None]
"""Takes the frames that came at once. Must not block."""


@dataclass(slots=True)
class Counters:
    """What went through, in frames as the kernel gave and took them."""

    received: int = 0
    sent: int = 0
    malformed: int = 0
    """Frames that the kernel should not have given."""
    full: int = 0
    """Frames lost, for the kernel took no more."""
    failed: int = 0
    """Frames that the kernel refused."""


class Device:
    """Owns the descriptor. `gone` is called once where the kernel takes the device away."""

    def __init__(
        self,
        descriptor: int,
        receive: Receive,
        *,
        gone: Callable[[], None] = lambda: None,
        budget: int = 64,
    ) -> None:
        self._descriptor = descriptor
        self._receive = receive
        self._gone = gone
        self._budget = budget
        self._closed = False
        # Read into memory that is there: fresh memory for the longest frame costs more than a copy.
        self._header = bytearray(virtio.HEADER)
        self._body = bytearray(_LARGEST)
        memory.keep_for_long_frames()
        self.counters = Counters()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._drain)

    def send(self, frames: Sequence[Frame]) -> None:
        """Hand frames to the kernel."""
        if self._closed:
            return
        counters, descriptor = self.counters, self._descriptor
        for frame in frames:
            try:
                os.writev(descriptor, (virtio.header(frame), frame.data))
            except BlockingIOError:
                counters.full += 1
            except OSError:
                counters.failed += 1
            else:
                counters.sent += 1

    def close(self) -> None:
        """Carry no more frames. Closing twice does no harm."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)

    def _drain(self) -> None:
        frames: list[Frame] = []
        descriptor, parse = self._descriptor, virtio.parse
        header, body = self._header, self._body
        buffers, view = (header, body), memoryview(body)
        taken = 0
        for _ in range(self._budget):
            if taken > _BATCH:
                break
            try:
                size = os.readv(descriptor, buffers) - virtio.HEADER
            except BlockingIOError:
                break
            except OSError:
                self._lost()
                break
            taken += size
            frame = parse(header, bytes(view[:size])) if size >= 0 else None
            if frame is None:
                self.counters.malformed += 1
            elif frame.gso_size and frame.csum_offset == udp.CHECKSUM:
                cut = offload.datagrams(frame)
                frames += [Frame(data, trusted=True) for data in cut]
            else:
                frames.append(frame)
        if frames:
            self.counters.received += len(frames)
            self._receive(frames)

    def _lost(self) -> None:
        """The device is down or gone: a packet socket says ENETDOWN once, a TAP EBADFD for ever."""
        try:
            os.read(self._descriptor, _LARGEST)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            self._gone()
