"""The extension points, in the order in which an attempt to schedule a pod passes them.

A plugin is an object with a `name` and the methods of the points it extends; the profile finds out
which those are. Filter and Score look at many nodes at once: they get the node table and the rows
to judge, and give an array with one number a row.

    queue      PreEnqueue, QueueSort
    scheduling PreFilter, Filter, PostFilter (only where no node passed), PreScore, Score,
               NormalizeScore, Reserve
    binding    Permit, PreBind, Bind, PostBind; Unreserve where one of them fails
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cluster.scheduler.framework.events import Event, Hint
from cluster.scheduler.framework.status import Status
from cluster.scheduler.nodes.columns import Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.pods import PodInfo

MAX_NODE_SCORE: Final = 100

Codes = NDArray[np.int64]
"""A filter's verdicts: 0 passes; any other number means something to the plugin's `verdict`."""
Scores = NDArray[np.int64]

CycleState = dict[str, Any]
"""What plugins remember between the points of an attempt, by plugin name. A result that is kept
for equal pods keeps its state with it."""


UNIQUE: Final = "\0unique"
"""What `Signing.sign` gives for a pod that is like no other: nothing is kept for it."""


class Reads(IntEnum):
    """What the verdict on a node depends on, apart from the pod."""

    NODE = 0
    """The node's own spec, labels, allocatable."""
    USAGE = 1
    """That, and what runs on the node (or is nominated to it)."""
    CLUSTER = 2
    """Anything: judged anew for all nodes in every attempt."""


@runtime_checkable
class Plugin(Protocol):
    """What every plugin has."""

    @property
    def name(self) -> str:
        """The plugin's name, as in Kubernetes' configuration."""
        ...


@runtime_checkable
class Signing(Plugin, Protocol):
    """A plugin that can tell which pods are alike to it, so that results may be kept."""

    def sign(self, pod: PodInfo) -> Any:
        """All of the pod that the plugin looks at, as plain JSON data; None where it looks at
        nothing, UNIQUE where no other pod's verdicts can be its own.
        """
        ...


@runtime_checkable
class Requeueing(Plugin, Protocol):
    """A plugin that says what may help the pods that it turned down."""

    @property
    def hints(self) -> Mapping[Event, Hint]:
        """The events that may help, each with its hint."""
        ...


@runtime_checkable
class PreEnqueue(Plugin, Protocol):
    """Decides whether a pod may enter the queue at all."""

    def pre_enqueue(self, pod: PodInfo) -> Status:
        """Anything but success keeps the pod out until it changes."""
        ...


@runtime_checkable
class QueueSort(Plugin, Protocol):
    """Orders the active queue. A profile has exactly one."""

    def sort_key(self, pod: PodInfo, since: float) -> tuple[Any, ...]:
        """The smallest goes first. `since`: when the pod was first queued, seconds (wall)."""
        ...


@runtime_checkable
class PreFilter(Plugin, Protocol):
    """Looks at the pod before any node."""

    def pre_filter(
        self, state: CycleState, pod: PodInfo, nodes: NodeTable
    ) -> tuple[Status, frozenset[str] | None]:
        """Skip: the plugin's Filter is not called. Names restrict the attempt to these nodes."""
        ...


@runtime_checkable
class Filter(Plugin, Protocol):
    """Turns nodes down."""

    @property
    def reads(self) -> Reads:
        """What the verdicts depend on."""
        ...

    def filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> Codes:
        """A code for each of `rows`."""
        ...

    def verdict(self, state: CycleState, pod: PodInfo, nodes: NodeTable, code: int) -> Status:
        """The meaning of a code that is not 0."""
        ...


@dataclass(frozen=True, slots=True)
class Refusals:
    """What a PostFilter plugin is told: `verdicts` has the rows that were turned down, by verdict.

    `filters` are those of the attempt that look at pods on nodes (Reads.USAGE and CLUSTER), in
    their order: whoever wants to know what would be without certain pods takes them out of the
    cache (`nodes.trial`) and calls these again for the rows in question. For this to work, such a
    filter judges by the cache as it is when it is called, which it follows as a listener, and
    never by what it saw in pre_filter (Kubernetes: PreFilterExtensions).
    """

    verdicts: Mapping[Status, Rows]
    filters: Sequence[Filter] = ()
    nominated_node_name: str = ""
    """The node that the pod has been promised, which it did not fit (yet)."""


@dataclass(frozen=True, slots=True)
class PostFilterResult:
    """What becomes of the pod's nomination: None leaves it, "" ends it, a node takes its place.

    `victims` are to be evicted from that node, the most important first.
    """

    nominated_node_name: str | None = None
    victims: tuple[PodInfo, ...] = ()


@runtime_checkable
class PostFilter(Plugin, Protocol):
    """Called where no node passed: may make room, or says why it cannot."""

    def post_filter(
        self, state: CycleState, pod: PodInfo, nodes: NodeTable, refusals: Refusals
    ) -> tuple[Status, PostFilterResult]:
        """Success: room is being made, and the pod is worth trying again when it is there."""
        ...


@runtime_checkable
class PreScore(Plugin, Protocol):
    """Prepares scoring."""

    def pre_score(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> Status:
        """Skip: the plugin's Score is not called."""
        ...


@runtime_checkable
class Score(Plugin, Protocol):
    """Prefers nodes over others."""

    @property
    def reads(self) -> Reads:
        """What the scores depend on."""
        ...

    def score(self, state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> Scores:
        """A score for each of `rows`: 0 to MAX_NODE_SCORE unless the plugin also normalizes.

        Rows that no filter passed may be among them; their scores do not matter.
        """
        ...


@runtime_checkable
class NormalizeScore(Plugin, Protocol):
    """Brings a plugin's scores into 0 to MAX_NODE_SCORE, seeing all nodes that passed."""

    def normalize(self, scores: Scores) -> Scores:
        """The normalized scores. Equal scores must become equal ones."""
        ...


@runtime_checkable
class Reserve(Plugin, Protocol):
    """Sets something aside for a pod on its node."""

    def reserve(self, state: CycleState, pod: PodInfo, node: str) -> Status:
        """Called when the node is chosen."""
        ...

    def unreserve(self, state: CycleState, pod: PodInfo, node: str) -> None:
        """Called, in reverse order, when binding failed later. Must not fail."""
        ...


@runtime_checkable
class Permit(Plugin, Protocol):
    """Approves or denies the binding, and may wait before it does."""

    async def permit(self, state: CycleState, pod: PodInfo, node: str) -> Status:
        """Its verdict. The scheduler ends the wait after 15 minutes, as Kubernetes does."""
        ...


@runtime_checkable
class PreBind(Plugin, Protocol):
    """Does what has to be done before the pod is bound."""

    async def pre_bind(self, state: CycleState, pod: PodInfo, node: str) -> Status:
        """Its verdict."""
        ...


@runtime_checkable
class Patient(PreBind, Protocol):
    """One whose PreBind may wait for others for long. Such waits hold up no other pod."""

    @property
    def patience(self) -> float:
        """Seconds after which the scheduler ends it."""
        ...

    def waits(self, state: CycleState) -> bool:
        """Whether it has anything to do for the pod: its PreBind is not called where it has not."""
        ...


@runtime_checkable
class Bind(Plugin, Protocol):
    """Binds the pod. Asked in order until one does not say Skip."""

    async def bind(self, pod: PodInfo, node: str) -> Status:
        """Success, Skip, or an error."""
        ...


@runtime_checkable
class PostBind(Plugin, Protocol):
    """Hears of a pod that is bound."""

    def post_bind(self, state: CycleState, pod: PodInfo, node: str) -> None:
        """The pod is on the node, as the API says. Must not fail."""
        ...


POINTS: Final[Mapping[str, type]] = {
    "preEnqueue": PreEnqueue,
    "queueSort": QueueSort,
    "preFilter": PreFilter,
    "filter": Filter,
    "postFilter": PostFilter,
    "preScore": PreScore,
    "score": Score,
    "reserve": Reserve,
    "permit": Permit,
    "preBind": PreBind,
    "bind": Bind,
    "postBind": PostBind,
}
"""The points that a configuration names, in Kubernetes' spelling. Normalizing belongs to Score."""


def normalized(scores: Scores, *, reverse: bool = False) -> Scores:
    """Scale scores so that the largest becomes MAX_NODE_SCORE; `reverse` turns the scale round.

    Kubernetes' DefaultNormalizeScore.
    """
    largest = int(scores.max(initial=0))
    if largest == 0:
        return np.full_like(scores, MAX_NODE_SCORE) if reverse else scores
    scaled: Scores = scores * MAX_NODE_SCORE // largest
    return MAX_NODE_SCORE - scaled if reverse else scaled


def names(plugins: Sequence[Plugin]) -> tuple[str, ...]:
    """Their names."""
    return tuple(plugin.name for plugin in plugins)
