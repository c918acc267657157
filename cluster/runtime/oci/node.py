"""What all of the oci driver works upon: the node's records, its time, and the shim."""

import abc
import random as randoms
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from cluster.aio import clock as clocks
from cluster.aio import rpc
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import images, naming, script
from cluster.runtime.config import LogFiles
from cluster.runtime.driver import Listener
from cluster.runtime.oci import link, measuring, ownfiles, wires
from cluster.runtime.oci.settings import Settings
from cluster.runtime.podaddresses import Addresses
from cluster.runtime.records import Change, Container, Event, Sandbox
from cluster.runtime.registryimages import RegistryImage


class Node(abc.ABC):
    """A node whose containers are processes."""

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
        self._names = naming.SandboxNames()
        self.link = link.Link(settings, self._on_end, self._on_loss, self._on_return)
        self._own = ownfiles.OwnFiles(settings.folder / "files")
        self._opened = False
        self._pids: dict[str, int] = {}
        self._mains: dict[str, dict[str, Any]] = {}
        self._accounts: dict[str, tuple[str, str]] = {}
        self._early: dict[str, Mapping[str, Any]] = {}
        """Ends that were told of before their containers' starts were."""
        self._forgotten: set[str] = set()
        """Containers that the shim knows no more: it went, or the machine was switched off."""
        self.wires = wires.Wires(self.link, self.sandboxes, self._pids)
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

    # ---- after a restart ---------------------------------------------------------------------

    def not_before(self, time: int) -> None:
        """Give only times from now on that are later than this."""
        self._last_time = max(self._last_time, time)

    def restore_sandbox(self, sandbox: Sandbox) -> None:
        """Have a sandbox as it was before the runtime was restarted."""
        self.sandboxes[sandbox.id] = sandbox
        self._names.hold(sandbox.config, sandbox.id)
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
        container = record_of(id, sandbox, config, created_at, pulled)
        container.restored = True
        self.containers[id] = sandbox.containers[id] = container
        return container

    # ---- the shim ----------------------------------------------------------------------------

    @abc.abstractmethod
    def _on_end(self, told: Mapping[str, Any]) -> None:
        """A sandbox or container ended."""

    @abc.abstractmethod
    def _on_loss(self) -> None:
        """The shim went."""

    @abc.abstractmethod
    def _on_return(self) -> None:
        """The shim is heard again; some ends may have been missed."""

    async def _connect(self) -> None:
        if not self._opened:
            await self.link.open()
            self._opened = True

    async def _delete(self, id: str) -> None:
        """Have the shim forget it. What it cannot do it says; the rest goes on."""
        try:
            await self.link.ask("delete", id=id)
        except (link.Refused, rpc.Failure) as error:
            self._log.warning("something of a container is left", id=id, error=str(error))

    def _bundle(self, id: str) -> Path:
        """The shim's directory of a sandbox or container."""
        return self.folder / "containers" / id

    def _cgroup(self, sandbox: Sandbox, id: str) -> str:
        base = self.link.cgroup
        return f"{base}/pod{sandbox.config.metadata.uid or sandbox.id}/{id}" if base else ""

    def _tell(self, sandbox: Sandbox, container: str, change: Change) -> None:
        self._listener(Event(sandbox, container, change, self.time()))

    def _new_id(self) -> str:
        return naming.new_id(self._random, self.sandboxes, self.containers)


def record_of(
    id: str,
    sandbox: Sandbox,
    config: pb.ContainerConfig,
    created_at: int,
    pulled: RegistryImage | None,
) -> Container:
    """A container that has not been started. rpc.Failure."""
    try:
        reference = images.parse(config.image.user_specified_image or config.image.image)
    except ValueError as error:
        raise rpc.Failure("INVALID_ARGUMENT", str(error)) from error
    return Container(id, sandbox, config, reference, script.SERVER, created_at, pulled=pulled)
