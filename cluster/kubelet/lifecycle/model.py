"""What the core knows of a pod: what the runtime has of it, and what happened to it before.

Times are seconds since the epoch; `at` is the runtime's own stamp, in nanoseconds.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from cluster.kubelet.lifecycle.backoffs import Backoffs

if TYPE_CHECKING:
    from cluster.kubelet.lifecycle.probes import Probing
    from cluster.kubelet.lifecycle.resizing import Resizing

MAX_CONTAINER_BACKOFF: Final = 300.0
INITIAL_BACKOFF: Final = 10.0
RETRY_PERIOD: Final = 10.0
"""After how many seconds a sandbox or container that could not be made is tried again."""


class State(IntEnum):
    """A container's state, with the numbers of CRI."""

    CREATED = 0
    RUNNING = 1
    EXITED = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A pod sandbox. `addresses` is empty on the node's own network."""

    id: str
    attempt: int
    ready: bool
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Container:
    """A container, running or not. `spec_image` is the image as the pod named it."""

    id: str
    sandbox: str
    name: str
    attempt: int
    state: State
    started: float = 0.0
    finished: float = 0.0
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    image: str = ""
    image_ref: str = ""
    spec_image: str = ""
    ready_after: str = ""
    """How long after its start it is ready, where the runtime says so."""
    user: tuple[int, int, tuple[int, ...]] | None = None
    """User, group and further groups of its processes, where the runtime says so."""
    varies: bool = False
    """Whether what it uses changes by itself, where the runtime says so."""


@dataclass(frozen=True, slots=True)
class Seen:
    """All that the runtime has of one pod: sandboxes and containers, the newest attempt first."""

    sandboxes: tuple[Sandbox, ...] = ()
    containers: tuple[Container, ...] = ()
    at: int = 0

    @property
    def states(self) -> frozenset[tuple[str, int]]:
        """The id of each sandbox, and whether it is ready; of each container, and its state."""
        sandboxes = [(one.id, int(one.ready)) for one in self.sandboxes]
        return frozenset([*sandboxes, *((one.id, int(one.state)) for one in self.containers)])

    @property
    def sandbox(self) -> Sandbox | None:
        """The sandbox in use: the newest one, if it is ready."""
        newest = self.sandboxes[0] if self.sandboxes else None
        return newest if newest is not None and newest.ready else None

    def named(self, name: str) -> list[Container]:
        """The containers of a name, the newest attempt first."""
        return [container for container in self.containers if container.name == name]

    def newest(self, name: str) -> Container | None:
        """The newest container of a name."""
        return next((one for one in self.containers if one.name == name), None)


NOTHING: Final = Seen()


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container is not running, as its status says it."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a node would not take a pod."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a pod that the node had taken is ended by the node: it fails, once nothing runs.

    `grace` is how many seconds its containers have; None: as long as the pod says.
    """

    reason: str
    message: str
    grace: int | None = None
    disruption: str = ""
    """Reason of a condition DisruptionTarget that the pod is left with; "" for none."""


@dataclass(slots=True)
class Memory:
    """What the kubelet remembers of a pod between decisions. It is lost with the kubelet.

    `restarts` counts by `podspec.trial`, `pulls` by image. `failures` says why containers could not
    be started, `retry` when (seconds since the epoch) to try again. `attempts` is the highest
    attempt known of each container: it never goes down, even where the runtime forgot all.
    """

    restarts: Backoffs = field(
        default_factory=lambda: Backoffs(INITIAL_BACKOFF, MAX_CONTAINER_BACKOFF)
    )
    pulls: Backoffs = field(
        default_factory=lambda: Backoffs(INITIAL_BACKOFF, MAX_CONTAINER_BACKOFF)
    )
    pull_errors: dict[str, Waiting] = field(default_factory=dict)
    failures: dict[str, Waiting] = field(default_factory=dict)
    retry: dict[str, float] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    sandbox_attempt: int = -1
    sandbox_retry: float = 0.0
    volumes_retry: float = 0.0
    """When to look again at volumes that are not set up; nothing is started before."""
    rejection: Rejection | None = None
    verdict: Verdict | None = None
    begun: float = 0.0
    """When the node took the pod: its status.startTime."""
    resizing: "Resizing | None" = None
    """What its containers were given, once somebody asked for something else."""
    probing: "Probing | None" = None
    """The pod's probes; None where it has none."""
    addresses: tuple[str, ...] = ()
    """What the last sandbox that was made was given."""
    restarts_all: bool = False
    """Whether a rule of a container may have all of them start anew (`restartall`)."""
    afresh: dict[str, None] = field(default_factory=dict)
    """Containers that are to start as if they had never run."""
    removed: bool = False
    """The pod is gone from the API: nothing of it may stay."""
