"""One container's processes: a table of coroutines with pids, streams, signals and exit codes.

The kernel owns the tasks of its processes (no group: a container has no block, and one process's
failure is not the others'): each is named, its failure is logged and becomes an exit code, and
`kill_all` ends them. A process that computes without end gives way every few steps. What a process
is and what its kernel does with it share so much that they stay in one file, though it is long.
"""

import asyncio
import signal as signals
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog

from cluster.aio import clock as clocks
from cluster.aio import tasks
from cluster.runtime.vos import credentials, files, proc, skeleton
from cluster.runtime.vos import facts as machinefacts
from cluster.runtime.vos.credentials import Credentials
from cluster.runtime.vos.metering import Meter
from cluster.runtime.vos.pids import Pids
from cluster.runtime.vos.streams import NOTHING, BrokenPipe, Reader, TooMuch, Writer
from cluster.runtime.vos.tty import Tty

if TYPE_CHECKING:
    from cluster.api.curves import Curve
    from cluster.client.transport import Transport
    from cluster.runtime.vos.opened import Opened
    from cluster.runtime.vos.sockets import Network

MAX_PROCESSES: Final = 64
_STEPS: Final = 100
"""Steps between two pauses."""
_BRISK: Final = 20_000
"""Steps that a container makes at full speed; an endless loop is slowed down afterwards."""
_PAUSE: Final = 0.001
_LONG_PAUSE: Final = 0.02
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_FOLDERS: Final = frozenset(PATH.split(":"))

KILL: Final = int(signals.SIGKILL)
TERM: Final = int(signals.SIGTERM)
INT: Final = int(signals.SIGINT)
BROKEN_PIPE: Final = 128 + int(signals.SIGPIPE)
_FAULT: Final = 128 + int(signals.SIGSEGV)
_IGNORED: Final = frozenset(
    int(one) for one in (signals.SIGCHLD, signals.SIGWINCH, signals.SIGCONT, signals.SIGURG)
)


@dataclass(slots=True)
class Io:
    """The open descriptors of a process: readers and writers by number."""

    stdin: Reader = NOTHING
    stdout: Writer = NOTHING
    stderr: Writer = NOTHING
    more: dict[int, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Call:
    """A program that runs: what it was called with."""

    argv: Sequence[str]
    process: "Process"
    io: Io
    env: Mapping[str, str]
    cwd: str

    @property
    def kernel(self) -> "Kernel":
        """The kernel."""
        return self.process.kernel

    @property
    def files(self) -> files.FileSystem:
        """The files, as far as the process may look at and change them."""
        return self.process.files

    @property
    def net(self) -> "Network":
        """The network of the pod. What a process opens there is closed when it ends."""
        return self.process.net

    def path(self, text: str) -> str:
        """A path that was named, absolute."""
        return files.absolute(text, self.cwd)

    async def out(self, text: str) -> None:
        """Print."""
        await self.io.stdout.write(encoded(text))

    async def complain(self, text: str, code: int = 1) -> int:
        """Print `program: text` to stderr; the exit code."""
        name = self.argv[0].rpartition("/")[2]
        await self.io.stderr.write(encoded(f"{name}: {text}\n"))
        return code


Program = Callable[[Call], Awaitable[int]]


Token = Callable[[], str]
"""Gives the token of a pod's service account as it is now. errors.StatusError."""
Api = Callable[[Token], "Transport"]
"""Makes a way to the cluster's API for who has a token."""


class NotFound(Exception):
    """There is no such program."""


class TooMany(Exception):
    """No room for another process."""


class Process:
    """A process. `handlers` are called with the number of a signal, instead of ending it."""

    def __init__(
        self,
        kernel: "Kernel",
        pid: int,
        argv: Sequence[str],
        io: Io,
        tty: Tty | None,
        *,
        who: Credentials = credentials.ROOT,
    ) -> None:
        self.kernel = kernel
        self.who = who
        """Who it is, and its umask."""
        self.pid = pid
        self.argv = argv
        self.io = io
        self.tty = tty
        self.parent = 0
        """Who began it; 0 for what came from outside."""
        self.began = kernel.clock.now()
        self.cwd = "/"
        self.environment: Mapping[str, str] = {}
        self.doing: Sequence[str] = ()
        """The program that a shell runs now in its own process."""
        self.code: int | None = None
        """How it ended."""
        self.handlers: MutableMapping[int, Callable[[int], None]] = {}
        self._view: files.FileSystem | None = None
        self._signal = 0
        self._exit: int | None = None
        self._opened: Opened | None = None
        self._task: asyncio.Task[int] | None = None
        self._waiting: list[asyncio.Future[int]] = []
        self._ended: list[Callable[[int], None]] = []

    def begin(self, body: Callable[["Process"], Awaitable[int]]) -> None:
        """Start it. The kernel's own."""
        self._task = self.kernel.tasks.spawn(self._run(body), self.argv[0][:40])
        self._task.add_done_callback(self._done)

    def runs_in(self, task: "asyncio.Task[Any] | None") -> bool:
        """Whether this task is its."""
        return task is not None and self._task is task

    @property
    def files(self) -> files.FileSystem:
        """The container's files, as far as this process may look at and change them."""
        if self._view is None or self._view.who is not self.who:
            self._view = self.kernel.files.seen_by(self.who)
        return self._view

    @property
    def net(self) -> "Network":
        """The pod's network, as this process uses it."""
        if self._opened is None:
            # Imported here: few processes have sockets.
            from cluster.runtime.vos.opened import NoNetwork, Opened

            kernel = self.kernel
            self._opened = Opened(kernel.network or NoNetwork(), kernel.on_serving)
        return self._opened

    def exit(self, code: int) -> None:
        """End it with this code, from outside: a signal's handler does so."""
        if self.code is None and self._task is not None:
            self._exit = code
            self._task.cancel()

    def on_end(self, listener: Callable[[int], None]) -> None:
        """Have `listener` called with the exit code."""
        self._ended.append(listener)

    def signal(self, number: int) -> None:
        """Send a signal. The first process heeds only what it has a handler for, and KILL."""
        if self.code is not None or number == 0:
            return
        handler = self.handlers.get(number)
        if handler is not None and number != KILL:
            handler(number)
        elif number == KILL or (self.pid != 1 and number not in _IGNORED):
            self._signal = self._signal or number
            if number == KILL and self._opened is not None:
                # At once: whoever takes its place may want the same port.
                self._opened.close()
            if self._task is not None:
                self._task.cancel()

    async def wait(self) -> int:
        """The exit code, once it has ended."""
        if self.code is None:
            future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            return await future
        return self.code

    async def _run(self, body: Callable[["Process"], Awaitable[int]]) -> int:
        try:
            return await body(self)
        except BrokenPipe:
            return BROKEN_PIPE
        except SystemExit as ended:
            # Of somebody's program; asyncio would end the whole loop by it.
            return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except PermissionError as refused:
            text = f"{self.argv[0]}: {refused.filename or ''}: {refused.strerror}\n"
            await self.io.stderr.write(encoded(text))
            return 1
        except (TooMuch, RecursionError, MemoryError):
            await self.io.stderr.write(encoded(f"{self.argv[0]}: out of memory\n"))
            return 1
        except Exception:
            log = structlog.get_logger()
            log.exception("an emulated program failed", argv=list(self.argv)[:8])
            return _FAULT

    def _done(self, task: asyncio.Task[int]) -> None:
        if task.cancelled() or task.exception() is not None:
            code = 128 + (self._signal or KILL) if self._exit is None else self._exit
        else:
            code = task.result()
        self.code = code & 0xFF
        if self._opened is not None:
            self._opened.close()
        self.kernel.forget(self)
        for future in self._waiting:
            if not future.done():
                future.set_result(self.code)
        for listener in self._ended:
            listener(self.code)


class Kernel:
    """One container's processes and files.

    `console` is the main process's stdout; `mount` puts volumes into the files when they are made.
    """

    def __init__(
        self,
        *,
        clock: clocks.Clock,
        hostname: str,
        programs: Mapping[str, Program],
        environment: Mapping[str, str],
        addresses: Sequence[str] = (),
        console: Writer = NOTHING,
        mount: Callable[[files.FileSystem], None] | None = None,
        network: "Network | None" = None,
        image_tag: str = "",
        on_serving: Callable[[], None] = lambda: None,
    ) -> None:
        self.clock = clock
        self.hostname = hostname
        self.programs = programs
        self.environment = {"PATH": PATH, "HOSTNAME": hostname, "HOME": "/root"} | dict(environment)
        self.addresses = addresses
        self.network = network
        self.on_serving = on_serving
        """Called when a process begins to wait for somebody to come."""
        self.console = console
        self.started = clock.now()
        self.pids = Pids()
        """The processes that it sees."""
        self.main_pid = self.pids.join(self)
        """That of its main process."""
        self.told: Callable[[int], None] = _unheard
        """Called with a signal for a main process that is no coroutine, and not the first one."""
        self.tasks = tasks.Background(f"sim/{hostname}", _failed)
        self.who = credentials.ROOT
        """Who its processes are, unless something else is said."""
        self.image_tag = image_tag
        """The tag that the image was asked for by, for programs that tell their version."""
        self.cores: Callable[[], float] = _one
        """How many cores its programs may use now."""
        self.hold: Callable[[Curve], None] = _nothing
        """Have the container use so much memory from now on: bytes over seconds from now."""
        self.api: Api | None = None
        """The way to the cluster's API, where that is not by sockets."""
        self.meter: Meter | None = None
        """What its programs have worked, where one of them says so."""
        self.main_argv: Sequence[str] = ()
        """What pid 1 is, where it is no coroutine."""
        self.home = "/"
        """Where its programs begin."""
        self.facts: Callable[[], machinefacts.Facts] = _plain
        """What they can learn of the machine."""
        self.settings: files.Folder | None = None
        """/proc/sys, once somebody has looked at it."""
        self._steps = 0
        self._files: files.FileSystem | None = None
        self._mount = mount

    @property
    def files(self) -> files.FileSystem:
        """The container's files; made when they are first asked for."""
        if self._files is None:
            self._files = files.FileSystem(self.clock.now)
            skeleton.fill(self._files, self.hostname, self.addresses, sorted(self.programs))
            proc.lay(self, self._files)
            mount, self._mount = self._mount, None
            if mount is not None:
                mount(self._files)
        return self._files

    def release(self) -> None:
        """Its container is removed: know nobody any more who knows it, so that no cycle is left."""
        self.on_serving, self.console, self._mount = _idle, NOTHING, None
        self.told, self.hold, self.cores, self.facts = _unheard, _nothing, _one, _plain

    @property
    def processes(self) -> dict[int, Process]:
        """Those that it sees and that are coroutines, by pid."""
        return self.pids.processes

    def share(self, pids: Pids) -> None:
        """See other containers' processes from now on, and be seen. Before any is begun."""
        self.pids.leave(self)
        self.pids = pids
        self.main_pid = pids.join(self)

    def metered(self) -> Meter:
        """What counts the work of its programs; made when it is first asked for."""
        if self.meter is None:
            self.meter = Meter()
        return self.meter

    def find(self, name: str) -> Program | None:
        """The program of a name or path."""
        return lookup(self.programs, name)

    def start(
        self,
        argv: Sequence[str],
        io: Io,
        *,
        cwd: str = "/",
        tty: Tty | None = None,
        pid: int = 0,
        env: Mapping[str, str] | None = None,
        who: Credentials | None = None,
    ) -> Process:
        """Run a program; `who` is its user, if not the container's. NotFound, TooMany."""
        program = self.find(argv[0])
        if program is None:
            raise NotFound(argv[0])
        variables = self.environment if env is None else env

        async def body(process: Process) -> int:
            return await program(Call(argv, process, io, variables, cwd))

        process = self.fork(argv, io, body, tty=tty, pid=pid, who=who)
        process.cwd, process.environment = cwd, variables
        return process

    def fork(
        self,
        argv: Sequence[str],
        io: Io,
        body: Callable[[Process], Awaitable[int]],
        *,
        tty: Tty | None = None,
        pid: int = 0,
        who: Credentials | None = None,
    ) -> Process:
        """Run a coroutine as a process; `who` is its user, if not the container's. TooMany."""
        if len(self._own()) >= MAX_PROCESSES:
            raise TooMany
        pid = pid or self.pids.new()
        mother = self.current()
        process = self.processes[pid] = Process(self, pid, argv, io, tty, who=who or self.who)
        if mother is not None:
            process.parent = mother.pid
            process.cwd, process.environment = mother.cwd, mother.environment
        process.begin(body)
        return process

    def current(self) -> Process | None:
        """The process whose coroutine runs now."""
        task = asyncio.current_task()
        return next((one for one in self.processes.values() if one.runs_in(task)), None)

    def forget(self, process: Process) -> None:
        """A process has ended. Its own."""
        self.processes.pop(process.pid, None)

    def signal(self, pid: int, number: int) -> bool:
        """Send a signal to a process; False where there is none of that pid."""
        row = self.pids.row(pid)
        if row is None:
            return False
        if row.process is not None:
            row.process.signal(number)
        elif row.kernel is not None and pid != 1:
            row.kernel.told(number)
        return True

    def kill_all(self) -> None:
        """End every process at once, and those of others where it has the first one."""
        for process in self._own():
            process.signal(KILL)
        self.pids.leave(self)
        if self.main_pid == 1:
            for other in list(self.pids.members):
                other.signal(other.main_pid, KILL)

    def _own(self) -> list[Process]:
        return [one for one in self.processes.values() if one.kernel is self]

    async def step(self) -> None:
        """Count a step of a program, and give way now and then."""
        self._steps += 1
        if self._steps % _STEPS == 0:
            await asyncio.sleep(_PAUSE if self._steps < _BRISK else _LONG_PAUSE)


def _failed(name: str, error: BaseException) -> None:
    structlog.get_logger().error("an emulated program failed", task=name, error=repr(error))


def _plain() -> machinefacts.Facts:
    return machinefacts.PLAIN


def _idle() -> None:
    return


def _unheard(_number: int) -> None:
    return


def _one() -> float:
    return 1.0


def _nothing(_held: "Curve") -> None:
    return


def encoded(text: str) -> bytes:
    """Text as a program writes it."""
    return text.encode("utf-8", "surrogateescape")


def decoded(data: bytes) -> str:
    """Bytes as a program reads them."""
    return data.decode("utf-8", "surrogateescape")


def lookup(programs: Mapping[str, Program], name: str) -> Program | None:
    """The program of a name, or of a path: its own, or one in a directory of PATH or the root.

    Programs are kept by name, or by absolute path; those of a directory of PATH have a name, too.
    """
    folder, slash, base = name.rpartition("/")
    found = programs.get(name)
    if found is None and slash and (not folder or folder in _FOLDERS):
        found = programs.get(base)
    if found is None and not slash:
        paths = (f"{one}/{name}" for one in PATH.split(":"))
        found = next((programs[path] for path in paths if path in programs), None)
    return found
