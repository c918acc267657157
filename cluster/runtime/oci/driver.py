"""The oci driver: sandboxes and containers of CRI as real processes, by way of the shim."""

import asyncio
import contextlib
import json
import random as randoms
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import structlog

from cluster.aio import clock as clocks
from cluster.aio import rpc
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import endings, images, logs, messages, mounting, registryimages, script
from cluster.runtime.config import LogFiles
from cluster.runtime.driver import Listener
from cluster.runtime.oci import devices, faults, link, measuring, spec, users
from cluster.runtime.oci.settings import Settings
from cluster.runtime.oci.streams import Streams
from cluster.runtime.podaddresses import Addresses
from cluster.runtime.records import Change, Container, Event, Sandbox, State
from cluster.runtime.registryimages import RegistryImage

HANDLER: Final = "oci"
_UNKNOWN_CODE: Final = 255
_UNKNOWN_REASON: Final = "Unknown"
"""unknownExitCode and unknownExitReason of containerd: nobody saw the end."""
_PREPARE_SECONDS: Final = 600.0
_KILL_SECONDS: Final = 20.0


class Oci(Streams):
    """Runs sandboxes and containers. `open` it before anything is asked of it."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: clocks.Clock,
        random: randoms.Random,
        listener: Listener,
        addresses: Addresses,
        files: LogFiles | None = None,
    ) -> None:
        self._settings = settings
        self._facts = settings.facts
        self.folder = settings.folder
        self._files = files
        self._clock = clock
        self._random = random
        self._listener = listener
        self._addresses = addresses
        self._last_time = 0
        self.sandboxes: dict[str, Sandbox] = {}
        self.containers: dict[str, Container] = {}
        self._names: dict[str, str] = {}
        self.link = link.Link(settings, self._on_end, self._on_loss)
        self._opened = False
        self._pids: dict[str, int] = {}
        self._mains: dict[str, dict[str, Any]] = {}
        self._accounts: dict[str, tuple[str, str]] = {}
        self._early: dict[str, Mapping[str, Any]] = {}
        self._forgotten: set[str] = set()
        self._rates = measuring.Rates()
        self._log = structlog.get_logger().bind(component="runtime", driver="oci")

    # ---- the machine -------------------------------------------------------------------------

    @property
    def pod_cidr(self) -> str:
        """See `driver.Driver`."""
        return self._addresses.cidrs

    def set_pod_cidr(self, cidrs: str) -> None:
        """See `driver.Driver`."""
        self._addresses.set(cidrs)

    def time(self) -> int:
        """See `driver.Driver`."""
        self._last_time = max(self._last_time + 1, int(self._clock.now() * 1e9))
        return self._last_time

    async def open(self) -> None:
        """See `driver.Driver`: find the shim and what runs, and end what nobody knows of."""
        await self._connect()
        for warning in self._facts.warnings():
            self._log.warning(warning)
        for known, told in self.link.known.items():
            if told["code"] is None:
                self._pids[known] = told["pid"]
            if known not in self.sandboxes and known not in self.containers:
                await self._delete(known)
        for sandbox in self.sandboxes.values():
            if sandbox.ready and sandbox.id not in self._pids:
                self._stopped(sandbox)

    def close(self) -> None:
        """See `driver.Driver`. Where containers are to outlive the runtime, they do."""
        self.link.close(end=not self._settings.keep)

    async def _connect(self) -> None:
        if not self._opened:
            await self.link.open()
            self._opened = True

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

    # ---- after a restart ---------------------------------------------------------------------

    def not_before(self, time: int) -> None:
        """Give only times from now on that are later than this."""
        self._last_time = max(self._last_time, time)

    def restore_sandbox(self, sandbox: Sandbox) -> None:
        """Have a sandbox as it was before the runtime was restarted."""
        self.sandboxes[sandbox.id] = sandbox
        self._names[_name(sandbox.config)] = sandbox.id
        if sandbox.ready:
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
        container = _record(id, sandbox, config, created_at, pulled)
        container.restored = True
        self.containers[id] = sandbox.containers[id] = container
        return container

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

    # ---- sandboxes ---------------------------------------------------------------------------

    async def run_sandbox(self, config: pb.PodSandboxConfig, handler: str) -> Sandbox:
        """See `driver.Driver`."""
        if handler not in ("", HANDLER):
            text = f'failed to get sandbox runtime: no runtime for "{handler}" is configured'
            raise rpc.Failure("UNKNOWN", text)
        await self._connect()
        name = _name(config)
        if name in self._names:
            holder = self._names[name]
            raise rpc.Failure("UNKNOWN", f'sandbox name "{name}" is reserved for "{holder}"')
        sandbox = Sandbox(self._new_id(), config, handler, 0, self._addresses.take(config))
        self._names[name] = sandbox.id
        try:
            await self._boot(sandbox)
        except BaseException:
            del self._names[name]
            self._addresses.give_back(sandbox.addresses)
            raise
        sandbox.created_at = self.time()
        self.sandboxes[sandbox.id] = sandbox
        self._tell(sandbox, sandbox.id, Change.STARTED)
        return sandbox

    async def _boot(self, sandbox: Sandbox) -> None:
        options = sandbox.config.linux.security_context.namespace_options
        made = spec.sandbox(
            sandbox.config, self._facts, str(self.folder / "pause"),
            self._cgroup(sandbox, sandbox.id),
        )  # fmt: skip
        own_network = options.network != pb.NODE
        try:
            told = await self.link.ask(
                "sandbox", id=sandbox.id, spec=made, shm=options.ipc != pb.NODE,
                addresses=list(sandbox.addresses) if own_network else None,
                own_processes=options.pid != pb.NODE,
            )  # fmt: skip
        except link.Refused as refused:
            text = f'failed to start sandbox "{sandbox.id}": {faults.starting(str(refused))}'
            raise rpc.Failure("UNKNOWN", text) from refused
        self._pids[sandbox.id] = told["pid"]
        files = self._own(sandbox.id)
        files.mkdir(parents=True, exist_ok=True)
        resolver = mounting.resolv_conf(sandbox.config.dns_config)
        if resolver:
            (files / "resolv.conf").write_bytes(resolver)
        hostname = sandbox.config.hostname
        if hostname:
            (files / "hostname").write_text(f"{hostname}\n")

    async def stop_sandbox(self, sandbox: Sandbox) -> None:
        """See `driver.Driver`."""
        running = [one for one in sandbox.containers.values() if one.state is State.RUNNING]
        await asyncio.gather(*(self.stop(one, 0) for one in running))
        if sandbox.ready:
            await self._delete(sandbox.id)
            self._stopped(sandbox)

    def _stopped(self, sandbox: Sandbox) -> None:
        if sandbox.ready:
            sandbox.ready = False
            self._pids.pop(sandbox.id, None)
            self._addresses.give_back(sandbox.addresses)
            self._tell(sandbox, sandbox.id, Change.STOPPED)

    async def remove_sandbox(self, sandbox: Sandbox) -> None:
        """See `driver.Driver`."""
        await self.stop_sandbox(sandbox)
        for container in list(sandbox.containers.values()):
            await self.remove(container)
        if sandbox.id not in self.sandboxes:
            return  # somebody else was asked, too
        del self.sandboxes[sandbox.id]
        del self._names[_name(sandbox.config)]
        self._clear(sandbox.id)
        cgroup = self._cgroup(sandbox, "")
        if cgroup:
            with contextlib.suppress(link.Refused):
                await self.link.ask("cgroup", path=cgroup.rstrip("/"))
        folder = sandbox.config.log_directory
        others = (one.config.log_directory for one in self.sandboxes.values())
        if self._files is not None and folder and folder not in others:
            logs.clear(Path(folder))
        self._tell(sandbox, sandbox.id, Change.DELETED)

    # ---- containers --------------------------------------------------------------------------

    async def create(
        self, sandbox: Sandbox, config: pb.ContainerConfig, pulled: RegistryImage | None = None
    ) -> Container:
        """See `driver.Driver`."""
        if not sandbox.ready:
            raise rpc.Failure("UNKNOWN", f'sandbox "{sandbox.id}" is not running')
        _check_name(sandbox, config)
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
        container = _record(self._new_id(), sandbox, config, 0, pulled)
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
            text = faults.starting(str(refused))
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
            own_processes=self._processes(container) == 0, log=self._log_of(container),
        )  # fmt: skip
        return int(told["pid"])

    def _around(self, container: Container) -> spec.Surroundings:
        """What it finds. users.Unknown; rpc.Failure."""
        config, security = container.config, container.config.linux.security_context
        passwd, group = self._accounts[container.id]
        user = registryimages.user(container.pulled) if container.pulled is not None else ""
        found = devices.named(config.devices)
        if security.privileged:
            found = [*devices.every(), *found]
        return spec.Surroundings(
            root=str(self.folder / "containers" / container.id / "rootfs"),
            sandbox_pid=self._pids.get(container.sandbox.id, 0),
            cgroup=self._cgroup(container.sandbox, container.id),
            identity=users.identity(security, user, passwd, group),
            processes=self._processes(container),
            own_files=list(self._own_files(container)),
            devices=found,
            seccomp=_seccomp(security),
        )

    def _processes(self, container: Container) -> int:
        """See `spec.Surroundings.processes`."""
        options = container.config.linux.security_context.namespace_options
        if options.pid == pb.NODE:
            return -1
        if options.pid == pb.POD:
            return self._pids.get(container.sandbox.id, 0)
        if options.pid == pb.TARGET:
            return self._pids.get(options.target_id, 0)
        return 0

    def _own_files(self, container: Container) -> Iterator[tuple[str, str]]:
        """What is mounted beside the volumes: shared memory, names, resolvers, the last words."""
        box, own = container.sandbox, self._own(container.sandbox.id)
        options = box.config.linux.security_context.namespace_options
        bundle = self.folder / "containers" / box.id
        yield "/dev/shm", "/dev/shm" if options.ipc == pb.NODE else str(bundle / "shm")
        for name in ("hostname", "resolv.conf"):
            if (own / name).exists():
                yield f"/etc/{name}", str(own / name)
        words = self._words(container)
        words.parent.mkdir(parents=True, exist_ok=True)
        words.touch()
        words.chmod(0o666)
        annotations = container.config.annotations
        yield annotations.get(endings.MESSAGE_PATH) or endings.DEFAULT_PATH, str(words)

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
        with contextlib.suppress(link.Refused):
            if grace > 0:
                number = self._stop_signal(container)
                await self.link.ask("kill", id=container.id, signal=number)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(grace):
                        await asyncio.shield(waiter)
            if not waiter.done():
                await self.link.ask("kill", id=container.id, signal=int(signal.SIGKILL))
                async with asyncio.timeout(_KILL_SECONDS):
                    await waiter

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
        self._clear(container.id)
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
        try:
            written = self._words(container).read_bytes()
        except OSError:
            written = b""
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

    # ------------------------------------------------------------------------------------------

    async def _delete(self, id: str) -> None:
        """Have the shim forget it. What it cannot do it says; the rest goes on."""
        try:
            await self.link.ask("delete", id=id)
        except (link.Refused, rpc.Failure) as error:
            self._log.warning("something of a container is left", id=id, error=str(error))

    def _own(self, id: str) -> Path:
        """Our files about a sandbox or container."""
        return self.folder / "files" / id

    def _words(self, container: Container) -> Path:
        return self._own(container.id) / "termination-log"

    def _clear(self, id: str) -> None:
        folder = self._own(id)
        for name in ("hostname", "resolv.conf", "termination-log"):
            (folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()

    def _cgroup(self, sandbox: Sandbox, id: str) -> str:
        base = self.link.cgroup
        return f"{base}/pod{sandbox.config.metadata.uid or sandbox.id}/{id}" if base else ""

    def _tell(self, sandbox: Sandbox, container: str, change: Change) -> None:
        self._listener(Event(sandbox, container, change, self.time()))

    def _new_id(self) -> str:
        while True:
            found = f"{self._random.getrandbits(256):064x}"
            if found not in self.sandboxes and found not in self.containers:
                return found


def _record(
    id: str,
    sandbox: Sandbox,
    config: pb.ContainerConfig,
    created_at: int,
    pulled: RegistryImage | None,
) -> Container:
    try:
        reference = images.parse(config.image.user_specified_image or config.image.image)
    except ValueError as error:
        raise rpc.Failure("INVALID_ARGUMENT", str(error)) from error
    return Container(id, sandbox, config, reference, script.SERVER, created_at, pulled=pulled)


def _check_name(sandbox: Sandbox, config: pb.ContainerConfig) -> None:
    meta = config.metadata
    for other in sandbox.containers.values():
        theirs = other.config.metadata
        if theirs.name == meta.name and theirs.attempt == meta.attempt:
            raise rpc.Failure(
                "UNKNOWN",
                f'container name "{meta.name}", attempt {meta.attempt}, is reserved for '
                f'"{other.id}"',
            )


def _name(config: pb.PodSandboxConfig) -> str:
    meta = config.metadata
    return f"{meta.name}_{meta.namespace}_{meta.uid}_{meta.attempt}"


def _seccomp(security: pb.LinuxContainerSecurityContext) -> Mapping[str, Any] | None:
    """The profile of a node's file. rpc.Failure."""
    if security.seccomp.profile_type != pb.SecurityProfile.Localhost:
        return None
    path = security.seccomp.localhost_ref
    try:
        found = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        text = f'failed to load seccomp profile "{path}": {error}'
        raise rpc.Failure("UNKNOWN", text) from error
    return found if isinstance(found, dict) else None
