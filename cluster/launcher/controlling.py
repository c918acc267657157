"""The other end of the control service: what commands and chaos scripts use."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import grpc

from cluster.api import faults
from cluster.client import channel
from cluster.pb.cluster.v1 import control_pb2 as pb
from cluster.pb.cluster.v1 import control_pb2_grpc

_ANSWER_WITHIN: Final = 10.0
_END_WITHIN: Final = 60.0


class Failed(faults.Fault):
    """The supervisor refused, or could not be reached; the message is one sentence."""


class Remote:
    """Calls a supervisor. Processes are `cluster.v1.Process` messages. All methods raise Failed."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def processes(self) -> list[Any]:
        """All processes, in the order of the plan."""
        found = await self._call(self._stub.ListProcesses, pb.ListProcessesRequest())
        return list(found.processes)

    async def watch(self) -> AsyncIterator[list[Any]]:
        """All processes, then those that changed, as they change."""
        try:
            async for found in self._stub.WatchProcesses(pb.ListProcessesRequest()):
                yield list(found.processes)
        except grpc.aio.AioRpcError as error:
            raise Failed(_words(error)) from error

    async def start(self, name: str) -> Any:
        """Start a process."""
        return await self._call(self._stub.Start, pb.StartRequest(name=name))

    async def stop(self, name: str, grace: float = 0.0) -> Any:
        """Stop a process; after `grace` seconds by force (0: the supervisor's own)."""
        request = pb.StopRequest(name=name, grace_seconds=grace)
        return await self._call(self._stub.Stop, request, _END_WITHIN + grace)

    async def restart(self, name: str, grace: float = 0.0) -> Any:
        """Stop a process and start it."""
        request = pb.StopRequest(name=name, grace_seconds=grace)
        return await self._call(self._stub.Restart, request, _END_WITHIN + grace)

    async def kill(self, name: str, number: int = 0) -> Any:
        """Send a signal (0: SIGKILL)."""
        return await self._call(self._stub.Kill, pb.KillRequest(name=name, signal=number))

    async def pause(self, name: str) -> Any:
        """Let a process hang."""
        return await self._call(self._stub.Pause, pb.PauseRequest(name=name))

    async def resume(self, name: str) -> Any:
        """Let a process go on."""
        return await self._call(self._stub.Resume, pb.PauseRequest(name=name))

    async def shut_down(self, grace: float = 0.0) -> None:
        """Stop everything; the supervisor ends after it."""
        request = pb.ShutDownRequest(grace_seconds=grace)
        await self._call(self._stub.ShutDown, request, _END_WITHIN + 3 * grace)

    async def _call(self, method: Any, request: Any, within: float = _ANSWER_WITHIN) -> Any:
        try:
            return await method(request, timeout=within)
        except grpc.aio.AioRpcError as error:
            raise Failed(_words(error)) from error


@asynccontextmanager
async def connect(socket: Path) -> AsyncIterator[Remote]:
    """The supervisor that listens on `socket`."""
    async with channel.connect([f"unix:{socket}"]) as connection:
        yield Remote(control_pb2_grpc.ControlStub(connection))


def _words(error: grpc.aio.AioRpcError) -> str:
    # CANCELLED: it ended while it was answering.
    if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return "the cluster's supervisor does not answer; `kubemu down` clears up what is left"
    return str(error.details())
