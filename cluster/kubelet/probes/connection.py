"""A connection to a port of a sandbox: bytes through the runtime, by the RPC of port-forward.

Pods have no network yet that a kubelet could dial into, so the runtime connects. Who asks has a
deadline of his own around it.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

from cluster.kubelet.cri import Cri
from cluster.pb.cluster.v1 import kubelet_pb2 as pb


class Refused(Exception):
    """Nothing listens there."""


class Connection:
    """An open connection; made by `connect`."""

    def __init__(self, outputs: AsyncIterator[pb.PortForwardOutput], inputs: "_Inputs") -> None:
        self._outputs = outputs
        self._inputs = inputs

    def send(self, data: bytes) -> None:
        """Send bytes. Nobody sends much: it is not bounded."""
        if data:
            self._inputs.put(pb.PortForwardInput(data=data))

    async def receive(self) -> bytes:
        """What comes next; b"" at the end."""
        async for output in self._outputs:
            kind = output.WhichOneof("output")
            if kind == "data" and output.data:
                return bytes(output.data)
            if kind in ("closed", "error"):
                break
        return b""


@contextlib.asynccontextmanager
async def connect(cri: Cri, sandbox: str, port: int) -> AsyncIterator[Connection]:
    """A connection to a port. Refused; rpc.Failure where the runtime cannot say."""
    inputs = _Inputs()
    inputs.put(pb.PortForwardInput(start=pb.PortForwardStart(pod=sandbox, port=port)))
    outputs = await cri.stream_port_forward(inputs)
    async with contextlib.aclosing(outputs) as stream:  # type: ignore[type-var]
        first = await anext(stream, None)
        if first is None or first.WhichOneof("output") != "connected":
            raise Refused
        try:
            yield Connection(stream, inputs)
        finally:
            inputs.end()


class _Inputs:
    """What is sent, as the iterator that the runtime reads. No generator: one that is left in the
    middle would be ended by the garbage collector, at no time that a seed determines.
    """

    def __init__(self) -> None:
        self._waiting: deque[pb.PortForwardInput] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._ended = False

    def put(self, one: pb.PortForwardInput) -> None:
        """Send it."""
        self._waiting.append(one)
        self._rouse()

    def end(self) -> None:
        """Nothing more will be sent."""
        self._ended = True
        self._rouse()

    def __aiter__(self) -> "_Inputs":
        return self

    async def __anext__(self) -> pb.PortForwardInput:
        while not self._waiting:
            if self._ended:
                raise StopAsyncIteration
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        return self._waiting.popleft()

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
