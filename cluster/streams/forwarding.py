"""port-forward: connections of a client joined to ports of a pod.

Source: k8s.io/kubelet/pkg/cri/streaming/portforward. Over SPDY a connection is a pair of streams,
found by `requestid`; over WebSocket channels it is a pair of channels, one for each port asked for.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import aiohttp
from aiohttp import web

from cluster.aio import rpc, tasks
from cluster.api import errors
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.streams import channels, options
from cluster.streams.inputs import PIECE, Inputs
from cluster.streams.spdy.connection import PROTOCOL_ERROR, Connection, Stream

CREATION_SECONDS: Final = 30.0
"""How long the second stream of a pair may take (DefaultStreamCreationTimeout)."""
SPDY_VERSIONS: Final = ("portforward.k8s.io",)

Touch = Callable[[], None]


class End(Protocol):
    """The client's end of one connection."""

    async def read(self) -> bytes:
        """The next bytes; b"" at their end. ConnectionError where it was reset."""

    async def write(self, data: bytes) -> None:
        """Send bytes. ConnectionError."""

    async def close(self) -> None:
        """Send nothing more. ConnectionError."""


class Forwarder(Protocol):
    """Who reaches the ports of pods: a kubelet, or a runtime."""

    def port_forward(
        self, inputs: AsyncIterator[pb.PortForwardInput], /
    ) -> AsyncIterator[pb.PortForwardOutput]:
        """One connection to one port; the first input is its start."""


@dataclass(frozen=True, slots=True)
class Target:
    """A pod, and who reaches it."""

    kubelet: Forwarder
    node: str
    namespace: str
    pod: str
    uid: str

    def start(self, port: int) -> pb.PortForwardInput:
        """The first message of a connection to a port."""
        start = pb.PortForwardStart(
            node=self.node, namespace=self.namespace, pod=self.pod, uid=self.uid, port=port
        )
        return pb.PortForwardInput(start=start)


async def forward(target: Target, port: int, end: End, touch: Touch) -> str:
    """Carry one connection until both sides are done; why it failed, "" where it did not.

    ConnectionError where the client's end is lost.
    """
    try:
        async with tasks.Group("connection") as group:
            inputs = Inputs(target.start(port))
            incoming = group.spawn(_incoming(end, inputs, touch), "input")
            why = await _outgoing(target.kubelet.port_forward(inputs), end, touch)
            incoming.cancel()
    except errors.StatusError as error:
        why = error.message
    except rpc.Failure as failure:
        why = failure.text
    if not why:
        return ""
    return f"error forwarding port {port} to pod {target.pod}, uid {target.uid}: {why}"


async def _incoming(end: End, inputs: Inputs[pb.PortForwardInput], touch: Touch) -> None:
    while data := await end.read():
        touch()
        for start in range(0, len(data), PIECE):
            await inputs.put(pb.PortForwardInput(data=data[start : start + PIECE]))
    await inputs.put(pb.PortForwardInput(closed=True))
    await inputs.end()


async def _outgoing(outputs: object, end: End, touch: Touch) -> str:
    async with contextlib.aclosing(outputs) as stream:  # type: ignore[type-var]
        async for output in stream:  # type: ignore[attr-defined]
            touch()
            kind = output.WhichOneof("output")
            if kind == "data":
                await end.write(output.data)
            elif kind == "closed":
                await end.close()
            elif kind == "error":
                return str(output.error) or "the connection failed"
    return ""


class SpdyForwarding:
    """Serves the connections that a client opens as pairs of SPDY streams."""

    def __init__(self, connection: Connection, target: Target, touch: Touch) -> None:
        self._connection = connection
        self._target = target
        self._touch = touch
        self._waiting: dict[str, tuple[Stream, asyncio.TimerHandle]] = {}

    async def run(self) -> None:
        """Serve until the client is gone. ConnectionError, Malformed."""
        async with tasks.Group("port-forward") as group:
            try:
                await self._connection.run(lambda stream: self._opened(stream, group))
            finally:
                for _, timer in self._waiting.values():
                    timer.cancel()
            group.cancel()

    def _opened(self, stream: Stream, group: tasks.Group) -> None:
        """A stream: half of a connection. What is wrong with it ends it alone."""
        self._touch()
        kind = stream.header("streamtype")
        try:
            port = options.port(stream.header("port"))
        except errors.BadRequest:
            port = 0
        if not port or kind not in ("data", "error"):
            group.spawn(self._refuse(stream), f"refuse {stream.number}")
            return
        group.spawn(self._accept(stream), f"accept {stream.number}")
        request = _request(stream, kind)
        if request not in self._waiting:
            late = asyncio.get_running_loop().call_later(
                CREATION_SECONDS, self._late, request, group
            )
            self._waiting[request] = (stream, late)
            stream.when_broken = lambda: self._given_up(request, stream)
            return
        first, late = self._waiting.pop(request)
        late.cancel()
        if first.header("streamtype") == kind:
            why = f"error processing stream for request {request}: {kind} stream already assigned"
            group.spawn(self._fail((first, stream), why), f"fail {request}")
            return
        data, error = (stream, first) if kind == "data" else (first, stream)
        group.spawn(self._forward(data, error, port), f"forward {request}")

    async def _accept(self, stream: Stream) -> None:
        with contextlib.suppress(ConnectionError):
            await self._connection.accept(stream)

    async def _refuse(self, stream: Stream) -> None:
        with contextlib.suppress(ConnectionError):
            await stream.reset(PROTOCOL_ERROR)

    def _given_up(self, request: str, stream: Stream) -> None:
        """The client has reset the half of a pair: nobody waits for the other."""
        if request in self._waiting and self._waiting[request][0] is stream:
            _, late = self._waiting.pop(request)
            late.cancel()
            self._connection.release(stream)

    def _late(self, request: str, group: tasks.Group) -> None:
        stream, _ = self._waiting.pop(request)
        why = f"(request={request}) timed out waiting for streams"
        group.spawn(self._fail((stream,), why), f"late {request}")

    async def _forward(self, data: Stream, error: Stream, port: int) -> None:
        try:
            why = await forward(self._target, port, data, self._touch)
            if why:
                await error.write(why.encode())
            await error.close()
            await data.close()
        except ConnectionError:
            return  # this connection, or the whole of it, is gone
        finally:
            self._connection.release(data)
            self._connection.release(error)

    async def _fail(self, streams: Sequence[Stream], why: str) -> None:
        for stream in streams:
            with contextlib.suppress(ConnectionError):
                if stream.header("streamtype") == "error":
                    await stream.write(why.encode())
                    await stream.close()
                else:
                    await stream.reset()
            self._connection.release(stream)


class ChannelForwarding:
    """Serves one connection for each port that a client has named, over WebSocket channels."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        protocol: channels.Protocol,
        target: Target,
        ports: Sequence[int],
        touch: Touch,
    ) -> None:
        self._socket = socket
        self._protocol = protocol
        self._target = target
        self._ends = [_ChannelEnd(self, 2 * place) for place in range(len(ports))]
        self._ports = ports
        self._touch = touch

    async def run(self) -> None:
        """Serve until every connection has ended, or the client is gone. ConnectionError."""
        async with tasks.Group("port-forward") as group:
            reading = group.spawn(self._read(), "input")
            for port, end in zip(self._ports, self._ends, strict=True):
                # The client knows which channel is which port by the first frame of each.
                for channel in (end.channel, end.channel + 1):
                    await self.send(channel, port.to_bytes(2, "little"))
            forwarding = [
                group.spawn(self._forward(port, end), f"forward {port}")
                for port, end in zip(self._ports, self._ends, strict=True)
            ]
            for each in forwarding:
                await each
            reading.cancel()
        await self._socket.close()

    async def send(self, channel: int, data: bytes) -> None:
        """Send bytes on a channel. ConnectionError."""
        message = channels.encode(self._protocol, channel, data)
        if isinstance(message, str):
            await self._socket.send_str(message)
        else:
            await self._socket.send_bytes(message)

    async def _forward(self, port: int, end: "_ChannelEnd") -> None:
        why = await forward(self._target, port, end, self._touch)
        end.over()
        if why:
            await self.send(end.channel + 1, why.encode())

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            if message.type not in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
                raise ConnectionResetError("the client is gone")
            data = message.data
            try:
                said = channels.decode(
                    self._protocol, data if isinstance(data, bytes) else data.encode()
                )
            except channels.Malformed as error:
                raise ConnectionAbortedError(str(error)) from None
            place, is_error = divmod(said.channel, 2)
            if isinstance(said, channels.Piece) and not is_error and place < len(self._ends):
                await self._ends[place].received(said.data)


class _ChannelEnd:
    """The data channel of a port; these protocols have no way to close it."""

    def __init__(self, forwarding: ChannelForwarding, channel: int) -> None:
        self.channel = channel
        self._forwarding = forwarding
        self._parts: asyncio.Queue[bytes] = asyncio.Queue(4)
        self._over = False

    async def received(self, data: bytes) -> None:
        """Bytes of the client; waits while the pod is slow."""
        if data and not self._over:
            await self._parts.put(data)

    def over(self) -> None:
        """Throw away what still comes."""
        self._over = True
        while not self._parts.empty():
            self._parts.get_nowait()

    async def read(self) -> bytes:
        """See `End`."""
        return await self._parts.get()

    async def write(self, data: bytes) -> None:
        """See `End`."""
        await self._forwarding.send(self.channel, data)

    async def close(self) -> None:
        """See `End`."""


def _request(stream: Stream, kind: str) -> str:
    """The request that a stream belongs to; of clients without ids, by its number."""
    said = stream.header("requestid")
    return said or str(stream.number if kind == "error" else stream.number - 2)
