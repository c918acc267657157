"""The control service: the supervisor's face for commands and chaos scripts, over gRPC.

It listens on a unix socket in a folder that only the cluster's owner can enter. The protocol is
`proto/cluster/v1/control.proto`.
"""

import signal
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final

import grpc

from cluster.launcher import lifecycle
from cluster.launcher.supervisor import Supervisor, Unknown, View
from cluster.pb.cluster.v1 import control_pb2 as pb

SERVICE: Final = "cluster.v1.Control"


class Control:
    """Implements `cluster.v1.Control` over a supervisor."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def ListProcesses(self, _request: Any, _context: Any) -> Any:
        """All processes."""
        return _listing(self._supervisor.views())

    async def WatchProcesses(self, _request: Any, _context: Any) -> AsyncIterator[Any]:
        """All processes, then those that changed."""
        async for views in self._supervisor.changes():
            yield _listing(views)

    async def Start(self, request: Any, context: Any) -> Any:
        """Start a process."""
        await self._try(context, request.name, lambda: self._supervisor.start(request.name))
        return _message(await self._supervisor.running(request.name))

    async def Stop(self, request: Any, context: Any) -> Any:
        """Stop a process."""
        await self._known(context, request.name)
        return _message(await self._supervisor.stop(request.name, request.grace_seconds))

    async def Restart(self, request: Any, context: Any) -> Any:
        """Stop a process and start it."""
        await self._known(context, request.name)
        try:
            view = await self._supervisor.restart(request.name, request.grace_seconds)
        except lifecycle.Impossible as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"{request.name}: {error}")
        return _message(view)

    async def Kill(self, request: Any, context: Any) -> Any:
        """Send a signal to a process."""
        number = request.signal or signal.SIGKILL
        await self._try(context, request.name, lambda: self._supervisor.kill(request.name, number))
        return _message(self._supervisor.view(request.name))

    async def Pause(self, request: Any, context: Any) -> Any:
        """Let a process hang."""
        await self._try(context, request.name, lambda: self._supervisor.pause(request.name))
        return _message(self._supervisor.view(request.name))

    async def Resume(self, request: Any, context: Any) -> Any:
        """Let a process go on."""
        await self._try(context, request.name, lambda: self._supervisor.resume(request.name))
        return _message(self._supervisor.view(request.name))

    async def Slow(self, request: Any, context: Any) -> Any:
        """Let a process run for a share of the time."""
        cpu, seconds = request.cpu, request.seconds
        await self._try(
            context, request.name, lambda: self._supervisor.slow(request.name, cpu, seconds)
        )
        return _message(self._supervisor.view(request.name))

    async def ShutDown(self, request: Any, _context: Any) -> Any:
        """Stop everything; the supervisor ends after the answer."""
        await self._supervisor.stop_all(request.grace_seconds)
        self._supervisor.shut_down.set()
        return pb.ShutDownResponse()

    async def _known(self, context: Any, name: str) -> None:
        await self._try(context, name, lambda: self._supervisor.view(name))

    async def _try(self, context: Any, name: str, act: Callable[[], object]) -> None:
        try:
            act()
        except Unknown as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        except lifecycle.Impossible as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"{name}: {error}")
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{name}: {error}")


def _listing(views: Iterable[View]) -> Any:
    return pb.ListProcessesResponse(processes=[_message(view) for view in views])


def _message(view: View) -> Any:
    return pb.Process(
        name=view.process.name,
        component=view.process.component,
        node=view.process.node,
        phase=pb.Process.Phase.Value(view.phase.value),
        paused=view.paused,
        pid=view.pid,
        restarts=view.restarts,
        started=view.started,
        last_exit=view.last_exit,
        status=view.status,
        log=view.process.log,
        arguments=view.process.argv,
        cpu=view.cpu,
    )
