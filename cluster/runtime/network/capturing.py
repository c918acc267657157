"""A capture as a stream of batches: bounded, and what the reader was too slow for is counted."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from cluster.aio import clock as clocks
from cluster.aio import rpc
from cluster.network.stack import backends, capture
from cluster.network.stack.capture import Capture, Captures, Seen
from cluster.network.stack.ports import HOST
from cluster.network.stack.router import BRIDGE, TUNNEL, WIRE
from cluster.network.wire import pcapfilter
from cluster.pb.cluster.v1 import netops_pb2 as pb
from cluster.runtime.network.node import Node

MOST_BYTES: Final = 8 << 20
"""That wait for the reader."""
MOST_FRAMES: Final = 16384
BATCH_BYTES: Final = 256 << 10
MOST_CAPTURES: Final = 16
"""At the same time, of one node."""
_INTERFACES: Final = (capture.ANY, BRIDGE, TUNNEL, WIRE, HOST)


class Recorder:
    """What waits for a reader."""

    def __init__(self, snaplen: int, count: int, clock: clocks.Clock) -> None:
        self._snaplen = snaplen or 1 << 18
        self._left = count or -1
        self._clock = clock
        self._frames: deque[pb.CapturedFrame] = deque()
        self._bytes = 0
        self.dropped = 0
        self.changed = asyncio.Event()
        self.ended = False
        """Nothing more will come."""

    def take(self, seen: Seen) -> None:
        """See `capture.Sink`."""
        if self.ended or not self._left:
            return
        if self._bytes >= MOST_BYTES or len(self._frames) >= MOST_FRAMES:
            self.dropped += 1
            return
        self._left -= 1
        data = seen.data[: self._snaplen]
        self._bytes += len(data)
        self._frames.append(
            pb.CapturedFrame(
                # The loop's own time, in which frames are seen, may count in milliseconds.
                time=self._clock.now(), interface=seen.interface, inbound=seen.inbound,
                length=len(seen.data), data=data,
            )
        )  # fmt: skip
        if not self._left:
            self.ended = True
        self.changed.set()

    def end(self) -> None:
        """The network goes, or time is up."""
        self.ended = True
        self.changed.set()

    def batch(self) -> pb.CaptureResponse:
        """The next frames; none where none wait."""
        taken: list[pb.CapturedFrame] = []
        size = 0
        while self._frames and size < BATCH_BYTES:
            frame = self._frames.popleft()
            size += len(frame.data)
            taken.append(frame)
        self._bytes -= size
        return pb.CaptureResponse(frames=taken, dropped=self.dropped)

    @property
    def waiting(self) -> bool:
        """Whether there is something for the reader."""
        return bool(self._frames)


def begin(node: Node, request: pb.CaptureRequest, clock: clocks.Clock) -> "Stream":
    """Begin a capture. rpc.Failure."""
    interface = request.interface or capture.ANY
    known_here = _interfaces(node)
    if interface not in known_here and not node.has_pod(interface):
        known = ", ".join(known_here)
        raise rpc.Failure(
            "NOT_FOUND", f"there is no interface {interface!r} here: {known}, or a pod's address"
        )
    try:
        matches = pcapfilter.compiled(request.filter)
    except ValueError as error:
        raise rpc.Failure("INVALID_ARGUMENT", str(error)) from error
    if len(node.watchers) >= MOST_CAPTURES:
        raise rpc.Failure("RESOURCE_EXHAUSTED", f"{MOST_CAPTURES} captures are running here")
    recorder = Recorder(request.snaplen, request.count, clock)
    return Stream(node, recorder, interface, matches, request.seconds)


def _interfaces(node: Node) -> list[str]:
    """Those of a node: who routes has no VXLAN."""
    routed = node.datapath.settings.backend == backends.ROUTED
    return [one for one in _INTERFACES if not (routed and one == TUNNEL)]


class Stream:
    """One capture, from now on."""

    def __init__(
        self,
        node: Node,
        recorder: Recorder,
        interface: str,
        matches: Callable[[bytes], bool] | None,
        seconds: float,
    ) -> None:
        self._node = node
        self._recorder = recorder
        self._captures: Captures = node.datapath.captures
        self._capture: Capture = self._captures.add(interface, recorder.take, matches)
        self._closed = False
        node.watchers[recorder.end] = None
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, recorder.end) if seconds > 0 else None

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> pb.CaptureResponse:
        recorder = self._recorder
        while not recorder.waiting:
            if self._closed:
                raise StopAsyncIteration
            if recorder.ended:
                self.close()
                return recorder.batch()  # Says at the end how many were dropped.
            recorder.changed.clear()
            await recorder.changed.wait()
        return recorder.batch()

    async def aclose(self) -> None:
        """The reader has gone."""
        self.close()

    def close(self) -> None:
        """See no more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._captures.remove(self._capture)
        self._node.watchers.pop(self._recorder.end, None)
