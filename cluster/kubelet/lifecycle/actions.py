"""What can be done about a pod, as values. The shell carries them out, in order."""

from dataclasses import dataclass, field

from cluster.api import objects
from cluster.kubelet.lifecycle.model import Waiting


@dataclass(frozen=True, slots=True)
class CreateSandbox:
    """Make the sandbox that the containers after it are put in."""

    attempt: int


@dataclass(frozen=True, slots=True)
class StopSandbox:
    """Let the pod's network go; nothing runs in it any more."""

    id: str


@dataclass(frozen=True, slots=True)
class RemoveSandbox:
    """Forget a stopped sandbox and the containers in it."""

    id: str


@dataclass(frozen=True, slots=True)
class Start:
    """See to the image, make a container and start it. `after` is when its predecessor ended."""

    spec: objects.Object
    attempt: int
    init: bool = False
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """Start a container that was made and not started."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Kill:
    """End a container, with a grace in seconds. Kills that follow each other happen together, but
    each waits within its grace until those of an earlier `turn` have ended.
    """

    id: str
    name: str
    grace: int
    message: str = ""
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Resize:
    """Give a running container what `resources` (of its spec) say."""

    id: str
    name: str
    resources: objects.Object


@dataclass(frozen=True, slots=True)
class RemoveContainer:
    """Forget an ended container that nobody asks about any more."""

    id: str


@dataclass(frozen=True, slots=True)
class Reset:
    """Forget an ended container that is to start as if it had never run. `cause`: when it ended,
    where its end is why all containers of its pod start anew.
    """

    id: str
    name: str
    cause: float | None = None


Action = (
    CreateSandbox
    | StopSandbox
    | RemoveSandbox
    | Start
    | Resume
    | Kill
    | Resize
    | RemoveContainer
    | Reset
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, when to look again, and why containers wait.

    `stopped`: nothing of the pod runs, and nothing will. `gone`: the runtime has nothing of it.
    `restarting`: all its containers are on their way to start anew.
    """

    actions: tuple[Action, ...] = ()
    wake_at: float | None = None
    waiting: dict[str, Waiting] = field(default_factory=dict)
    stopped: bool = False
    gone: bool = False
    restarting: bool = False
