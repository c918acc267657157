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
        found = await self._call("ListProcesses", pb.ListProcessesRequest())
        return [
            Member(one.name, one.component, one.node, one.phase in _RUNS, one.paused)
            for one in found.processes
        ]

    def lacks(self, act: Act) -> str:
        """See `World.lacks`."""
        name = act.member
        if act.op == acts.SKEW and name not in self._clocks:
            return f"{name} has no clock of its own: say `clocks: true` in the cluster file"
        if act.op == acts.DISK and name not in self._disks:
            return f"the store of {name} is no file of SQLite, and only those have a bad disk"
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

    async def ask(self, address: str, port: int, request: bytes, within: float) -> bytes:
        """See `World.ask`."""
        return await reaching.ask(address, port, request, within)

    async def _to_process(self, act: Act) -> None:
        name = act.member
        match act.op:
            case acts.STOP:
                await self._call("Stop", pb.StopRequest(name=name), _END_WITHIN)
            case acts.START:
                await self._call("Start", pb.StartRequest(name=name), so_already="already")
            case acts.KILL:
                await self._call("Kill", pb.KillRequest(name=name, signal=signal.SIGKILL))
            case acts.RESTART:
                await self._call("Restart", pb.StopRequest(name=name), _END_WITHIN)
            case acts.PAUSE:
                await self._call("Pause", pb.PauseRequest(name=name))
            case acts.RESUME:
                await self._call("Resume", pb.PauseRequest(name=name), so_already="does not run")
            case acts.SLOW:
                request = pb.SlowRequest(name=name, cpu=act.cpu, seconds=act.seconds)
                await self._call("Slow", request)
            case _:
                raise Unable(f"a local cluster does not know how to {act.op}")

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

    async def _call(
        self, method: str, request: Any, within: float = reaching.SECONDS, so_already: str = ""
    ) -> Any:
        try:
            return await getattr(self._control, method)(request, timeout=within)
        except grpc.aio.AioRpcError as error:
            refused = error.code() is grpc.StatusCode.FAILED_PRECONDITION
            if refused and so_already and so_already in str(error.details()):
                return None
            raise Unable(f"the supervisor: {error.details()}") from error
