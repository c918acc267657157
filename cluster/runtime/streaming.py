"""cluster.v1.Streaming, and CRI's own calls about streams, upon a driver.

Each method answers at once or with an rpc.Failure, and gives an iterator of outputs. Who leaves it
early ends what it began.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from cluster.aio import rpc
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.pb.cluster.v1 import streaming_pb2 as streams_pb
from cluster.pb.cri.v1 import api_pb2 as cri
from cluster.runtime import logs
from cluster.runtime.driver import Driver
from cluster.runtime.records import Container, State

_START_SECONDS: Final = 30.0
_OWN: Final = (
    "this runtime has no streaming server: it streams to its kubelet by cluster.v1.Streaming"
)


class Streaming:
    """The part of the runtime's service object that streams."""

    driver: Driver

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
        container = self._known(request.container_id)
        limit = min(request.limit or logs.READ_BYTES, logs.READ_BYTES)
        part = await self.driver.read_log(container, request.offset, limit)
        return streams_pb.ReadLogResponse(
            data=part.data,
            offset=part.offset,
            start=part.start,
            end=part.end,
            ended=container.state is State.EXITED,
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

    async def exec(self, _request: cri.ExecRequest) -> cri.ExecResponse:
        """rpc.Failure UNIMPLEMENTED."""
        raise rpc.Failure("UNIMPLEMENTED", _OWN)

    async def attach(self, _request: cri.AttachRequest) -> cri.AttachResponse:
        """rpc.Failure UNIMPLEMENTED."""
        raise rpc.Failure("UNIMPLEMENTED", _OWN)

    async def port_forward(self, _request: cri.PortForwardRequest) -> cri.PortForwardResponse:
        """rpc.Failure UNIMPLEMENTED."""
        raise rpc.Failure("UNIMPLEMENTED", _OWN)

    # ------------------------------------------------------------------------------------------

    def _known(self, id: str) -> Container:
        found = self.driver.containers.get(id)
        if found is None:
            raise rpc.Failure("NOT_FOUND", f'no container "{id}" here: not found')
        return found

    def _running(self, id: str) -> Container:
        found = self._known(id)
        if found.state is not State.RUNNING:
            state = f"CONTAINER_{found.state.name}"
            raise rpc.Failure("UNKNOWN", f"container is in {state} state")
        return found


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
