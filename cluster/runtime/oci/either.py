"""A node that runs processes, and emulated containers for pods that say so.

Handler "" and "oci" are the oci driver's; "sim" and the sim driver's own the other's, and so are
pods without a RuntimeClass whose annotation `kubemu.dev/driver` is "sim", as those of a cluster's
addons. Both give addresses from the same ranges.
"""

from collections import ChainMap
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final, Protocol, TypeVar

import structlog

from cluster.pb.cluster.v1 import kubelet_pb2 as streams
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import handlers, logs
from cluster.runtime.config import Unusable
from cluster.runtime.driver import Driver, Ran
from cluster.runtime.oci.driver import Oci
from cluster.runtime.oci.sandboxes import HANDLER
from cluster.runtime.records import Container, Sandbox
from cluster.runtime.registryimages import RegistryImage
from cluster.runtime.state.restoring import Restorable

DRIVER: Final = "kubemu.dev/driver"
"""Annotation of a pod: "sim" has it emulated on a node that runs processes."""
_Value = TypeVar("_Value")


class Kept(Driver, Restorable, Protocol):
    """A driver whose containers can be kept over a restart."""

    def set_pod_cidr(self, cidrs: str) -> None:
        """See `driver.Driver`."""


class Either:
    """Both drivers as one."""

    def __init__(self, oci: Oci, sim: Kept, *, fall_back: bool = False) -> None:
        self.oci, self.sim = oci, sim
        self._fall_back = fall_back
        self._fallen = False
        self.sandboxes: Mapping[str, Sandbox] = ChainMap(oci.sandboxes, dict_of(sim.sandboxes))
        self.containers: Mapping[str, Container] = ChainMap(oci.containers, dict_of(sim.containers))

    @property
    def pod_cidr(self) -> str:
        """See `driver.Driver`."""
        return self.oci.pod_cidr

    def time(self) -> int:
        """See `driver.Driver`."""
        found = max(self.oci.time(), self.sim.time())
        self.not_before(found)
        return found

    def set_pod_cidr(self, cidrs: str) -> None:
        """See `driver.Driver`."""
        self.sim.set_pod_cidr(cidrs)
        self.oci.set_pod_cidr(cidrs)

    async def open(self) -> None:
        """See `driver.Driver`."""
        await self.sim.open()
        try:
            await self.oci.open()
        except Unusable as error:
            if not self._fall_back:
                raise
            self._fallen = True
            log = structlog.get_logger().bind(component="runtime")
            log.warning("containers are emulated", why=str(error))

    def close(self) -> None:
        """See `driver.Driver`."""
        self.oci.close()
        self.sim.close()

    # ---- after a restart ---------------------------------------------------------------------

    def not_before(self, time: int) -> None:
        """See `state.restoring.Restorable`."""
        self.oci.not_before(time)
        self.sim.not_before(time)

    def restore_sandbox(self, sandbox: Sandbox) -> None:
        """See `state.restoring.Restorable`."""
        self._named(sandbox.handler).restore_sandbox(sandbox)

    def restored(
        self,
        id: str,
        sandbox: Sandbox,
        config: pb.ContainerConfig,
        created_at: int,
        pulled: RegistryImage | None,
    ) -> Container:
        """See `state.restoring.Restorable`."""
        return self._of(sandbox).restored(id, sandbox, config, created_at, pulled)

    async def resume(self, container: Container) -> None:
        """See `state.restoring.Restorable`."""
        await self._of(container.sandbox).resume(container)

    # ---- life --------------------------------------------------------------------------------

    async def run_sandbox(self, config: pb.PodSandboxConfig, handler: str) -> Sandbox:
        """See `driver.Driver`."""
        if not handler and config.annotations.get(DRIVER) == handlers.SIM:
            handler = handlers.SIM
        return await self._named(handler).run_sandbox(config, handler)

    async def stop_sandbox(self, sandbox: Sandbox) -> None:
        """See `driver.Driver`."""
        await self._of(sandbox).stop_sandbox(sandbox)

    async def remove_sandbox(self, sandbox: Sandbox) -> None:
        """See `driver.Driver`."""
        await self._of(sandbox).remove_sandbox(sandbox)

    async def create(
        self, sandbox: Sandbox, config: pb.ContainerConfig, pulled: RegistryImage | None = None
    ) -> Container:
        """See `driver.Driver`."""
        return await self._of(sandbox).create(sandbox, config, pulled)

    async def start(self, container: Container) -> None:
        """See `driver.Driver`."""
        await self._of(container.sandbox).start(container)

    async def stop(self, container: Container, grace: float) -> None:
        """See `driver.Driver`."""
        await self._of(container.sandbox).stop(container, grace)

    async def update(self, container: Container, resources: pb.LinuxContainerResources) -> None:
        """See `driver.Driver`."""
        await self._of(container.sandbox).update(container, resources)

    async def remove(self, container: Container) -> None:
        """See `driver.Driver`."""
        await self._of(container.sandbox).remove(container)

    async def stats(self, containers: Sequence[Container]) -> list[pb.ContainerStats]:
        """See `driver.Driver`."""
        real = [one for one in containers if self._of(one.sandbox) is self.oci]
        theirs = [one for one in containers if self._of(one.sandbox) is not self.oci]
        found = [*await self.oci.stats(real), *await self.sim.stats(theirs)]
        by_id = {one.attributes.id: one for one in found}
        return [by_id[one.id] for one in containers]

    # ---- streams -----------------------------------------------------------------------------

    async def read_log(
        self, container: Container, offset: int, limit: int, wait: float = 0.0
    ) -> logs.Part:
        """See `driver.Driver`."""
        return await self._of(container.sandbox).read_log(container, offset, limit, wait)

    async def read_left_log(self, container: str, offset: int, limit: int) -> logs.Part | None:
        """See `driver.Driver`."""
        found = await self.sim.read_left_log(container, offset, limit)
        return found or await self.oci.read_left_log(container, offset, limit)

    async def reopen_log(self, container: Container) -> None:
        """See `driver.Driver`."""
        await self._of(container.sandbox).reopen_log(container)

    async def exec_sync(self, container: Container, argv: Sequence[str], seconds: float) -> Ran:
        """See `driver.Driver`."""
        return await self._of(container.sandbox).exec_sync(container, argv, seconds)

    async def exec(
        self,
        container: Container,
        start: streams.StreamStart,
        inputs: AsyncIterator[streams.StreamInput],
    ) -> AsyncIterator[streams.StreamOutput]:
        """See `driver.Driver`."""
        return await self._of(container.sandbox).exec(container, start, inputs)

    async def attach(
        self,
        container: Container,
        start: streams.StreamStart,
        inputs: AsyncIterator[streams.StreamInput],
    ) -> AsyncIterator[streams.StreamOutput]:
        """See `driver.Driver`."""
        return await self._of(container.sandbox).attach(container, start, inputs)

    async def forward(
        self, sandbox: Sandbox, port: int, inputs: AsyncIterator[streams.PortForwardInput]
    ) -> AsyncIterator[streams.PortForwardOutput]:
        """See `driver.Driver`."""
        return await self._of(sandbox).forward(sandbox, port, inputs)

    # ------------------------------------------------------------------------------------------

    def _of(self, sandbox: Sandbox) -> Kept:
        return self._named(sandbox.handler)

    def _named(self, handler: str) -> Kept:
        if handler == HANDLER or (not handler and not self._fallen):
            return self.oci
        return self.sim


def dict_of(found: Mapping[str, _Value]) -> dict[str, _Value]:
    """The same mapping, which is a dict: a view of both drivers changes as they do."""
    if not isinstance(found, dict):
        raise TypeError(f"a driver keeps its records in a {type(found).__name__}")
    return found
