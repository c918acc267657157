"""A cluster of `kubemu up`: its processes are under a supervisor, which this tells what to do."""

import signal
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, Final

import grpc

from cluster.aio.clock import OFFSET
from cluster.chaos import acts, reaching
from cluster.chaos.acts import Act
from cluster.chaos.reaching import Doors
from cluster.chaos.targets import Member
from cluster.chaos.world import Unable
from cluster.client.client import Client
from cluster.pb.cluster.v1 import control_pb2 as pb

_END_WITHIN: Final = 60.0
_SO_ALREADY: Final[Mapping[str, tuple[str, ...]]] = {
    acts.START: ("is starting already", "is running already"),
    acts.RESUME: ("does not run",),
}
_RUNS: Final = (pb.Process.STARTING, pb.Process.RUNNING)


class LocalWorld:
    """See `world.World`. `control` is the supervisor's stub; `clocks` has the clock files of the
    processes that were started with one, `disks` the API servers whose store is a file of SQLite.
    """

    kind = "local"

    def __init__(
        self, name: str, client: Client, control: Any, doors: Doors, *,
        clocks: Mapping[str, Path], disks: Container[str],
    ) -> None:  # fmt: skip
        self.name = name
        self.client = client
        self._control = control
        self._doors = doors
        self._clocks = clocks
        self._disks = disks

    async def members(self) -> list[Member]:
        """See `World.members`."""
        try:
            found = await self._control.ListProcesses(
                pb.ListProcessesRequest(), timeout=reaching.SECONDS
            )
        except grpc.aio.AioRpcError as error:
            raise _refused(error) from error
        return [
            Member(one.name, one.component, one.node, one.phase in _RUNS, one.paused)
            for one in found.processes
        ]

    def lacks(self, act: Act) -> str:
        """See `World.lacks`."""
        name = act.member
        if act.op == acts.SKEW and name not in self._clocks:
            return f"{name} has no clock of its own: say `clocks: true` in the cluster file"
        if lacks := self._doors.lacks(act):
            return lacks
        if act.op == acts.DISK and name not in self._disks:
            return reaching.no_disk(name)
        return ""

    async def do(self, act: Act) -> None:
        """See `World.do`."""
        if act.op == acts.LINKS:
            await self._doors.set_links(act)
        elif act.op in (acts.FAULTS, acts.DISK):
            await self._doors.set_faults(act)
        elif act.op == acts.SKEW:
            self._skew(act)
        else:
            await self._to_process(act)

    async def struck(self, act: Act) -> int | None:
        """See `World.struck`."""
        return await self._doors.struck(act)

    async def ask(self, address: str, port: int, request: bytes, within: float) -> bytes:
        """See `World.ask`."""
        return await reaching.ask(address, port, request, within)

    async def _to_process(self, act: Act) -> None:
        if act.after:
            return  # the supervisor starts again what crashed, at its time
        method, request, within = _call(act)
        try:
            await getattr(self._control, method)(request, timeout=within)
        except grpc.aio.AioRpcError as error:
            if not _is_so_already(act, error):
                raise _refused(error) from error

    def _skew(self, act: Act) -> None:
        """A clock file holds the offset in seconds, as a double of the machine's byte order."""
        path = self._clocks.get(act.member)
        if path is None:
            if act.offset:
                raise Unable(self.lacks(act))
            return  # the machine's clock is right
        try:
            with path.open("r+b") as file:
                file.write(OFFSET.pack(act.offset))
        except OSError as error:
            raise Unable(f"{path} cannot be written ({error.strerror})") from error


def _call(act: Act) -> tuple[str, Any, float]:
    """What the supervisor is asked, and how long it may take. Unable."""
    name = act.member
    match act.op:
        case acts.STOP:
            return "Stop", pb.StopRequest(name=name), _END_WITHIN
        case acts.START:
            return "Start", pb.StartRequest(name=name), _END_WITHIN
        case acts.KILL:
            return "Kill", pb.KillRequest(name=name, signal=signal.SIGKILL), reaching.SECONDS
        case acts.RESTART:
            return "Restart", pb.StopRequest(name=name), _END_WITHIN
        case acts.PAUSE:
            return "Pause", pb.PauseRequest(name=name), reaching.SECONDS
        case acts.RESUME:
            return "Resume", pb.PauseRequest(name=name), reaching.SECONDS
        case acts.SLOW:
            request = pb.SlowRequest(name=name, cpu=act.cpu, seconds=act.seconds)
            return "Slow", request, reaching.SECONDS
    raise Unable(f"a local cluster does not know how to {act.op}")


def _is_so_already(act: Act, error: grpc.aio.AioRpcError) -> bool:
    """Whether a refusal says that there is nothing to do."""
    if error.code() is grpc.StatusCode.NOT_FOUND:
        return acts.undoes(act)
    refused = error.code() is grpc.StatusCode.FAILED_PRECONDITION
    return refused and any(said in str(error.details()) for said in _SO_ALREADY.get(act.op, ()))


def _refused(error: grpc.aio.AioRpcError) -> Unable:
    return Unable(f"the supervisor: {error.details()}")
