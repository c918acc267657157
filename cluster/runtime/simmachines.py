"""What the sim driver's containers do beyond living: their logs, machines and programs.

Each is made when somebody asks for it; a container at rest has none.
"""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.aio import clock as clocks
from cluster.aio import rpc
from cluster.api.curves import Curve
from cluster.runtime import (
    endings,
    logs,
    lookups,
    messages,
    podprocesses,
    podspaces,
    registryimages,
    simstreams,
)
from cluster.runtime.config import LogFiles
from cluster.runtime.emulated import catalog
from cluster.runtime.machine import OUT, Machine, Refused
from cluster.runtime.nodedisk import MemoryDisk
from cluster.runtime.records import Container, State
from cluster.runtime.vos.disknodes import Rooms
from cluster.runtime.vos.spool import Spool

if TYPE_CHECKING:
    from cluster.runtime.vos.kernel import Api


class Machines(simstreams.Streams):
    """The part of the sim driver that has machines."""

    def __init__(
        self,
        clock: clocks.Clock,
        files: LogFiles | None,
        disk: MemoryDisk | None,
        spool: Spool | None,
    ) -> None:
        self._clock = clock
        self._files = files
        self._disk = disk
        self._spool = spool
        self._rooms = Rooms() if disk is None else None
        self.api: Api | None = None
        """How programs reach the cluster's API; None: by sockets."""

    containers: dict[str, Container]

    def exit(self, container: Container, code: int, reason: str = "") -> None:
        """A container ends; nothing happens to one that does not run."""
        raise NotImplementedError

    def hold(self, container: Container, held: Curve) -> None:
        """Have a container use so much memory (bytes) over the seconds from now on."""
        raise NotImplementedError

    def never_began(self, container: Container, why: str) -> None:
        """Its program could not be run: it has ended, as containerd has it."""
        raise NotImplementedError

    def _signalled(self, container: Container, number: int) -> None:
        code = podprocesses.ending(container, number)
        if code is not None:
            self.exit(container, code)

    def log(self, container: Container) -> logs.Log:
        """A container's log; made when it is first asked for, unless it is kept in files."""
        if container.log is None:
            path = messages.log_path(container)
            kept: logs.Kept = logs.InMemory()
            if self._files is not None and path:
                files = self._files
                kept = logs.InFiles(
                    Path(path), size=files.size, files=files.files, now=self._clock.now
                )
                if container.restored:
                    kept.adopt()
            container.log = logs.Log(kept, self._clock.now)
            if not container.restored and container.script.speaks and container.started_at:
                self._announce(container, container.log, container.started_at / 1e9)
        return container.log

    def machine(self, container: Container) -> Machine:
        """What a container does beyond living; made when it is first asked for."""
        if container.machine is None:
            container.machine = Machine(
                container, self.log(container), clock=self._clock,
                programs=catalog.programs(container.emulated), disk=self._disk,
                rooms=self._rooms,
                network=self.spaces.of(container.sandbox), spool=self._spool,
            )  # fmt: skip
            container.machine.kernel.api = self.api
            container.machine.kernel.hold = functools.partial(self.hold, container)
            container.machine.kernel.told = functools.partial(self._signalled, container)
            if container.config.HasField("linux"):
                podprocesses.join(container, container.machine, self.containers, self.machine)
        return container.machine

    async def entered(self, container: Container) -> Machine:
        """The same, for who will look into it: what it mounts is there, and a program that slept
        has begun, also in those whose processes it sees. rpc.Failure.
        """
        for each in podprocesses.seen(container):
            machine = await self.woken(each)
            if each.script.sleeps:
                await podspaces.begun(machine)
        return machine

    async def woken(self, container: Container) -> Machine:
        """The same, where a program that slept was started just now. rpc.Failure."""
        machine = await self.made(container)
        if container.script.sleeps and container.state is State.RUNNING and not machine.started:
            machine.clock.stand(container.started_at / 1e9)
            self.begin(container)
        return machine

    async def made(self, container: Container) -> Machine:
        """The same, where what it mounts is there. rpc.Failure."""
        if self._disk is not None and container.config.mounts:
            await self._disk.demand([mount.host_path for mount in container.config.mounts])
            if self.containers.get(container.id) is not container:  # removed meanwhile
                raise lookups.missing("container", container.id)
        return self.machine(container)

    def begin(self, container: Container) -> None:
        """Start a container's program. rpc.Failure where it cannot be run."""
        argv = container.script.program
        try:
            self.machine(container).run(argv, functools.partial(self.exit, container))
        except Refused as refused:
            raise self._not_created(container, refused) from refused

    async def placed(self, container: Container) -> None:
        """See that a container has its working directory, though nothing runs there yet: the image
        has its own, one that the pod asks for is looked at. rpc.Failure.
        """
        asked = container.config.working_dir
        if asked in ("", "/", _own_folder(container)):
            return
        known = container.machine, container.log
        try:
            (await self.made(container)).check()
        except Refused as refused:
            raise self._not_created(container, refused) from refused
        if not podprocesses.shares(container):
            container.machine, container.log = known  # who is never looked at has none

    def _not_created(self, container: Container, refused: Refused) -> rpc.Failure:
        text = (
            "failed to create containerd task: failed to create shim task: OCI runtime "
            "create failed: runc create failed: unable to start container process: "
            f"{refused}: unknown"
        )
        self.never_began(container, text)
        return rpc.Failure("UNKNOWN", text)

    @staticmethod
    def _announce(container: Container, log: logs.Log, at: float) -> None:
        ports = container.script.ports
        where = f"serving HTTP on {', '.join(map(str, ports))}" if ports else "started"
        lines = container.script.log or (f"{container.config.metadata.name}: {where}",)
        log.write_at(at, "stdout", "".join(f"{line}\n" for line in lines).encode())

    def emit(self, container: Container, line: str) -> None:
        """A line of a server that answers by itself."""
        if container.machine is not None:
            container.machine.emit(line)
        else:
            self.log(container).write(OUT, line.encode(errors="replace") + b"\n")


def _own_folder(container: Container) -> str:
    """The working directory that its image has made."""
    if container.pulled is not None:
        return registryimages.working_dir(container.pulled)
    return container.emulated.working_dir if container.emulated is not None else ""


def last_words(container: Container, machine: Machine) -> str:
    """The termination message of a container that has ended."""
    annotations = container.config.annotations
    path = annotations.get(endings.MESSAGE_PATH) or endings.DEFAULT_PATH
    try:
        written = machine.kernel.files.read(path)
    except OSError:
        written = b""
    kept = machine.log.kept
    log = kept.read(max(kept.end - endings.TAIL, kept.start), endings.TAIL)
    return endings.message(annotations, written, log, container.exit_code)
