"""What the runtime knows of a sandbox, a container and an image.

A configuration is the message that came with the request; it is kept, shared and never changed.
Times are nanoseconds since the epoch, 0 for "not yet".
"""

import asyncio
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import images
from cluster.runtime.script import Script

if TYPE_CHECKING:
    from cluster.runtime.emulated.image import Image
    from cluster.runtime.logs import Log
    from cluster.runtime.machine import Machine
    from cluster.runtime.podnetwork import Namespace
    from cluster.runtime.registryimages import RegistryImage


class State(IntEnum):
    """A container's state, with the numbers of CRI."""

    CREATED = 0
    RUNNING = 1
    EXITED = 2


class Change(IntEnum):
    """What happened to a container or sandbox, with the numbers of CRI's event types."""

    CREATED = 0
    STARTED = 1
    STOPPED = 2
    DELETED = 3


@dataclass(slots=True, eq=False)
class Container:
    """A container. `timers` and `waiters` exist only while something is due or awaited, `log` and
    `machine` from when they are first needed.
    """

    id: str
    sandbox: "Sandbox"
    config: pb.ContainerConfig
    image: images.Reference
    script: Script
    created_at: int
    state: State = State.CREATED
    started_at: int = 0
    finished_at: int = 0
    exit_code: int = 0
    resized: pb.LinuxContainerResources | None = None
    """What it may use, where that was changed while it ran."""
    oom: asyncio.TimerHandle | None = None
    """When its memory runs out."""
    reason: str = ""
    """Why it ended, where its exit code does not say it."""
    message: str = ""
    """What it says of its end."""
    starting: bool = False
    timers: list[asyncio.TimerHandle] | None = None
    waiters: list[asyncio.Future[None]] | None = None
    log: "Log | None" = None
    machine: "Machine | None" = None
    summary: pb.Container | None = None
    """The short form that lists have, kept as long as it is true."""
    pulled: "RegistryImage | None" = None
    """The image, where it came from a registry and is not emulated."""
    emulated: "Image | None" = None
    """The emulated image that it runs; None where nothing is known of its programs."""
    user: tuple[int, int, tuple[int, ...]] | None = None
    """Who its processes are: user, group, further groups; None where that is not known."""
    restored: bool = False
    """Whether it is from before the runtime was restarted: its log files are there already."""

    @property
    def resources(self) -> pb.LinuxContainerResources:
        """What it may use now."""
        return self.config.linux.resources if self.resized is None else self.resized

    @property
    def believed(self) -> bool:
        """Whether nothing is known of its image: it is thought to have whatever it needs."""
        return not self.script.program and self.emulated is None


@dataclass(slots=True, eq=False)
class Sandbox:
    """A pod sandbox. `addresses` is empty on the node's own network."""

    id: str
    config: pb.PodSandboxConfig
    handler: str
    created_at: int
    addresses: tuple[str, ...] = ()
    ready: bool = True
    containers: dict[str, Container] = field(default_factory=dict)
    network: "Namespace | None" = None
    """Its network, from when somebody wants it."""
    summary: pb.PodSandbox | None = None
    """The short form that lists have, kept as long as it is true."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `container` is the container's id, or the sandbox's own."""

    sandbox: Sandbox
    container: str
    change: Change
    at: int

    @property
    def pod_uid(self) -> str:
        """The uid of the pod that it happened to."""
        return str(self.sandbox.config.metadata.uid)
