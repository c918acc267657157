"""cluster.v1.Streaming, and CRI's own calls about streams, upon a driver.

Each method answers at once or with an rpc.Failure, and gives an iterator of outputs. Who leaves it
early ends what it began.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

from cluster.aio import rpc
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.pb.cluster.v1 import streaming_pb2 as streams_pb
from cluster.pb.cri.v1 import api_pb2 as cri
from cluster.runtime import following, logs, lookups
from cluster.runtime.driver import Driver
from cluster.runtime.records import Container, State

if TYPE_CHECKING:
    from cluster.runtime.streamserver import StreamServer

_START_SECONDS: Final = 30.0
_OWN: Final = (
    "this runtime has no streaming server: it streams to its kubelet by cluster.v1.Streaming"
)
"""One without sockets: in the lab, or of a hollow node."""


class Streaming:
    """The part of the runtime's service object that streams."""

    driver: Driver
    serves_streams: bool = False
    """Whether there are sockets, which CRI's Exec, Attach and PortForward need."""
    stream_server: "StreamServer | None" = None

    async def stream_exec(
        self, inputs: AsyncIterator[pb.StreamInput]
    ) -> AsyncIterator[pb.StreamOutput]:
        """Run a command in a container. rpc.Failure."""
        start = (await _first(inputs)).start
        return await self.driver.exec(self._running(start.container.container), start, inputs)

    async def stream_attach(
        self, inputs: AsyncIterator[pb.StreamInput]
    ) -> AsyncIterator[pb.StreamOutput]:
        """Join a container's own streams. rpc.Failure."""
        start = (await _first(inputs)).start
        return await self.driver.attach(self._running(start.container.container), start, inputs)

    async def stream_port_forward(
        self, inputs: AsyncIterator[pb.PortForwardInput]
    ) -> AsyncIterator[pb.PortForwardOutput]:
        """Connect to a port in a sandbox. rpc.Failure."""
        start = (await _first(inputs)).start
        sandbox = self.driver.sandboxes.get(start.pod)
        if sandbox is None or not sandbox.ready:
            raise rpc.Failure("NOT_FOUND", f'no running sandbox "{start.pod}" here')
        return await self.driver.forward(sandbox, start.port, inputs)

    async def read_log(self, request: streams_pb.ReadLogRequest) -> streams_pb.ReadLogResponse:
        """Part of a container's log. rpc.Failure."""
        limit = min(request.limit or logs.READ_BYTES, logs.READ_BYTES)
        container = lookups.find(self.driver.containers, request.container_id)
        if container is not None:
            wait = min(max(request.wait_seconds, 0), following.MOST_SECONDS)
            part = await self.driver.read_log(container, request.offset, limit, wait)
        else:
            left = await self.driver.read_left_log(request.container_id, request.offset, limit)
            if left is None:
                raise lookups.missing("container", request.container_id)
            part = left
        return streams_pb.ReadLogResponse(
            data=part.data,
            offset=part.offset,
            start=part.start,
            end=part.end,
            ended=part.ended,
        )

    # ---- CRI's own ---------------------------------------------------------------------------

    async def exec_sync(self, request: cri.ExecSyncRequest) -> cri.ExecSyncResponse:
        """Run a command and wait for its end. rpc.Failure DEADLINE_EXCEEDED, UNKNOWN."""
        container = self._running(request.container_id)
        ran = await self.driver.exec_sync(container, request.cmd, request.timeout)
        return cri.ExecSyncResponse(stdout=ran.stdout, stderr=ran.stderr, exit_code=ran.code)

    async def reopen_container_log(
        self, request: cri.ReopenContainerLogRequest
    ) -> cri.ReopenContainerLogResponse:
        """Begin the log file anew, where somebody renamed it. rpc.Failure."""
        await self.driver.reopen_log(self._running(request.container_id))
        return cri.ReopenContainerLogResponse()

    async def exec(self, request: cri.ExecRequest) -> cri.ExecResponse:
        """The URL of a command's streams. rpc.Failure."""
        container = self._running(_validated(request))
        return cri.ExecResponse(url=await self._url("exec", container.id, request))

    async def attach(self, request: cri.AttachRequest) -> cri.AttachResponse:
        """The URL of a container's own streams. rpc.Failure."""
        container = self._running(_validated(request))
        return cri.AttachResponse(url=await self._url("attach", container.id, request))

    async def port_forward(self, request: cri.PortForwardRequest) -> cri.PortForwardResponse:
        """The URL of connections to a sandbox. rpc.Failure."""
        if not request.pod_sandbox_id:
            raise rpc.Failure("INVALID_ARGUMENT", "missing required pod_sandbox_id")
        sandbox = lookups.need(self.driver.sandboxes, request.pod_sandbox_id, "sandbox")
        if not sandbox.ready:
            raise rpc.Failure("UNKNOWN", f'sandbox "{sandbox.id}" is not running')
        return cri.PortForwardResponse(url=await self._url("portforward", sandbox.id))

    async def _url(
        self, kind: str, id: str, request: cri.ExecRequest | cri.AttachRequest | None = None
    ) -> str:
        if not self.serves_streams:
            raise rpc.Failure("UNIMPLEMENTED", _OWN)
        # Imported here: our own kubelet never asks for it, and HTTP is slow to import.
        from cluster.runtime.streamserver import Asked, StreamServer
        from cluster.streams.options import Command

        if self.stream_server is None:
            self.stream_server = StreamServer(
                self.stream_exec, self.stream_attach, self.stream_port_forward
            )
        wanted = None
        if request is not None:
            command = tuple(request.cmd) if isinstance(request, cri.ExecRequest) else ()
            wanted = Command(
                id, request.stdin, request.stdout, request.stderr, request.tty, command
            )
        return await self.stream_server.url(Asked(kind, id, wanted))

    # ------------------------------------------------------------------------------------------

    def _known(self, id: str) -> Container:
        return lookups.need(self.driver.containers, id, "container")

    def _running(self, id: str) -> Container:
        found = self._known(id)
        if found.state is not State.RUNNING:
            state = f"CONTAINER_{found.state.name}"
            raise rpc.Failure("UNKNOWN", f"container is in {state} state")
        return found


def _validated(request: cri.ExecRequest | cri.AttachRequest) -> str:
    """The container that a request names. rpc.Failure, in the words of ValidateExecRequest."""
    if not request.container_id:
        raise rpc.Failure("INVALID_ARGUMENT", "missing required container_id")
    if request.tty and request.stderr:
        raise rpc.Failure("INVALID_ARGUMENT", "tty and stderr cannot both be true")
    if not (request.stdin or request.stdout or request.stderr):
        text = "one of stdin, stdout, or stderr must be set"
        raise rpc.Failure("INVALID_ARGUMENT", text)
    return str(request.container_id)


async def _first(inputs: AsyncIterator[Any]) -> Any:
    """The first input, which says what is wanted. rpc.Failure."""
    try:
        async with asyncio.timeout(_START_SECONDS):
            found = await anext(inputs, None)
    except TimeoutError:
        found = None
    if found is None or found.WhichOneof("input") != "start":
        raise rpc.Failure("INVALID_ARGUMENT", "the first input has to be the start")
    return found
