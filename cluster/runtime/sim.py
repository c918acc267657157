"""The sim driver: containers that do nothing but live and end as they were told.

A container with nothing scripted is a record: no task, no timer. What is due later (an end, a
kill) is one timer of the loop; what waits for an end holds a future.
"""

import asyncio
import contextlib
import dataclasses
import functools
import math
import random
from collections.abc import Sequence
from pathlib import Path

from cluster.aio import clock as clocks
from cluster.aio import rpc, tasks
from cluster.api import imagescripts
from cluster.api.curves import Curve
from cluster.api.imagescripts import Scripts
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import (
    containeruser,
    deciding,
    endings,
    handlers,
    logs,
    messages,
    naming,
    podspaces,
    registryimages,
    script,
    simmachines,
    simstreams,
)
from cluster.runtime.config import LogFiles
from cluster.runtime.driver import Listener
from cluster.runtime.following import Following
from cluster.runtime.nodedisk import MemoryDisk
from cluster.runtime.podaddresses import Addresses
from cluster.runtime.podprocesses import shares
from cluster.runtime.records import Change, Container, Event, Sandbox, State
from cluster.runtime.registryimages import RegistryImage
from cluster.runtime.vos.spool import Spool


class Sim(simmachines.Machines):
    """Runs sandboxes and containers. `listener` hears of each change, and must not block."""

    def __init__(
        self,
        *,
        clock: clocks.Clock,
        random: random.Random,
        listener: Listener,
        addresses: Addresses | None = None,
        files: LogFiles | None = None,
        disk: MemoryDisk | None = None,
        spool: Spool | None = None,
        scripts: Scripts = imagescripts.NONE,
    ) -> None:
        super().__init__(clock, files, disk, spool)
        self._scripts = scripts
        self._random = random
        self._listener = listener
        self._last_time = 0
        self._addresses = addresses or Addresses()
        self.sandboxes: dict[str, Sandbox] = {}
        self.containers: dict[str, Container] = {}
        self._names = naming.SandboxNames()
        self.spaces = podspaces.Spaces(self.woken, self.emit, clock.now)
        self.following = Following()
        self.inputs = tasks.Background("streams", simstreams.input_ended)
        if self._addresses.cidrs:
            self.spaces.set_networks(self._addresses.networks)

    def time(self) -> int:
        """Nanoseconds since the epoch, later than every time that was given before."""
        self._last_time = max(self._last_time + 1, int(self._clock.now() * 1e9))
        return self._last_time

    @property
    def pod_cidr(self) -> str:
        """See `driver.Driver`."""
        return self._addresses.cidrs

    def set_pod_cidr(self, cidrs: str) -> None:
        """Give pods addresses from these ranges from now on. ValueError for what is no CIDR."""
        if self._addresses.set(cidrs):
            self.spaces.set_networks(self._addresses.networks)

    async def run_sandbox(self, config: pb.PodSandboxConfig, handler: str) -> Sandbox:
        """Make a sandbox that is ready. rpc.Failure."""
        kind = handlers.BY_NAME.get(handler)
        if kind is None:
            text = f'failed to get sandbox runtime: no runtime for "{handler}" is configured'
            raise rpc.Failure("UNKNOWN", text)
        self._names.check(config)
        sandbox = Sandbox(self._new_id(), config, handler, 0, self._addresses.take(config))
        self._names.hold(config, sandbox.id)
        try:
            await self._boot(sandbox, kind)
        except BaseException:
            # Who asked has given up, or it cannot boot: nothing of it is left.
            self._names.free(config)
            self._addresses.give_back(sandbox.addresses)
            raise
        self.sandboxes[sandbox.id] = sandbox
        self.spaces.joined(sandbox)
        self._tell(sandbox, sandbox.id, Change.STARTED)
        return sandbox

    async def _boot(self, sandbox: Sandbox, kind: handlers.Handler) -> None:
        """Take the time that its handler takes. rpc.Failure."""
        sandbox.created_at = self.time()
        try:
            seconds = handlers.boot_seconds(kind, sandbox.config.annotations, self._random)
        except ValueError as error:
            raise rpc.Failure("INVALID_ARGUMENT", str(error)) from error
        if seconds > 0:
            await asyncio.sleep(seconds)

    async def stop_sandbox(self, sandbox: Sandbox) -> None:
        """Kill what runs in it and let its addresses go. Nothing happens to a stopped one."""
        for container in list(sandbox.containers.values()):
            if container.state is State.RUNNING:
                self.exit(container, script.KILLED)
        if not sandbox.ready:
            return
        sandbox.ready = False
        self.spaces.left(sandbox)
        self._addresses.give_back(sandbox.addresses)
        self._tell(sandbox, sandbox.id, Change.STOPPED)

    async def remove_sandbox(self, sandbox: Sandbox) -> None:
        """Stop and forget a sandbox with all its containers."""
        await self.stop_sandbox(sandbox)
        for container in list(sandbox.containers.values()):
            await self.remove(container)
        del self.sandboxes[sandbox.id]
        self._names.free(sandbox.config)
        folder = sandbox.config.log_directory
        if self._files is not None and folder:
            others = (one.config.log_directory for one in self.sandboxes.values())
            if folder not in others:
                logs.clear(Path(folder))
        self._tell(sandbox, sandbox.id, Change.DELETED)

    async def create(
        self, sandbox: Sandbox, config: pb.ContainerConfig, pulled: RegistryImage | None = None
    ) -> Container:
        """Make a container, not started yet; `pulled` is its image where a registry had it.

        rpc.Failure.
        """
        if pulled is not None:
            config = registryimages.completed(config, pulled)
        if not sandbox.ready:
            raise rpc.Failure("UNKNOWN", f'sandbox "{sandbox.id}" is not running')
        naming.check_container(sandbox, config)
        decided = deciding.decide(sandbox, config, pulled, self._scripts)
        container = Container(
            self._new_id(), sandbox, config, decided.image, decided.script, self.time(),
            pulled=pulled, emulated=decided.emulated,
        )  # fmt: skip
        try:
            containeruser.check(container)
        except containeruser.Unknown as unknown:
            text = f"failed to create containerd container: {unknown}"
            raise rpc.Failure("UNKNOWN", text) from unknown
        self.containers[container.id] = sandbox.containers[container.id] = container
        self._tell(sandbox, container.id, Change.CREATED)
        return container

    # ---- after a restart -----------------------------------------------------------------------

    def restore_sandbox(self, sandbox: Sandbox) -> None:
        """Have a sandbox as it was before the runtime was restarted."""
        self.sandboxes[sandbox.id] = sandbox
        self._names.hold(sandbox.config, sandbox.id)
        if sandbox.ready:
            self.spaces.joined(sandbox)
            self._addresses.claim(sandbox.addresses)

    def restored(
        self,
        id: str,
        sandbox: Sandbox,
        config: pb.ContainerConfig,
        created_at: int,
        pulled: RegistryImage | None,
    ) -> Container:
        """Have a container as it was made before the runtime was restarted. rpc.Failure."""
        decided = deciding.decide(sandbox, config, pulled, self._scripts)
        container = Container(
            id, sandbox, config, decided.image, decided.script, created_at,
            pulled=pulled, emulated=decided.emulated, restored=True,
        )  # fmt: skip
        with contextlib.suppress(containeruser.Unknown):
            containeruser.check(container)
        self.containers[id] = sandbox.containers[id] = container
        return container

    def not_before(self, time: int) -> None:
        """Give only times from now on that are later than this."""
        self._last_time = max(self._last_time, time)

    async def resume(self, container: Container) -> None:
        """Let a running container go on: what is due of it is due, a program begins anew."""
        told = container.script
        if told.program and not told.sleeps:
            try:
                told = await self._begun(container)
            except rpc.Failure:
                return  # it has ended, and says why
        if not math.isinf(told.run_for):
            ran = (self.time() - container.started_at) / 1e9
            self._after(container, max(told.run_for - ran, 0.0), told.exit_code)
        self._watch_memory(container)

    async def start(self, container: Container) -> None:
        """Start a created container, after its start delay. rpc.Failure in any other state."""
        if container.state is not State.CREATED or container.starting:
            raise rpc.Failure("UNKNOWN", f'container "{container.id}" is not in created state')
        told = container.script
        if told.start_delay:
            container.starting = True
            try:
                await asyncio.sleep(told.start_delay)
            finally:
                container.starting = False
            if self.containers.get(container.id) is not container or not container.sandbox.ready:
                raise rpc.Failure("UNKNOWN", f'container "{container.id}" went while it started')
        if told.program and not told.sleeps:
            told = await self._begun(container)
        else:
            await self.placed(container)
        container.state = State.RUNNING
        container.started_at = self.time()
        self._tell(container.sandbox, container.id, Change.STARTED)
        if self._files is not None:
            self._begin_log(container)
        if not math.isinf(told.run_for):
            self._after(container, told.run_for, told.exit_code)
        self._watch_memory(container)

    async def _begun(self, container: Container) -> script.Script:
        """Start its program, or have what another container brought; what it does. rpc.Failure."""
        machine = await self.entered(container)
        path = container.script.program[0]
        if path.startswith("/") and machine.lacks(path):
            found = deciding.handed_over(container)
            if found is not None:
                container.script, container.emulated = found, None
                return found
        self.begin(container)
        return container.script

    def _begin_log(self, container: Container) -> None:
        path = messages.log_path(container)
        if path:
            logs.make(Path(path))
        if container.script.speaks:
            self.log(container)

    async def update(self, container: Container, resources: pb.LinuxContainerResources) -> None:
        """Change what a running container may use. rpc.Failure in any other state."""
        if container.state is not State.RUNNING:
            raise rpc.Failure("UNKNOWN", f'container "{container.id}" is not running')
        container.resized = resources
        self._watch_memory(container)

    def hold(self, container: Container, held: Curve) -> None:
        """See `simmachines.Machines`."""
        age = max(self.time() - container.started_at, 0) / 1e9
        told = Curve(tuple(age + at for at in held.times), held.amounts)
        container.script = dataclasses.replace(container.script, memory=told)
        if container.state is State.RUNNING:
            self._watch_memory(container)

    async def stats(self, containers: Sequence[Container]) -> list[pb.ContainerStats]:
        """See `driver.Driver`."""
        now = self.time()
        return [messages.container_stats(one, now) for one in containers]

    def _watch_memory(self, container: Container) -> None:
        """Kill it when its curve passes its limit."""
        if container.oom is not None:
            container.oom.cancel()
            container.oom = None
        age = (self.time() - container.started_at) / 1e9
        left = endings.out_of_memory(container.script.memory, container.resources, age)
        if not math.isinf(left):
            end = functools.partial(self.exit, container, script.KILLED, endings.OOM_KILLED)
            container.oom = asyncio.get_running_loop().call_later(left, end)

    async def stop(self, container: Container, grace: float) -> None:
        """Ask a container to end, kill it after `grace` seconds, and wait for its end."""
        if container.state is not State.RUNNING:
            return
        told = container.script
        running = container.machine is not None and container.machine.started
        if running and grace > 0:
            # Only a program that has a handler for it hears of it.
            self.machine(container).signal(self._stop_signal(container))
        if grace > 0 and told.stop_after == 0 and not (running and told.sleeps):
            self.exit(container, told.stop_code)
        elif grace > 0 and not running and math.isinf(told.stop_after) and shares(container):
            self.exit(container, script.TERMINATED)
        elif grace <= 0:
            self.exit(container, script.KILLED)
        else:
            await self._stop_slowly(container, grace)

    @staticmethod
    def _stop_signal(container: Container) -> int:
        image = container.emulated.stop_signal if container.emulated is not None else ""
        if container.pulled is not None:
            image = registryimages.stop_signal(container.pulled) or image
        return endings.stop_signal(container.config.annotations, image)

    async def _stop_slowly(self, container: Container, grace: float) -> None:
        told = container.script
        if 0 < told.stop_after < grace:
            self._after(container, told.stop_after, told.stop_code)
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        container.waiters = [*(container.waiters or ()), waiter]
        # The kill belongs to this call: who takes it back (a shorter grace) asks anew.
        kill = loop.call_later(grace, self.exit, container, script.KILLED)
        try:
            await waiter
        finally:
            kill.cancel()

    async def remove(self, container: Container) -> None:
        """Forget a container; a running one is killed."""
        if container.state is State.RUNNING:
            self.exit(container, script.KILLED)
        self.containers.pop(container.id, None)
        if container.restored:
            self.log(container)
        if container.machine is not None:
            container.machine.kernel.release()
            container.machine = None
        if container.log is not None:
            self.following.removed(container.id, container.log)
        if self._files is not None and (path := messages.log_path(container)):
            logs.unmake(Path(path))
        if container.sandbox.containers.pop(container.id, None) is not None:
            self._tell(container.sandbox, container.id, Change.DELETED)

    async def open(self) -> None:
        """See `driver.Driver`: it is ready."""

    def close(self) -> None:
        """The machine goes: drop every timer and wake who waits."""
        for container in self.containers.values():
            _release(container)
            if container.machine is not None:
                container.machine.end()
            elif container.log is not None:
                container.log.wake()
        self.spaces.close()
        self.inputs.cancel()
        self.following.close()

    def never_began(self, container: Container, why: str) -> None:
        """See Machines."""
        container.state = State.EXITED
        container.exit_code = endings.START_ERROR_CODE
        container.reason, container.message = endings.START_ERROR, why
        container.finished_at = self.time()
        if container.log is not None:
            container.log.wake()
        self._tell(container.sandbox, container.id, Change.STOPPED)

    def _after(self, container: Container, seconds: float, code: int) -> None:
        end = functools.partial(self.exit, container, code)
        timer = asyncio.get_running_loop().call_later(seconds, end)
        container.timers = [*(container.timers or ()), timer]

    def exit(self, container: Container, code: int, reason: str = "") -> None:
        """See Machines."""
        if container.state is not State.RUNNING:
            return
        container.state = State.EXITED
        container.exit_code = code
        container.reason = reason
        container.finished_at = self.time()
        _release(container)
        self.spaces.ended(container)
        if container.machine is not None:
            container.machine.end()
            container.message = simmachines.last_words(container, container.machine)
        elif container.log is not None:
            container.log.wake()
        self._tell(container.sandbox, container.id, Change.STOPPED)

    def _tell(self, sandbox: Sandbox, container: str, change: Change) -> None:
        self._listener(Event(sandbox, container, change, self.time()))

    def _new_id(self) -> str:
        return naming.new_id(self._random, self.sandboxes, self.containers)


def _release(container: Container) -> None:
    for timer in container.timers or ():
        timer.cancel()
    if container.oom is not None:
        container.oom.cancel()
        container.oom = None
    for waiter in container.waiters or ():
        if not waiter.done():
            waiter.set_result(None)
    container.timers = container.waiters = None
