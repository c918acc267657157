"""Kubelets over gRPC: a channel for each address, kept while it is used and a while after."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Self

import grpc
import structlog

from cluster.aio import grpcstreams, rpc, tasks
from cluster.api import objects
from cluster.apiserver.kubelets import location
from cluster.apiserver.kubelets.protocol import Kubelet, Unreachable
from cluster.client import channel as channels
from cluster.client import grpc_transport
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.pb.cluster.v1 import kubelet_pb2_grpc

CONNECT_SECONDS: Final = 10.0
PAGE_SECONDS: Final = 60.0
IDLE_SECONDS: Final = 300.0
MAX_IDLE: Final = 64
"""Channels kept that nobody uses."""
LOST: Final = "the connection to the kubelet was lost: it stops, or is gone"
_GONE: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


@dataclass(slots=True, eq=False)
class _Link:
    """A channel, how many use it, and what will close it when nobody does."""

    address: str
    channel: Any
    users: int = 0
    closing: asyncio.TimerHandle | None = None


class GrpcConnector:
    """Connects with mutual TLS, or without where `tls` is None. Use it inside `async with`.

    `renewed` is asked whenever a kubelet is wanted: by what it is reached from now on, None for
    what was good last. What is under way stays on the connection that it has.
    """

    def __init__(
        self,
        tls: channels.ChannelTls | None = None,
        preferred: Sequence[str] = location.PREFERRED,
        *,
        renewed: Callable[[], channels.ChannelTls | None] | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._tls = tls
        self._renewed = renewed
        self._preferred = preferred
        self._connect_seconds = connect_seconds
        self._idle_seconds = idle_seconds
        self._links: dict[str, _Link] = {}
        self._retired: dict[_Link, None] = {}
        self._group = tasks.Group("kubelets")
        self._log = structlog.get_logger().bind(component="apiserver")

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close every channel."""
        for link in list(self._links.values()):
            self._close(link)
        while self._retired:
            link, _ = self._retired.popitem()
            self._group.spawn(self._end(link), f"close/{link.address}")
        await self._group.__aexit__(None, None, None)

    @asynccontextmanager
    async def kubelet(self, node: objects.Object) -> AsyncIterator[Kubelet]:
        """See `protocol.Connector`. Unreachable within CONNECT_SECONDS, errors.InternalError."""
        address = location.address(node, self._preferred)
        self._renew()
        link = self._links.get(address)
        if link is None:
            link = self._links[address] = _Link(address, channels.connect([address], self._tls))
        self._use(link)
        try:
            await self._connected(link)
            yield GrpcKubelet(link.channel)
        finally:
            self._leave(link)

    async def _connected(self, link: _Link) -> None:
        """Wait until the channel is there. Unreachable; at once where nobody listens."""
        states, channel = grpc.ChannelConnectivity, link.channel
        failed = False
        try:
            async with asyncio.timeout(self._connect_seconds):
                state = channel.get_state(try_to_connect=True)
                while state != states.READY:
                    if state == states.TRANSIENT_FAILURE:
                        failed = True
                        await _listens(link.address)
                    await channel.wait_for_state_change(state)
                    state = channel.get_state(try_to_connect=True)
        except TimeoutError:
            why = f"dial tcp {link.address}: i/o timeout"
            if failed:
                why += " (it takes connections, and no handshake of TLS and gRPC comes of them)"
            raise Unreachable(why) from None

    def _renew(self) -> None:
        """Show another certificate from now on, where there is one."""
        fresh = self._renewed() if self._renewed is not None else None
        if fresh is None:
            return
        self._tls = fresh
        for link in list(self._links.values()):
            if not link.users:
                self._close(link)
            else:
                self._retired[self._links.pop(link.address)] = None

    def _use(self, link: _Link) -> None:
        link.users += 1
        if link.closing is not None:
            link.closing.cancel()
            link.closing = None

    def _leave(self, link: _Link) -> None:
        link.users -= 1
        if link.users:
            return
        if link in self._retired:
            del self._retired[link]
            self._group.spawn(self._end(link), f"close/{link.address}")
            return
        if self._links.get(link.address) is not link:
            return
        loop = asyncio.get_running_loop()
        link.closing = loop.call_later(self._idle_seconds, self._close, link)
        idle = [each for each in self._links.values() if not each.users]
        if len(idle) > MAX_IDLE:
            self._close(idle[0])

    def _close(self, link: _Link) -> None:
        if link.closing is not None:
            link.closing.cancel()
        if self._links.pop(link.address, None) is None:
            return
        self._group.spawn(self._end(link), f"close/{link.address}")

    async def _end(self, link: _Link) -> None:
        try:
            await link.channel.close()
        except Exception as error:  # noqa: BLE001  (one channel's fault must not end the server)
            self._log.error("closing a channel failed", address=link.address, exc_info=error)


async def _listens(address: str) -> None:
    """Unreachable, in Go's words, where nobody takes a connection: gRPC does not tell why."""
    host, _, port = address.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except OSError as error:
        number = error.errno
        words = os.strerror(number).lower() if number and number > 0 else str(error)
        raise Unreachable(f"dial tcp {address}: connect: {words}") from None
    writer.close()


class GrpcKubelet:
    """A `protocol.Kubelet` across a channel."""

    def __init__(self, channel: Any) -> None:
        self._stub: Any = kubelet_pb2_grpc.KubeletStub(channel)

    def logs(self, request: pb.LogsRequest) -> AsyncIterator[pb.LogsResponse]:
        """See `protocol.Kubelet`."""
        return _answers(_read(self._stub.Logs(request)))

    def exec(self, inputs: AsyncIterator[pb.StreamInput]) -> AsyncIterator[pb.StreamOutput]:
        """See `protocol.Kubelet`."""
        return _answers(grpcstreams.exchange(self._stub.Exec, inputs))

    def attach(self, inputs: AsyncIterator[pb.StreamInput]) -> AsyncIterator[pb.StreamOutput]:
        """See `protocol.Kubelet`."""
        return _answers(grpcstreams.exchange(self._stub.Attach, inputs))

    def port_forward(
        self, inputs: AsyncIterator[pb.PortForwardInput]
    ) -> AsyncIterator[pb.PortForwardOutput]:
        """See `protocol.Kubelet`."""
        return _answers(grpcstreams.exchange(self._stub.PortForward, inputs))

    async def page(self, request: pb.PageRequest) -> pb.PageResponse:
        """See `protocol.Kubelet`."""
        try:
            found: pb.PageResponse = await self._stub.Page(request, timeout=PAGE_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise grpc_transport.status_error(error) from error
        return found


async def _answers(answers: AsyncGenerator[Any, None]) -> AsyncIterator[Any]:
    try:
        async with contextlib.aclosing(answers) as stream:
            async for message in stream:
                yield message
    except grpc.aio.AioRpcError as error:
        raise _failure(error) from error


def _failure(error: grpc.aio.AioRpcError) -> Exception:
    """A refusal of the kubelet's has its Status; without one, a kubelet that was there is gone."""
    refused = any(key == "status-bin" for key, _ in error.trailing_metadata() or ())
    if not refused and error.code() in _GONE:
        return rpc.Failure("UNAVAILABLE", LOST)
    return grpc_transport.status_error(error)


async def _read(call: Any) -> AsyncGenerator[Any, None]:
    try:
        async for message in grpcstreams.answers(call):
            yield message
    finally:
        call.cancel()
