"""An experiment as data: what must hold, what is done to whom and when, and what must come of it.

It comes from a file (`reading`), is written to one (`writing`), or is drawn by a seed (`drawing`).
Times are seconds since the faults begin, shares are from 0 to 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

API_VERSION: Final = "kubemu.dev/v1alpha1"
KIND: Final = "Experiment"
ANY: Final = "any"
NEVER: Final = -1.0
"""As the time of a mark: it must not come."""

WELL_FOR: Final = 1.0
"""So long no request may fail, and all states hold, for the cluster to be called well."""

ZONE_LABEL: Final = "topology.kubernetes.io/zone"
RACK_LABEL: Final = "topology.kubernetes.io/rack"

STOP, KILL, PAUSE, RESTART, SLOW = "stop", "kill", "pause", "restart", "slow"
PARTITION, IMPAIR, API, DISK, CLOCK, LOAD = "partition", "impair", "api", "disk", "clock", "load"
ACTIONS: Final = (
    STOP, KILL, PAUSE, RESTART, SLOW, PARTITION, IMPAIR, API, DISK, CLOCK, LOAD,
)  # fmt: skip
MOMENTARY: Final = (KILL, RESTART)
"""These are done in a moment, and nothing of them is to be undone."""

NODES_READY, DEPLOYMENT, PODS_READY, HTTP, API_PROBE = (
    "nodesReady", "deploymentAvailable", "podsReady", "http", "api",
)  # fmt: skip
PROBES: Final = (NODES_READY, DEPLOYMENT, PODS_READY, HTTP, API_PROBE)

DETECTED, NOT_READY, EVICTED, RESCHEDULED, RECOVERED = (
    "detected", "notReady", "evicted", "rescheduled", "recovered",
)  # fmt: skip
MARKS: Final = (DETECTED, NOT_READY, EVICTED, RESCHEDULED, RECOVERED)
"""What is told of each fault, as a time after it."""
MARK_TITLES: Final = MappingProxyType({mark: mark for mark in MARKS} | {NOT_READY: "NotReady"})
"""How each of them is shown to people: NotReady as Kubernetes writes it."""

TARGETS: Final = ("process", "component", "node", "nodes", "rack", "zone", "leader")


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a fault is done to.

    `kind` is one of TARGETS and `value` what it says: a pattern of process names (`kubelet-*`), a
    component, a node, a label selector of nodes, a rack, a zone, or the name of a Lease in
    kube-system, whose holder is meant. A node, rack or zone may be `any`: the seed chooses, where
    pods of the workload run. `only` is the one component of the nodes that is meant.
    """

    kind: str
    value: str
    only: str = ""

    def __str__(self) -> str:
        shown = f"{self.kind} {self.value}"
        return f"{self.only} of {shown}" if self.only else shown


@dataclass(frozen=True, slots=True)
class Link:
    """What is wrong with links, as `kubemu net impair` has it: seconds, shares, bits a second."""

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class ApiFault:
    """What an API server does to requests that match: users by pattern, verbs and resources by
    name, all of them where nothing is said; to a `share` of them.

    `code` is the error that they get (0: none), `latency` how late they are carried out,
    `drop_watches` how long a watch lives (0: as long as it likes), `delay_watches` how late its
    events come, and with `stale` gets and lists see the cluster as it was when the fault began.
    """

    users: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    share: float = 1.0
    code: int = 0
    latency: float = 0.0
    drop_watches: float = 0.0
    delay_watches: float = 0.0
    stale: bool = False


@dataclass(frozen=True, slots=True)
class DiskFault:
    """What becomes of the store's disk: it takes no more, or each commit is so late."""

    full: bool = False
    latency: float = 0.0


@dataclass(frozen=True, slots=True)
class Load:
    """A client that asks for much: watches of pods held open and opened anew every `reopen`
    seconds, lists of all pods and writes of ConfigMaps a second.
    """

    watches: int = 0
    reopen: float = 0.0
    lists: float = 0.0
    writes: float = 0.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is done at `at`, and undone `seconds` later.

    `target` is whom it is done to; a partition has `sides` (one alone is cut off from all others).
    With `spacing` the members of the target are taken one after the other, so far apart.
    """

    action: str
    at: float
    seconds: float = 0.0
    target: Target | None = None
    sides: tuple[Target, ...] = ()
    spacing: float = 0.0
    cpu: float = 1.0
    offset: float = 0.0
    link: Link = Link()
    api: ApiFault = ApiFault()
    disk: DiskFault = DiskFault()
    load: Load = Load()

    @property
    def whom(self) -> str:
        """Its target in words."""
        if self.sides:
            return " | ".join(str(side) for side in self.sides)
        return str(self.target) if self.target is not None else ""


@dataclass(frozen=True, slots=True)
class Probe:
    """What is looked at all the time.

    A state (nodesReady, deploymentAvailable, podsReady) is held or not: `at_least` is a number, or
    a share of all where `of_all` is set. Requests (http, api) are sent at `rate` a second and must
    be answered within `timeout`; `availability` is the least share that must be answered well
    during the whole experiment, and `p99` (0: any) the longest that 99% of them may take.
    """

    name: str
    kind: str
    at_least: float = 1.0
    of_all: bool = True
    namespace: str = "default"
    subject: str = ""
    """A Deployment, a label selector of pods, or a Service."""
    port: str = ""
    path: str = "/"
    host: str = ""
    rate: float = 10.0
    timeout: float = 1.0
    availability: float = 0.0
    p99: float = 0.0

    @property
    def asks(self) -> bool:
        """Whether it sends requests."""
        return self.kind in (HTTP, API_PROBE)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a cluster must have for the experiment to mean anything."""

    nodes: int = 1
    zones: int = 0
    racks: int = 0


_NOTHING: Final[Mapping[str, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Experiment:
    """A whole experiment. `expect` has for marks the time within which they must come, or NEVER;
    it is about the first fault that has them.
    """

    name: str
    description: str = ""
    seed: int = 0
    needs: Needs = Needs()
    workload: str = ""
    """Manifests that are applied before and deleted after it."""
    steady_within: float = 60.0
    """How long the probes may take to hold before the faults."""
    steady_for: float = 3.0
    """How long they must hold then, for comparison."""
    probes: tuple[Probe, ...] = ()
    faults: tuple[Fault, ...] = ()
    recovery_within: float = 120.0
    """How long they may take to hold again once all is undone."""
    expect: Mapping[str, float] = field(default_factory=lambda: _NOTHING)

    @property
    def end(self) -> float:
        """When the last fault is undone, at the earliest."""
        return max((fault.at + fault.seconds for fault in self.faults), default=0.0)
