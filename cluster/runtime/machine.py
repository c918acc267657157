"""What a container does: its log, its main program or server, who is attached, what is executed.

Made when a container first needs it: one that only serves and is never looked at has none.
"""

import errno
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cluster.aio import clock as clocks
from cluster.runtime import containerfacts, containeruser, mounting, registryimages, usage
from cluster.runtime.httpserving import Connection, Site
from cluster.runtime.logs import Log
from cluster.runtime.nodedisk import MemoryDisk
from cluster.runtime.records import Container
from cluster.runtime.vos.accounts import GROUP, PASSWD, Accounts
from cluster.runtime.vos.credentials import SEARCH
from cluster.runtime.vos.disknodes import Rooms
from cluster.runtime.vos.files import FileSystem
from cluster.runtime.vos.kernel import Io, Kernel, NotFound, Process, Program, TooMany, decoded
from cluster.runtime.vos.nodes import Folder
from cluster.runtime.vos.sockets import Network
from cluster.runtime.vos.spool import Spool
from cluster.runtime.vos.streams import NOTHING, BrokenPipe, Joint, Pipe
from cluster.runtime.vos.tty import Tty

MAX_ATTACHED: Final = 16
OUT, ERR = "stdout", "stderr"
_CORES: Final = 4.0
"""What a container without a limit works with."""


class Refused(Exception):
    """It cannot be run; the message is runc's."""


class Standing:
    """A clock that stands still while a program starts that slept: it started long ago."""

    def __init__(self, clock: clocks.Clock) -> None:
        self._clock = clock
        self._at: float | None = None

    def now(self) -> float:
        """See `clock.Clock`."""
        return self._clock.now() if self._at is None else self._at

    def stand(self, at: float) -> None:
        """Tell this time until `go_on`."""
        self._at = at

    def go_on(self) -> None:
        """Tell the true time."""
        self._at = None


class _Console:
    """The main process's stdout or stderr: to the log, and to those who are attached."""

    def __init__(self, machine: "Machine", stream: str) -> None:
        self._machine = machine
        self._stream = stream

    async def write(self, data: bytes) -> None:
        """See `streams.Writer`."""
        self._machine.write_log(self._stream, data)
        for joint in list(self._machine.attached):
            try:
                await joint.put(self._stream, data)
            except BrokenPipe:
                self._machine.attached.pop(joint, None)


class Machine:
    """One container's doings."""

    def __init__(
        self,
        container: Container,
        log: Log,
        *,
        clock: clocks.Clock,
        programs: Mapping[str, Program],
        disk: MemoryDisk | None = None,
        rooms: Rooms | None = None,
        network: Network | None = None,
        spool: Spool | None = None,
    ) -> None:
        self.log = log
        self.clock = Standing(clock)
        self.attached: dict[Joint, None] = {}
        self.tty: Tty | None = None
        self._container = container
        self._stdin: Pipe | None = None
        config, sandbox = container.config, container.sandbox
        image = container.emulated
        theirs = image.env if image is not None and container.pulled is None else {}
        self._cwd = config.working_dir or (image.working_dir if image is not None else "") or "/"
        self._adrift = "not a directory"
        """Why its working directory is none, where that is so."""
        self.started = False
        """Whether the main program was started."""
        self._known = False
        """Whether it is known who its processes are."""
        self._passwd: tuple[str, ...] = ("", "")
        self._housed = any(one.key == "HOME" for one in config.envs) or "HOME" in theirs
        self.settled = False
        """Whether it waits for somebody to come."""
        self.kernel = Kernel(
            clock=self.clock,
            hostname=sandbox.config.hostname or sandbox.config.metadata.name,
            programs=programs,
            environment={**theirs, **{one.key: one.value for one in config.envs}},
            addresses=sandbox.addresses,
            network=network,
            image_tag=registryimages.release(container.image, container.pulled),
            on_serving=self.settle,
            console=_Console(self, OUT),
            mount=functools.partial(self._fill, disk, rooms or Rooms(), spool),
        )
        self.kernel.cores = lambda: min(usage.cores(container.resources), _CORES)
        argv = list(container.script.program) or [*config.command, *config.args]
        self.kernel.main_argv = argv or [container.image.name]
        self.kernel.home = self._cwd
        self.kernel.facts = functools.partial(containerfacts.of, container, self.clock)

    def _fill(
        self, disk: MemoryDisk | None, rooms: Rooms, spool: Spool | None, files: FileSystem
    ) -> None:
        """Lay the image's files under the volumes."""
        container = self._container
        files.space.spool = spool
        for path, text in containeruser.names(container).items():
            files.put(path, text.encode())
        if container.emulated is not None:
            container.emulated.fill(files, self.kernel.image_tag)
        if container.pulled is not None:
            registryimages.fill(files, container.pulled)
        self._passwd = tuple(decoded(files.read(path)) for path in (PASSWD, GROUP))
        mounting.fill(
            files, config=container.config, sandbox=container.sandbox, disk=disk, rooms=rooms
        )
        try:
            files.make_folders(self._cwd)
        except OSError as error:
            # It is told of when something is to run there.
            if error.errno not in (None, errno.EEXIST):
                self._adrift = os.strerror(error.errno).lower()

    # ---- the main process --------------------------------------------------------------------

    def run(self, argv: Sequence[str], on_end: Callable[[int], None]) -> None:
        """Start the main program. Refused."""
        self.started = True
        config = self._container.config
        out = _Console(self, OUT)
        environment = self._environment()
        if config.tty:
            self.tty = Tty(out)
            environment.setdefault("TERM", "xterm")
            io = Io(self.tty if config.stdin else NOTHING, self.tty, self.tty)
        else:
            self._stdin = Pipe() if config.stdin else None
            io = Io(self._stdin or NOTHING, out, _Console(self, ERR))
        process = self._start(argv, io, self.tty, environment, pid=self.kernel.main_pid)
        process.on_end(on_end)

    def settle(self) -> None:
        """Its start is over: it waits for somebody to come."""
        self.settled = True
        self.clock.go_on()

    def write_log(self, stream: str, data: bytes) -> None:
        """Write to the log what the main process wrote."""
        self.log.write_at(self.clock.now(), stream, data)

    def emit(self, line: str) -> None:
        """Write a line of the server's stdout. One who is attached and too slow misses it."""
        data = line.encode(errors="replace") + b"\n"
        self.log.write(OUT, data)
        for joint in self.attached:
            joint.offer(OUT, data)

    def signal(self, number: int) -> None:
        """Send the main process a signal."""
        self.kernel.signal(self.kernel.main_pid, number)

    def end(self) -> None:
        """The container has ended: so has all in it."""
        self.kernel.kill_all()
        self.log.close()
        for joint in list(self.attached):
            joint.end()
        self.attached.clear()

    def serve(self) -> Connection:
        """A connection to the server."""
        config = self._container.config
        pod = self._container.sandbox.config.metadata.name
        return Connection(Site(pod, config.metadata.name, self.emit))

    # ---- from outside ------------------------------------------------------------------------

    def attach(self) -> Joint:
        """Hear what the main process writes from now on. Refused."""
        if len(self.attached) >= MAX_ATTACHED:
            raise Refused(f"more than {MAX_ATTACHED} are attached already")
        joint = Joint()
        self.attached[joint] = None
        return joint

    def detach(self, joint: Joint, *, fed: bool) -> None:
        """Hear no more; `fed` tells whether it had stdin, which with stdinOnce ends with it."""
        joint.break_()
        self.attached.pop(joint, None)
        if fed and self._container.config.stdin_once:
            self.close_stdin()

    async def feed(self, data: bytes) -> None:
        """Give the main process stdin; one that takes none throws it away."""
        if self.tty is not None:
            await self.tty.type(data)
        elif self._stdin is not None:
            await self._stdin.write(data)

    def end_input(self, joint: Joint) -> None:
        """The input of one who is attached has ended: so has stdin if it is for him alone, or else
        his session, and stdin stays open for who comes next.
        """
        config = self._container.config
        if config.stdin_once and not config.tty:
            self.close_stdin()
        else:
            self.attached.pop(joint, None)
            joint.end()

    def close_stdin(self) -> None:
        """No more stdin will come."""
        if self.tty is not None:
            self.tty.hang_up()
        elif self._stdin is not None:
            self._stdin.end()

    def execute(self, argv: Sequence[str], io: Io, tty: Tty | None) -> Process:
        """Run a command beside the main process. Refused."""
        environment = self._environment()
        if tty is not None:
            environment.setdefault("TERM", "xterm")
        return self._start(argv, io, tty, environment)

    def _environment(self) -> dict[str, str]:
        """What a program begins with, where its user lives included. Refused."""
        kernel = self.kernel
        if not self._known:
            self._known = True
            files = kernel.files
            try:
                kernel.who = containeruser.of(self._container, *self._passwd)
            except containeruser.Unknown as unknown:
                raise Refused(str(unknown)) from None
            containeruser.note(self._container, kernel.who)
            if kernel.who.uid and not self._housed:
                uid = kernel.who.uid
                homes = (one.home for one in Accounts(files).users if one.uid == uid)
                kernel.environment["HOME"] = next(homes, "/")
        return dict(kernel.environment)

    def check(self) -> None:
        """See that its working directory is one. Refused."""
        if not self.kernel.files.is_folder(self._cwd):
            raise Refused(f"error during container init: mkdir {self._cwd}: {self._adrift}")

    def _start(
        self,
        argv: Sequence[str],
        io: Io,
        tty: Tty | None,
        environment: Mapping[str, str],
        pid: int = 0,
    ) -> Process:
        if not argv:
            raise Refused("no command specified")
        words = list(argv)
        self.check()
        if not self.kernel.files.seen_by(self.kernel.who).allows(self._cwd, SEARCH):
            text = f'chdir to cwd ("{self._cwd}") set in config.json failed: permission denied'
            raise Refused(text)
        if "/" in words[0] and self.kernel.find(words[0]) is None:
            words = self._script(words)
        try:
            process = self.kernel.start(words, io, cwd=self._cwd, tty=tty, pid=pid, env=environment)
        except NotFound:
            raise Refused(f'exec: "{words[0]}": executable file not found in $PATH') from None
        except TooMany:
            raise Refused("can't fork: Resource temporarily unavailable") from None
        if tty is not None:
            tty.on_signal = process.signal
        return process

    def lacks(self, path: str) -> bool:
        """Whether there is neither a program nor a file at this path."""
        return self.kernel.find(path) is None and not self.kernel.files.exists(path)

    def _script(self, words: list[str]) -> list[str]:
        """A file that is executable is a script, of the shell that it names. Refused."""
        try:
            found = self.kernel.files.find(words[0])
        except OSError as error:
            why = os.strerror(error.errno or errno.ENOENT).lower()
            raise Refused(f'exec: "{words[0]}": stat {words[0]}: {why}') from None
        if isinstance(found, Folder):
            raise Refused(f'exec: "{words[0]}": is a directory')
        if not self.kernel.who.may_execute(found):
            raise Refused(f'exec: "{words[0]}": permission denied')
        first = self.kernel.files.read(words[0])[:80].partition(b"\n")[0]
        bash = first.startswith(b"#!") and first.rstrip().endswith(b"bash")
        return ["bash" if bash else "sh", *words]
