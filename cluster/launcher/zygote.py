"""The zygote: a process that imports everything once and is forked for each process to start.

A child has all modules at once and shares their memory with its siblings. The zygote itself never
makes a thread, a loop or a gRPC object, for none of them survives a fork. It works for a
supervisor at the other end of a socket; requests and reports are JSON, one a packet:

    {"op": "spawn", "name", "component", "argv", "env", "log", "notify"}   -> {"spawned", "pid"}
                                                                    or {"failed", "why"}
    {"op": "signal", "pid", "signal"}                               (only to its own children)
                                                       a child ended -> {"exited": pid, "status"}

Modules come in groups. A request is carried out as soon as the group of its component is there, so
that the first process starts while the modules of others are still being imported.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from cluster.launcher import forking

Entry = Callable[[Sequence[str]], None]
Groups = Mapping[str, Sequence[str]]

PACKET: Final = 256 * 1024
_CLOSING_GRACE: Final = 5.0
_LOG_KEPT: Final = 32 * 1024 * 1024


def possible() -> bool:
    """Whether processes can be forked safely here. On macOS the system's libraries forbid it."""
    return sys.platform == "linux"


class Zygote:
    """See the module. `entry` is the command line's function: it takes the arguments."""

    def __init__(self, link: socket.socket, groups: Groups, entry: Entry) -> None:
        self._link = link
        self._entry = entry
        self._imports = [(group, name) for group, names in groups.items() for name in names]
        self._waiting: list[dict[str, Any]] = []
        self._children: set[int] = set()
        self._woken, self._wake = os.pipe()

    def run(self) -> NoReturn:
        """Serve until the supervisor is gone, then end all children."""
        gc.disable()
        _catch_children(self._wake, self._woken)
        while self._turn():
            pass
        self._end_children()
        os._exit(0)

    def _turn(self) -> bool:
        """Wait for one thing and do it; meanwhile import. False: the supervisor is gone."""
        timeout = 0 if self._imports else None
        ready, _, _ = select.select([self._link.fileno(), self._woken], [], [], timeout)
        if self._woken in ready:
            os.read(self._woken, 4096)
            self._reap()
        if self._link.fileno() in ready and not self._receive():
            return False
        importing = bool(self._imports)
        if importing:
            _, module = self._imports.pop(0)
            _import(module)
        self._start_waiting()
        if importing and not self._imports:
            forking.release_files()
        return True

    def _receive(self) -> bool:
        try:
            packet = self._link.recv(PACKET)
        except ConnectionResetError:
            return False
        if not packet:
            return False
        request = json.loads(packet)
        if request["op"] == "spawn":
            self._waiting.append(request)
        elif request["pid"] in self._children:
            os.kill(request["pid"], request["signal"])
        return True

    def _start_waiting(self) -> None:
        missing = {group for group, _ in self._imports}
        held = []
        for request in self._waiting:
            if request["component"] in missing or "" in missing:
                held.append(request)
            else:
                self._start(request)
        self._waiting = held

    def _start(self, request: dict[str, Any]) -> None:
        if _threads() > 1:
            self._report(failed=request["name"], why="the zygote has threads and cannot be forked")
            return
        forking.prepare()
        try:
            pid = os.fork()
        except OSError as error:
            self._report(failed=request["name"], why=f"fork: {error.strerror}")
            return
        if pid == 0:
            self._become(request)
        self._children.add(pid)
        self._report(spawned=request["name"], pid=pid)

    def _become(self, request: dict[str, Any]) -> NoReturn:
        """Be the process that was asked for, to its end."""
        self._link.close()
        os.close(self._woken)
        signal.set_wakeup_fd(-1)
        os.close(self._wake)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        # The collector stays off until the command has its thresholds (cli.process): one that goes
        # through what is shared makes it the child's own.
        become(request, self._entry)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._children.discard(pid)
            self._report(exited=pid, status=os.waitstatus_to_exitcode(status))

    def _report(self, **content: Any) -> None:
        # A supervisor that is gone is seen at the next receive.
        with contextlib.suppress(OSError):
            self._link.send(json.dumps(content).encode())

    def _end_children(self) -> None:
        deadline = time.monotonic() + _CLOSING_GRACE
        for pid in self._children:
            os.kill(pid, signal.SIGTERM)
        while self._children and time.monotonic() < deadline:
            ready, _, _ = select.select([self._woken], [], [], deadline - time.monotonic())
            if ready:
                os.read(self._woken, 4096)
                self._reap()
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)


def become(request: Mapping[str, Any], entry: Entry) -> NoReturn:
    """In a child: take on log file, environment and title, run the command, and end."""
    code = 1
    try:
        redirect(Path(request["log"]))
        os.environ.update(request["env"])
        os.environ["NOTIFY_SOCKET"] = request["notify"]
        os.environ["KUBEMU_PROCESS"] = request["name"]
        sys.argv = ["kubemu", *request["argv"]]
        _entitle(" ".join(sys.argv))
        entry(request["argv"])
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - the last place that can tell of it
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def redirect(log: Path) -> None:
    """Let standard output and error go to the end of `log`, and read nothing from input."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > _LOG_KEPT:
            log.replace(log.with_name(f"{log.name}.1"))
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (descriptor, 1), (descriptor, 2)):
        os.dup2(source, target)
    os.close(descriptor)
    os.close(null)


def _import(entry: str) -> None:
    """Import for all; of `module:function`, call the function too. Where that fails, those who need
    the module say so in their own log.
    """
    module, _, function = entry.partition(":")
    try:
        found = importlib.import_module(module)
        if function:
            getattr(found, function)()
    except Exception:  # noqa: BLE001
        print(f"cannot import {entry} beforehand:", file=sys.stderr)  # noqa: T201
        sys.excepthook(*sys.exc_info())


def _catch_children(wake: int, woken: int) -> None:
    for end in (wake, woken):
        os.set_blocking(end, False)
        os.set_inheritable(end, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The zygote ends with its supervisor, not before it.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _entitle(title: str) -> None:
    import setproctitle

    setproctitle.setproctitle(title)


def _threads() -> int:
    tasks = Path("/proc/self/task")
    return len(os.listdir(tasks)) if tasks.exists() else 1  # noqa: PTH208 - quicker than iterdir
