"""The oci driver: sandboxes and containers of CRI as real processes, by way of the shim."""

import asyncio
import contextlib
import signal
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cluster.aio import rpc
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import endings, memoryvolumes, messages, naming, registryimages
from cluster.runtime.oci import faults, link, ownfiles, spec, surroundings, users
from cluster.runtime.oci.node import record_of
from cluster.runtime.oci.sandboxes import Sandboxes
from cluster.runtime.oci.streams import Streams
from cluster.runtime.records import Change, Container, Sandbox, State
from cluster.runtime.registryimages import RegistryImage

_UNKNOWN_CODE: Final = 255
_UNKNOWN_REASON: Final = "Unknown"
"""unknownExitCode and unknownExitReason of containerd: nobody saw the end."""
_PREPARE_SECONDS: Final = 600.0
_KILL_SECONDS: Final = 20.0


class Oci(Sandboxes, Streams):
    """Runs sandboxes and containers. `open` it before anything is asked of it."""

    async def open(self) -> None:
        """See `driver.Driver`: find the shim and what runs, and end what nobody knows of."""
        await self._connect()
        for warning in self._facts.warnings():
            self._log.warning(warning)
        for known, told in self.link.known.items():
            if self._goes_on(known) and told["code"] is None:
                self._pids[known] = told["pid"]
        # Containers end before the sandboxes whose namespaces they are in.
        for known, told in self.link.known.items():
            if known in self.containers and known not in self._pids and told["code"] is None:
                with contextlib.suppress(link.Refused):  # its log is kept
                    await self.link.ask("kill", id=known, signal=int(signal.SIGKILL))
        for known in self.link.known:
            if known not in self.containers and not self._goes_on(known):
                await self._delete(known)
        for sandbox in self.sandboxes.values():
            if sandbox.ready and sandbox.id not in self._pids:
                self._stopped(sandbox)

    def _goes_on(self, known: str) -> bool:
        """Whether a sandbox or container runs, as the records have it: after a reboot none does."""
        sandbox, container = self.sandboxes.get(known), self.containers.get(known)
        if sandbox is not None:
            return sandbox.ready
        return container is not None and container.state is State.RUNNING

    def close(self) -> None:
        """See `driver.Driver`. Where containers are to outlive the runtime, they do."""
        self.wires.close()
        self.link.close(end=not self._settings.keep)

    def _on_loss(self) -> None:
        """The shim was killed, and everything with it: its containers' output has no reader."""
        self._log.error("the shim ended: the containers of this node are lost")
        self._opened = False
        for container in list(self.containers.values()):
            self._forgotten.add(container.id)
            if container.state is State.RUNNING:
                self._exit(container, _UNKNOWN_CODE, _UNKNOWN_REASON)
        for sandbox in list(self.sandboxes.values()):
            self._pids.pop(sandbox.id, None)
            if sandbox.ready:
                self._stopped(sandbox)

    def _on_return(self) -> None:
        """The connection broke, and the shim lives: what ended meanwhile it says now. What it does
        not name was begun since.
        """
        self._log.warning("the shim is heard again")
        for known, told in self.link.known.items():
            container, sandbox = self.containers.get(known), self.sandboxes.get(known)
            waits = container and (container.state is State.RUNNING or container.starting)
            if told["code"] is not None and (waits or sandbox):
                self._on_end(told)

    async def resume(self, container: Container) -> None:
        """Let a running container go on: the shim has it, or knows how it ended."""
        await self._connect()
        told = self.link.known.get(container.id)
        if told is None:
            self._forgotten.add(container.id)
            self._exit(container, _UNKNOWN_CODE, _UNKNOWN_REASON)
            return
        if told["code"] is not None:
            self._on_end(told)

    # ---- containers --------------------------------------------------------------------------

    async def create(
        self, sandbox: Sandbox, config: pb.ContainerConfig, pulled: RegistryImage | None = None
    ) -> Container:
        """See `driver.Driver`."""
        if not sandbox.ready:
            raise rpc.Failure("UNKNOWN", f'sandbox "{sandbox.id}" is not running')
        naming.check_container(sandbox, config)
        if pulled is None or not pulled.layers:
            raise rpc.Failure(
                "UNKNOWN",
                f'image "{config.image.user_specified_image or config.image.image}" is emulated: '
                "it has no files that a process could be made of. The oci driver runs images of "
                "the registries that --image-registries names (docs/oci.md)",
            )
        config = registryimages.completed(config, pulled)
        if not config.command and not config.args:
            text = f'failed to generate container "{config.metadata.name}" spec'
            raise rpc.Failure("UNKNOWN", f"{text}: failed to generate spec: no command specified")
        container = record_of(self._new_id(), sandbox, config, 0, pulled)
        try:
            await self._prepare(container)
        except link.Refused as refused:
            text = f"failed to create containerd container: {refused}"
            raise rpc.Failure("UNKNOWN", text) from refused
        container.created_at = self.time()
        self.containers[container.id] = sandbox.containers[container.id] = container
        self._tell(sandbox, container.id, Change.CREATED)
        return container

    async def _prepare(self, container: Container) -> None:
        """Make its root. link.Refused."""
        pulled = container.pulled
        layers = [] if pulled is None else pulled.layers
        told = await self.link.ask(
            "create", _PREPARE_SECONDS, id=container.id,
            layers=[{"digest": digest, "path": path} for digest, path in layers],
        )  # fmt: skip
        self._accounts[container.id] = told["passwd"], told["group"]

    async def start(self, container: Container) -> None:
        """See `driver.Driver`."""
        if container.state is not State.CREATED or container.starting:
            raise rpc.Failure("UNKNOWN", f'container "{container.id}" is not in created state')
        container.starting = True
        try:
            if container.id not in self._accounts:  # made by an earlier runtime
                await self._delete(container.id)
                await self._prepare(container)
            pid = await self._begin(container)
        except (link.Refused, users.Unknown) as refused:
            text = faults.starting(str(refused), spec.program(container.config))
            self._never_began(container, text)
            raise rpc.Failure("UNKNOWN", text) from refused
        finally:
            container.starting = False
        if self.containers.get(container.id) is not container:
            await self._delete(container.id)
            raise rpc.Failure("UNKNOWN", f'container "{container.id}" went while it started')
        self._pids[container.id] = pid
        container.state = State.RUNNING
        container.started_at = self.time()
        self._tell(container.sandbox, container.id, Change.STARTED)
        early = self._early.pop(container.id, None)
        if early is not None:
            self._on_end(early)

    async def _begin(self, container: Container) -> int:
        config, sandbox = container.config, container.sandbox
        made = spec.container(config, sandbox.config, self._facts, self._around(container))
        self._mains[container.id] = made["process"]
        told = await self.link.ask(
            "start", id=container.id, spec=made, tty=config.tty, stdin=config.stdin,
            own_processes=surroundings.processes(container, self._pids) == 0,
            log=self._log_of(container), sandbox=sandbox.id,
            memory=memoryvolumes.of(config),
        )  # fmt: skip
        return int(told["pid"])

    def _around(self, container: Container) -> spec.Surroundings:
        """What it finds. users.Unknown; rpc.Failure."""
        config, security = container.config, container.config.linux.security_context
        passwd, group = self._accounts[container.id]
        user = registryimages.user(container.pulled) if container.pulled is not None else ""
        who = users.identity(security, user, passwd, group)
        container.user = (who.uid, who.gid, who.groups)
        shared = ownfiles.shared_memory(container, self._bundle(container.sandbox.id))
        return spec.Surroundings(
            root=str(self._bundle(container.id) / "rootfs"),
            sandbox_pid=self._pids.get(container.sandbox.id, 0),
            cgroup=self._cgroup(container.sandbox, container.id),
            identity=who,
            processes=surroundings.processes(container, self._pids),
            own_files=[shared, *self._own.mounted(container)],
            devices=surroundings.devices_of(config),
            seccomp=surroundings.seccomp(security),
        )

    def _log_of(self, container: Container) -> dict[str, Any] | None:
        path = messages.log_path(container)
        if self._files is None or not path:
            return None
        return {"path": path, "size": self._files.size, "files": self._files.files}

    async def stop(self, container: Container, grace: float) -> None:
        """See `driver.Driver`."""
        if container.state is not State.RUNNING:
            return
        waiter = asyncio.get_running_loop().create_future()
        container.waiters = [*(container.waiters or ()), waiter]
        try:
            await self._end(container, waiter, grace)
        finally:
            if container.waiters and waiter in container.waiters:
                container.waiters = [one for one in container.waiters if one is not waiter]

    async def _end(
        self, container: Container, waiter: "asyncio.Future[None]", grace: float
    ) -> None:
        """Ask it to end, then kill it; `waiter` is done when it has ended. rpc.Failure."""
        with contextlib.suppress(link.Refused):
            if grace > 0:
                number = self._stop_signal(container)
                await self.link.ask("kill", id=container.id, signal=number)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(grace):
                        await asyncio.shield(waiter)
            if waiter.done():
                return
            await self.link.ask("kill", id=container.id, signal=int(signal.SIGKILL))
            try:
                async with asyncio.timeout(_KILL_SECONDS):
                    await waiter
            except TimeoutError as error:
                text = f'failed to stop container "{container.id}": an error occurs during waiting '
                text += f'for container "{container.id}" to be killed: context deadline exceeded'
                raise rpc.Failure("DEADLINE_EXCEEDED", text) from error

    @staticmethod
    def _stop_signal(container: Container) -> int:
        """The pod's, or the image's, or SIGTERM."""
        if endings.STOP_SIGNAL in container.config.annotations or container.pulled is None:
            return endings.stop_signal(container.config.annotations)
        asked = registryimages.stop_signal(container.pulled)
        return endings.stop_signal({endings.STOP_SIGNAL: asked})

    async def update(self, container: Container, resources: pb.LinuxContainerResources) -> None:
        """See `driver.Driver`."""
        if container.state is not State.RUNNING:
            raise rpc.Failure("UNKNOWN", f'container "{container.id}" is not running')
        limits = spec.resources(resources, self._facts)
        if limits:
            try:
                await self.link.ask("update", id=container.id, resources=limits)
            except link.Refused as refused:
                text = f"failed to update resources: {refused}: unknown"
                raise rpc.Failure("UNKNOWN", text) from refused
        container.resized = resources

    async def remove(self, container: Container) -> None:
        """See `driver.Driver`."""
        if container.state is State.RUNNING:
            await self.stop(container, 0)
        await self._delete(container.id)
        self.containers.pop(container.id, None)
        for known in (self._pids, self._mains, self._accounts, self._early):
            known.pop(container.id, None)
        if container.id in self._forgotten:
            self._left_log(container).remove()
            self._forgotten.discard(container.id)
        self._own.clear(container.id)
        if container.sandbox.containers.pop(container.id, None) is not None:
            self._tell(container.sandbox, container.id, Change.DELETED)

    async def stats(self, containers: Sequence[Container]) -> list[pb.ContainerStats]:
        """See `driver.Driver`."""
        ids = [one.id for one in containers if one.state is State.RUNNING]
        told = (await self.link.ask("stats", ids=ids))["stats"] if ids else {}
        now = self.time()
        return [self._rates.stats(one, told.get(one.id), now) for one in containers]

    # ---- ends --------------------------------------------------------------------------------

    def _on_end(self, told: Mapping[str, Any]) -> None:
        """Something ended."""
        sandbox = self.sandboxes.get(told["id"])
        if sandbox is not None:
            self._stopped(sandbox)
            return
        container = self.containers.get(told["id"])
        if container is None:
            return
        if container.state is not State.RUNNING:
            self._early[container.id] = told
            return
        reason = endings.OOM_KILLED if told["oom"] else ""
        self._exit(container, told["code"], reason, told["tail"])

    def _exit(self, container: Container, code: int, reason: str, tail: str = "") -> None:
        container.state = State.EXITED
        container.exit_code, container.reason = code, reason
        container.finished_at = self.time()
        self._rates.forget(container.id)
        written = self._own.last_words(container)
        annotations = container.config.annotations
        container.message = endings.message(annotations, written, tail.encode(), code)
        for waiter in container.waiters or ():
            if not waiter.done():
                waiter.set_result(None)
        container.waiters = None
        self._tell(container.sandbox, container.id, Change.STOPPED)

    def _never_began(self, container: Container, why: str) -> None:
        container.state = State.EXITED
        container.exit_code = endings.START_ERROR_CODE
        container.reason, container.message = endings.START_ERROR, why
        container.finished_at = self.time()
        self._tell(container.sandbox, container.id, Change.STOPPED)
