"""Puts what is known of a machine into its driver, and lets run on what ran."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import structlog

from cluster.aio import rpc
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.records import Container, Sandbox, State
from cluster.runtime.registryimages import RegistryImage
from cluster.runtime.state.entries import Box, Fate, Made
from cluster.runtime.state.recovery import UNKNOWN_EXIT_CODE, UNKNOWN_EXIT_REASON, Known

if TYPE_CHECKING:
    from cluster.runtime.imagestore import ImageStore


class Restorable(Protocol):
    """What a driver does for it."""

    @property
    def sandboxes(self) -> Mapping[str, Sandbox]:
        """All that there are, by id."""

    def time(self) -> int:
        """Nanoseconds since the epoch."""

    def not_before(self, time: int) -> None:
        """Give only times from now on that are later than this."""

    def restore_sandbox(self, sandbox: Sandbox) -> None:
        """Have a sandbox as it was."""

    def restored(
        self,
        id: str,
        sandbox: Sandbox,
        config: pb.ContainerConfig,
        created_at: int,
        pulled: RegistryImage | None,
    ) -> Container:
        """Have a container as it was made. rpc.Failure."""

    async def resume(self, container: Container) -> None:
        """Let a running container go on."""


async def restore(driver: Restorable, known: Known, images: "ImageStore") -> None:
    """Have in `driver` all that is known."""
    driver.not_before(known.last_time)
    for box in known.sandboxes.values():
        driver.restore_sandbox(_sandbox(box))
    for made, fate in known.containers.values():
        try:
            container = _container(driver, made, images)
        except rpc.Failure as failure:
            log = structlog.get_logger().bind(component="runtime")
            log.warning("a container cannot be restored", id=made.id, error=failure.text)
            continue
        _take_up(container, fate)
        if container.state is not State.RUNNING:
            continue
        if made.pulled and container.pulled is None:
            container.state = State.EXITED
            container.exit_code, container.reason = UNKNOWN_EXIT_CODE, UNKNOWN_EXIT_REASON
            container.message = f"its image {made.pulled} is not here any more"
            container.finished_at = driver.time()
        else:
            await driver.resume(container)


def _sandbox(box: Box) -> Sandbox:
    config = pb.PodSandboxConfig.FromString(box.config)
    return Sandbox(box.id, config, box.handler, box.created_at, box.addresses, box.ready)


def _container(driver: Restorable, made: Made, images: "ImageStore") -> Container:
    config = pb.ContainerConfig.FromString(made.config)
    pulled = images.real(made.pulled) if made.pulled else None
    sandbox = driver.sandboxes[made.sandbox]
    return driver.restored(made.id, sandbox, config, made.created_at, pulled)


def _take_up(container: Container, fate: Fate) -> None:
    container.state = State(fate.state)
    container.started_at, container.finished_at = fate.started_at, fate.finished_at
    container.exit_code, container.reason = fate.exit_code, fate.reason
    container.message = fate.message
    if fate.resized is not None:
        container.resized = pb.LinuxContainerResources.FromString(fate.resized)
