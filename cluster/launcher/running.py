"""The daemon's loop: lock, supervisor, control service and signals, joined."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import structlog

from cluster.aio import clock, grpcserver
from cluster.aio.tasks import Group
from cluster.launcher import control, daemon, files, processes, spawning, state
from cluster.launcher.supervisor import Supervisor
from cluster.pb.cluster.v1 import control_pb2_grpc

_LOCK_TRIES = 10

log = structlog.get_logger("supervisor")


class CannotStart(Exception):
    """The supervisor cannot serve; the message is one sentence."""


def spawner(link: socket.socket | None, zygote: int, commands: daemon.Commands) -> spawning.Spawner:
    """What starts processes here: the zygote behind `link`, or one interpreter a process."""
    if link is None:
        return spawning.ExecSpawner(commands.program)
    return spawning.ForkSpawner(link, zygote, commands.zygote)


async def serve(folder: state.Folder, handshake: socket.socket, spawner: spawning.Spawner) -> None:
    """Serve the cluster in `folder` until it is shut down. CannotStart."""
    with _locked(await _lock(folder)):
        if not await _told_to_go(handshake):
            return
        plan = processes.decode(folder.plan.read_bytes())
        pids = _Pids(folder, spawner)
        supervisor = Supervisor(plan, spawner, clock=clock.SystemClock(), on_pids=pids.record)
        server = _server(supervisor, plan.control)
        async with Group("supervisor") as group, server:
            await server.set_serving(True)
            task = group.spawn(supervisor.run(), "run")
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, task.cancel)
            with contextlib.suppress(OSError), handshake:
                await loop.sock_sendall(handshake, daemon.UP)
            with contextlib.suppress(asyncio.CancelledError):
                await task
        _tidy(folder, plan)
        log.info("all processes have ended")


def _server(supervisor: Supervisor, path: str) -> grpcserver.GrpcServer:
    Path(path).unlink(missing_ok=True)
    server = grpcserver.GrpcServer(grace=0.5)
    server.add(
        control.SERVICE,
        control_pb2_grpc.add_ControlServicer_to_server,
        control.Control(supervisor),
    )
    try:
        server.listen(f"unix:{path}")
    except grpcserver.AddressInUse as error:
        raise CannotStart(str(error)) from error
    return server


def _tidy(folder: state.Folder, plan: processes.Plan) -> None:
    folder.processes.unlink(missing_ok=True)
    Path(plan.control).unlink(missing_ok=True)


async def _lock(folder: state.Folder) -> int:
    """The descriptor that holds the cluster. Others see who has it by taking it for an instant."""
    for _ in range(_LOCK_TRIES):
        with contextlib.suppress(state.Locked):
            return state.acquire(folder)
        await asyncio.sleep(0.02)
    raise CannotStart(f"cluster {folder.name} is running already")


@contextlib.contextmanager
def _locked(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)


async def _told_to_go(handshake: socket.socket) -> bool:
    handshake.setblocking(False)
    return await asyncio.get_running_loop().sock_recv(handshake, 16) == daemon.GO


class _Pids:
    """Writes down which processes run, the supervisor and what serves it among them."""

    def __init__(self, folder: state.Folder, spawner: spawning.Spawner) -> None:
        self._folder = folder
        self._spawner = spawner
        self._known: dict[int, float] = {}

    def record(self, pids: Mapping[str, int]) -> None:
        everything = {state.SUPERVISOR: os.getpid(), **pids}
        if self._spawner.helper:
            everything[state.ZYGOTE] = self._spawner.helper
        self._known = {pid: self._started(pid) for pid in everything.values()}
        running = {name: state.Running(pid, self._known[pid]) for name, pid in everything.items()}
        try:
            state.record(self._folder, running)
        except files.Unwritable as error:
            # A full disk is no reason to leave processes alone.
            log.warning("cannot write down which processes run", error=str(error))

    def _started(self, pid: int) -> float:
        return self._known.get(pid) or state.started(pid) or 0.0
