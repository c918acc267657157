"""The supervisor: carries out a plan, keeps its processes running, and stops them in order.

Decisions are `lifecycle`'s; this is the shell around one machine a process. The control service
(`control`) works through the methods below.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from cluster.aio import clock as clocks
from cluster.launcher import lifecycle, processes, slowing, spawning
from cluster.launcher.lifecycle import Command, Lifecycle, Phase

_NOTICE: Final = 4096
# A watcher that falls this many changes behind is shown everything again.
_CHANGES_KEPT: Final = 1024

log = structlog.get_logger("supervisor")


class Unknown(Exception):
    """There is no such process; the message says which there are."""


@dataclass(frozen=True, slots=True)
class View:
    """A process as it is now. `started` is wall time, 0.0 before the first start."""

    process: processes.Process
    phase: Phase
    paused: bool
    pid: int
    restarts: int
    started: float
    last_exit: str
    status: str
    cpu: float = 0.0
    """The share of the time that it may run, where it is slow on purpose."""


class _Watched:
    """A process with its machine and who waits for it."""

    def __init__(self, process: processes.Process, policy: lifecycle.Policy) -> None:
        self.process = process
        self.life = Lifecycle(policy)
        self.started = 0.0
        self.status = ""
        self.changed = asyncio.Event()
        self.slow: slowing.Slowdown | None = None

    def view(self) -> View:
        life = self.life
        return View(
            self.process, life.phase, life.paused, life.pid, life.restarts, self.started,
            life.last_exit, self.status, self.slow.cpu if self.slow is not None else 0.0,
        )  # fmt: skip


class Supervisor:
    """See the module. `on_pids` hears of every change of the set of running processes."""

    def __init__(
        self,
        plan: processes.Plan,
        spawner: spawning.Spawner,
        *,
        clock: clocks.Clock,
        policy: lifecycle.Policy | None = None,
        on_pids: Callable[[Mapping[str, int]], None] = lambda _: None,
    ) -> None:
        self._plan = plan
        self._spawner = spawner
        self._clock = clock
        self._policy = policy or lifecycle.Policy()
        self._on_pids = on_pids
        self._watched = {
            process.name: _Watched(process, self._policy) for process in plan.processes
        }
        self._by_pid: dict[int, _Watched] = {}
        self._watchers: list[asyncio.Queue[str]] = []
        self._notices: socket.socket | None = None
        self._ending = False
        self.shut_down = asyncio.Event()

    async def run(self) -> None:
        """Start everything, and serve until `shut_down`; cancelled, it stops everything first."""
        self._listen()
        self._spawner.open(self)
        try:
            for name in self._watched:
                self.start(name)
            await self.shut_down.wait()
        except asyncio.CancelledError:
            await self.stop_all()
            raise
        finally:
            self._spawner.close()
            self._deafen()

    def views(self) -> list[View]:
        """All processes, in the order of the plan."""
        return [watched.view() for watched in self._watched.values()]

    def view(self, name: str) -> View:
        """One process. Unknown."""
        return self._find(name).view()

    async def changes(self) -> AsyncIterator[Sequence[View]]:
        """All processes, and then those that changed, as they change."""
        queue: asyncio.Queue[str] = asyncio.Queue(_CHANGES_KEPT)
        self._watchers.append(queue)
        try:
            yield self.views()
            while True:
                names = [await queue.get()]
                if queue.full():
                    names = list(self._watched)
                while not queue.empty():
                    names.append(queue.get_nowait())
                yield [self._watched[name].view() for name in dict.fromkeys(names)]
        finally:
            self._watchers.remove(queue)

    def start(self, name: str) -> None:
        """Start a process. Unknown, lifecycle.Impossible."""
        watched = self._find(name)
        self._check_stays()
        self._do(watched, watched.life.start(self._now()))

    async def stop(self, name: str, grace: float = 0.0) -> View:
        """Stop a process and wait for its end. Unknown."""
        watched = self._find(name)
        self._do(watched, watched.life.stop(self._now(), grace))
        return await self._until(watched, lambda life: life.phase is not Phase.STOPPING, grace)

    async def restart(self, name: str, grace: float = 0.0) -> View:
        """Stop a process and start it. Unknown, lifecycle.Impossible."""
        watched = self._find(name)
        self._check_stays()
        self._do(watched, watched.life.stop(self._now(), grace, again=True))
        return await self._until(
            watched, lambda life: life.phase is not Phase.STOPPING and bool(life.pid), grace
        )

    async def running(self, name: str) -> View:
        """Wait until a process that was started has a pid: that of its new life, if it is still
        stopping.
        """
        return await self._until(
            self._find(name), lambda life: life.phase is not Phase.STOPPING and bool(life.pid), 0.0
        )

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal. Unknown, lifecycle.Impossible."""
        watched = self._find(name)
        self._do(watched, watched.life.kill(number))

    def pause(self, name: str) -> None:
        """Let a process hang. Unknown, lifecycle.Impossible."""
        watched = self._find(name)
        self._do(watched, watched.life.pause())

    def resume(self, name: str) -> None:
        """Let a process go on. Unknown, lifecycle.Impossible."""
        watched = self._find(name)
        self._do(watched, watched.life.resume())

    def slow(self, name: str, cpu: float, seconds: float) -> None:
        """Let a process run for a share of the time, for so long; 0 or 1: all of it again.

        Unknown, ValueError.
        """
        watched = self._find(name)

        def over() -> None:
            watched.slow = None
            self._do(watched, ())

        made = None
        if 0 < cpu < 1:
            made = slowing.Slowdown(watched.life, cpu, seconds, self._spawner.signal, over)
        if watched.slow is not None:
            watched.slow.stop()
        watched.slow = made
        self._do(watched, ())

    async def stop_all(self, grace: float = 0.0) -> None:
        """Stop everything, those that others depend on last. Nothing is started from then on."""
        self._ending = True
        for watched in self._watched.values():
            if watched.slow is not None:
                self.slow(watched.process.name, 1.0, 0.0)
        for names in processes.rounds(self._plan.processes):
            log.info("stopping", processes=[process.name for process in names])
            round_ = [self._watched[process.name] for process in names]
            for watched in round_:
                self._do(watched, watched.life.stop(self._now(), grace))
            for watched in round_:
                await self._until(
                    watched, lambda life: life.phase is Phase.STOPPED and not life.pid, grace
                )

    # What the spawner reports.

    def spawned(self, name: str, pid: int) -> None:
        """A process runs."""
        watched = self._watched[name]
        watched.started = self._clock.now()
        self._by_pid[pid] = watched
        log.info("started", process=name, pid=pid)
        self._do(watched, watched.life.spawned(pid, self._now()))
        self._tell_pids()

    def failed(self, name: str, why: str) -> None:
        """A process could not be started."""
        watched = self._watched[name]
        log.error("cannot start", process=name, why=why)
        watched.status = why
        self._do(watched, watched.life.failed(why, self._now()))

    def exited(self, pid: int, status: int | None) -> None:
        """A process ended."""
        watched = self._by_pid.pop(pid, None)
        if watched is None:
            return
        wanted = watched.life.phase is Phase.STOPPING
        commands = watched.life.exited(status, self._now())
        # Only one that fails by itself says why; what others said is of the time before.
        if status is None or status <= 0:
            watched.status = ""
        tell = log.info if wanted else log.warning
        tell("ended", process=watched.process.name, pid=pid, how=watched.life.last_exit)
        self._do(watched, commands)
        self._tell_pids()

    # The rest is within.

    def _check_stays(self) -> None:
        if self._ending:
            raise lifecycle.Impossible("the cluster is being stopped")

    def _do(self, watched: _Watched, commands: Sequence[Command]) -> None:
        loop = asyncio.get_running_loop()
        for command in commands:
            match command:
                case lifecycle.Spawn():
                    watched.status = ""
                    self._spawner.spawn(watched.process, self._plan.notify)
                case lifecycle.Signal(pid, number):
                    self._spawner.signal(pid, number)
                case lifecycle.Wake(at):
                    loop.call_at(at, self._woken, watched)
        watched.changed.set()
        watched.changed = asyncio.Event()
        for queue in self._watchers:
            if not queue.full():
                queue.put_nowait(watched.process.name)

    def _woken(self, watched: _Watched) -> None:
        self._do(watched, watched.life.wake(self._now()))

    async def _until(
        self, watched: _Watched, reached: Callable[[Lifecycle], bool], grace: float
    ) -> View:
        # SIGKILL follows the grace; a process that outlives that by so much is beyond us.
        async with asyncio.timeout((grace or self._policy.grace) + 10.0):
            while not reached(watched.life):
                await watched.changed.wait()
        return watched.view()

    def _find(self, name: str) -> _Watched:
        watched = self._watched.get(name)
        if watched is None:
            raise Unknown(f'no process "{name}"; there are {", ".join(self._watched)}')
        return watched

    def _tell_pids(self) -> None:
        self._on_pids({watched.process.name: pid for pid, watched in self._by_pid.items()})

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _listen(self) -> None:
        Path(self._plan.notify).unlink(missing_ok=True)
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notices.setblocking(False)
        self._notices.bind(self._plan.notify)
        asyncio.get_running_loop().add_reader(self._notices, self._noticed)

    def _deafen(self) -> None:
        if self._notices is not None:
            asyncio.get_running_loop().remove_reader(self._notices)
            self._notices.close()
        Path(self._plan.notify).unlink(missing_ok=True)

    def _noticed(self) -> None:
        """A process says something of itself, in the form of sd_notify(3)."""
        notice = b""
        with contextlib.suppress(OSError):
            notice = self._notices.recv(_NOTICE) if self._notices is not None else b""
        fields = dict(
            line.partition("=")[::2] for line in notice.decode(errors="replace").splitlines()
        )
        watched = self._watched.get(fields.get("KUBEMU_PROCESS", ""))
        # A late word of a process that has been replaced says nothing about its successor.
        if watched is None or watched.life.pid not in (0, int(fields.get("MAINPID") or 0)):
            return
        watched.status = fields.get("STATUS", watched.status)
        ready = fields.get("READY") == "1"
        self._do(watched, watched.life.ready(self._now()) if ready else [])
