"""What runs sandboxes and containers under the CRI: the seam between `service` and the drivers.

`sim.Sim` is one (coroutines on a virtual OS), `oci.driver.Oci` another (processes). Whoever calls
has checked that a sandbox or container is known, and for exec and attach that it runs. Failures
are `aio.rpc.Failure`, worded as containerd's. What need not wait does not suspend.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from cluster.pb.cluster.v1 import kubelet_pb2 as streams
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import logs
from cluster.runtime.records import Container, Event, Sandbox
from cluster.runtime.registryimages import RegistryImage

Listener = Callable[[Event], None]
"""Hears of each change. It must not block."""


MAX_SYNC: Final = 16 << 20
"""Bytes of each output of a command that are kept for who waits for its end."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command that was waited for left."""

    code: int
    stdout: bytes
    stderr: bytes


class Driver(Protocol):
    """Runs the sandboxes and containers of one node."""

    @property
    def sandboxes(self) -> Mapping[str, Sandbox]:
        """All that there are, by id, the oldest first."""

    @property
    def containers(self) -> Mapping[str, Container]:
        """All that there are, by id, the oldest first."""

    @property
    def pod_cidr(self) -> str:
        """Where pods get addresses from; "" while nobody said."""

    def time(self) -> int:
        """Nanoseconds since the epoch, later than every time that was given before."""

    def set_pod_cidr(self, cidrs: str) -> None:
        """Give pods addresses from these ranges from now on. ValueError for what is no CIDR."""

    async def run_sandbox(self, config: pb.PodSandboxConfig, handler: str) -> Sandbox:
        """Make a sandbox that is ready; `handler` is that of its RuntimeClass."""

    async def stop_sandbox(self, sandbox: Sandbox) -> None:
        """Kill what runs in it and let its addresses go. Nothing happens to a stopped one."""

    async def remove_sandbox(self, sandbox: Sandbox) -> None:
        """Stop and forget it with all its containers."""

    async def create(
        self, sandbox: Sandbox, config: pb.ContainerConfig, pulled: RegistryImage | None = None
    ) -> Container:
        """Make a container, not started yet; `pulled` is its image where a registry had it."""

    async def start(self, container: Container) -> None:
        """Start a created container; it answers when it runs."""

    async def stop(self, container: Container, grace: float) -> None:
        """Ask it to end, kill it after `grace` seconds, and wait for its end."""

    async def update(self, container: Container, resources: pb.LinuxContainerResources) -> None:
        """Change what a running container may use."""

    async def remove(self, container: Container) -> None:
        """Forget a container; a running one is killed."""

    async def stats(self, containers: Sequence[Container]) -> list[pb.ContainerStats]:
        """What they use now."""

    async def read_log(
        self, container: Container, offset: int, limit: int, wait: float = 0.0
    ) -> logs.Part:
        """At most `limit` bytes of a log. A negative offset counts from the end. Who follows waits
        so many seconds at most for more of it, or for its end (see `following`).
        """

    async def read_left_log(self, container: str, offset: int, limit: int) -> logs.Part | None:
        """The same of a container that was removed while somebody followed; None where nothing is
        kept of it.
        """

    async def reopen_log(self, container: Container) -> None:
        """Begin the log file anew, where somebody renamed it."""

    async def exec_sync(self, container: Container, argv: Sequence[str], seconds: float) -> Ran:
        """Run a command and wait for its end, `seconds` at most where that is not 0."""

    async def exec(
        self,
        container: Container,
        start: streams.StreamStart,
        inputs: AsyncIterator[streams.StreamInput],
    ) -> AsyncIterator[streams.StreamOutput]:
        """Run a command with streams. Who leaves the iterator early ends the command."""

    async def attach(
        self,
        container: Container,
        start: streams.StreamStart,
        inputs: AsyncIterator[streams.StreamInput],
    ) -> AsyncIterator[streams.StreamOutput]:
        """Join the container's own streams."""

    async def forward(
        self, sandbox: Sandbox, port: int, inputs: AsyncIterator[streams.PortForwardInput]
    ) -> AsyncIterator[streams.PortForwardOutput]:
        """Connect to a port in a sandbox that is ready. A refusal is an output, no failure."""

    async def open(self) -> None:
        """Be ready: what ran before a restart was restored. config.Unusable where it cannot be."""

    def close(self) -> None:
        """The machine goes, and all that runs on it."""
