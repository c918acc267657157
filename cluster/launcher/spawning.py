"""How the supervisor starts processes and hears of their end: by a zygote, or one by one.

Both ways report to a `Listener`. By fork where that is safe (Linux); elsewhere each process is an
interpreter of its own, which takes longer and shares no memory.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from cluster.launcher import processes, zygote

_PR_SET_CHILD_SUBREAPER: Final = 36
# The first zygote that dies is replaced at once; one that cannot live is not tried all the time.
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_ENVIRONMENT_SHOWN: Final = ("NOTIFY_SOCKET", "KUBEMU_PROCESS")

log = structlog.get_logger("supervisor")


class Listener(Protocol):
    """Hears what became of processes."""

    def spawned(self, name: str, pid: int) -> None:
        """A process runs."""
        ...

    def failed(self, name: str, why: str) -> None:
        """A process could not be started."""
        ...

    def exited(self, pid: int, status: int | None) -> None:
        """A process ended: exit code, negative signal number, or None where nobody knows."""
        ...


class Spawner(Protocol):
    """Starts processes. Nothing here blocks; the listener hears of all that happens."""

    @property
    def helper(self) -> int:
        """The pid of the process that serves the spawner; 0 where there is none."""
        ...

    def open(self, listener: Listener) -> None:
        """Begin; from the event loop, before anything else."""
        ...

    def spawn(self, process: processes.Process, notify: str) -> None:
        """Start a process, which tells `notify` (a datagram socket) that it is ready."""
        ...

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to a process that was spawned here and has not ended."""
        ...

    def close(self) -> None:
        """End what serves the spawner itself. No process runs any more."""
        ...


class _Reaper:
    """Collects the ends of our own children, by SIGCHLD."""

    def __init__(self, on_end: Callable[[int, int | None], None]) -> None:
        self._on_end = on_end
        self._pids: dict[int, None] = {}

    def open(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self.collect)

    def add(self, pid: int) -> None:
        self._pids[pid] = None

    def __contains__(self, pid: int) -> bool:
        return pid in self._pids

    def collect(self) -> None:
        for pid in list(self._pids):
            try:
                ended, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                ended, status = pid, -1
            if ended:
                del self._pids[pid]
                self._on_end(pid, None if status < 0 else os.waitstatus_to_exitcode(status))
        self._collect_strangers()

    def _collect_strangers(self) -> None:
        """Who adopts orphans has to bury them: what processes left behind, which nobody asks for.

        Those that are known are left for the next signal.
        """
        with contextlib.suppress(ChildProcessError):
            while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if found.si_pid in self._pids:
                    return
                os.waitpid(found.si_pid, os.WNOHANG)


class ExecSpawner:
    """Runs the `kubemu` command anew for each process. `command` starts the command line."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._reaper = _Reaper(self._ended)
        self._listener: Listener | None = None

    @property
    def helper(self) -> int:
        """Nothing serves this spawner."""
        return 0

    def open(self, listener: Listener) -> None:
        """Begin; from the event loop."""
        self._listener = listener
        self._reaper.open()

    def spawn(self, process: processes.Process, notify: str) -> None:
        """Start a process; the listener hears of it in a later turn."""
        loop = asyncio.get_running_loop()
        listener = self._heard()
        environment = os.environ | dict(process.env)
        environment |= dict(zip(_ENVIRONMENT_SHOWN, (notify, process.name), strict=True))
        try:
            with Path(process.log).open("ab") as file:
                child = subprocess.Popen(
                    [*self._command, *process.argv], stdin=subprocess.DEVNULL, stdout=file,
                    stderr=file, env=environment, start_new_session=True,
                )  # fmt: skip
        except OSError as error:
            loop.call_soon(listener.failed, process.name, str(error))
            return
        # The reaper waits for it, not this object.
        child.returncode = 0
        self._reaper.add(child.pid)
        loop.call_soon(listener.spawned, process.name, child.pid)

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to a child that has not been collected."""
        if pid in self._reaper:
            os.kill(pid, number)

    def close(self) -> None:
        """Nothing serves this spawner."""

    def _ended(self, pid: int, status: int | None) -> None:
        self._heard().exited(pid, status)

    def _heard(self) -> Listener:
        if self._listener is None:
            raise RuntimeError("the spawner was not opened")
        return self._listener


class ForkSpawner:
    """Asks a zygote. If the zygote is killed, its children are adopted and a new one is started.

    `link` and `pid` are those of the first zygote; `command` starts another, with the descriptor
    of its socket as last argument.
    """

    def __init__(self, link: socket.socket, pid: int, command: Sequence[str]) -> None:
        self._link = link
        self._pid = pid
        self._command = tuple(command)
        self._reaper = _Reaper(self._ended)
        self._listener: Listener | None = None
        self._asked: dict[str, bytes] = {}
        self._children: dict[int, None] = {}
        # What the zygote, busy with importing, has not taken yet: at most a few packets a process.
        self._outbox: deque[bytes] = deque()
        self._pause = 0.0
        self._closing = False

    @property
    def helper(self) -> int:
        """The zygote's pid."""
        return self._pid

    def open(self, listener: Listener) -> None:
        """Begin; from the event loop."""
        self._listener = listener
        _adopt_orphans()
        self._reaper.open()
        self._reaper.add(self._pid)
        self._attach()

    def spawn(self, process: processes.Process, notify: str) -> None:
        """Ask for a process."""
        request = json.dumps({
            "op": "spawn", "name": process.name, "component": process.component,
            "argv": process.argv, "env": dict(process.env), "log": process.log, "notify": notify,
        }).encode()  # fmt: skip
        self._asked[process.name] = request
        self._send(request)

    def signal(self, pid: int, number: int) -> None:
        """Send a signal, by the zygote where it is the parent, for only it knows who lives."""
        if pid in self._reaper:
            os.kill(pid, number)
        else:
            self._send(json.dumps({"op": "signal", "pid": pid, "signal": number}).encode())

    def close(self) -> None:
        """End the zygote."""
        self._closing = True
        if self._link.fileno() >= 0:
            self._detach()

    def _attach(self) -> None:
        self._link.setblocking(False)
        asyncio.get_running_loop().add_reader(self._link, self._receive)

    def _detach(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._link)
        loop.remove_writer(self._link)
        self._link.close()
        self._outbox.clear()

    def _send(self, packet: bytes) -> None:
        # While there is no zygote, nothing is sent: a new one is asked for all that is open.
        if self._link.fileno() >= 0:
            self._outbox.append(packet)
            self._flush()

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._outbox:
                self._link.send(self._outbox[0])
                self._outbox.popleft()
        except BlockingIOError:
            loop.add_writer(self._link, self._flush)
            return
        except OSError:
            # The zygote is gone, which its end will tell.
            self._outbox.clear()
        loop.remove_writer(self._link)

    def _receive(self) -> None:
        try:
            packet = self._link.recv(zygote.PACKET)
        except OSError:
            packet = b""
        if packet:
            self._heed(json.loads(packet))
        else:
            asyncio.get_running_loop().remove_reader(self._link)

    def _heed(self, report: dict[str, Any]) -> None:
        listener = self._heard()
        if "spawned" in report:
            self._asked.pop(report["spawned"], None)
            self._children[report["pid"]] = None
            listener.spawned(report["spawned"], report["pid"])
        elif "failed" in report:
            self._asked.pop(report["failed"], None)
            listener.failed(report["failed"], report["why"])
        else:
            self._children.pop(report["exited"], None)
            listener.exited(report["exited"], report["status"])

    def _ended(self, pid: int, status: int | None) -> None:
        if pid != self._pid:
            self._children.pop(pid, None)
            self._heard().exited(pid, status)
        elif not self._closing:
            log.warning("zygote died, starting another", pid=pid, status=status)
            self._adopt()
            asyncio.get_running_loop().call_later(self._pause, self._replace)
            self._pause = min(self._pause * 2 or _FIRST_PAUSE, _LONGEST_PAUSE)

    def _adopt(self) -> None:
        """Become the parent of the dead zygote's children, who live on."""
        while self._readable():
            self._receive()
        self._detach()
        for pid in self._children:
            self._reaper.add(pid)
        self._end_strangers()
        # Some may have ended meanwhile, and their signals been counted as one.
        asyncio.get_running_loop().call_soon(self._reaper.collect)

    def _replace(self) -> None:
        """Start a new zygote, and ask it for what was under way."""
        if self._closing:
            return
        self._link, self._pid = start_zygote(self._command)
        self._reaper.add(self._pid)
        self._attach()
        for request in self._asked.values():
            self._send(request)

    def _end_strangers(self) -> None:
        """Kill children that the zygote forked and could not tell of: they are asked for again."""
        import psutil

        for child in psutil.Process().children():
            if child.pid not in self._reaper:
                self._reaper.add(child.pid)
                child.kill()

    def _readable(self) -> bool:
        try:
            return bool(self._link.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def _heard(self) -> Listener:
        if self._listener is None:
            raise RuntimeError("the spawner was not opened")
        return self._listener


def start_zygote(command: Sequence[str]) -> tuple[socket.socket, int]:
    """Start a zygote in an interpreter of its own: the link to it, and its pid."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    descriptor = theirs.fileno()
    with theirs:
        child = subprocess.Popen(
            [*command, str(descriptor)], pass_fds=[descriptor], stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    # The reaper waits for it, not this object.
    child.returncode = 0
    return ours, child.pid


def _adopt_orphans() -> None:
    """Become the parent of our zygote's children if it dies (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
