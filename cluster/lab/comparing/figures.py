"""What is found out about a workload under one RuntimeClass. Pure values; times are in seconds of
virtual time, CPU in thousandths of a core, memory in bytes.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Startup:
    """How soon pods were Ready: the first and the last after everything was applied; median and
    99th percentile of each pod's own time since it was made.
    """

    first: float
    median: float
    p99: float
    all: float


@dataclass(frozen=True, slots=True)
class Amounts:
    """Of what is requested."""

    cpu: int = 0
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """How long something took until it was as wanted, `seconds` None where it never was: of
    `wanted` pods `ready` were Ready at the end.
    """

    wanted: int
    ready: int
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Density:
    """How many replicas fit one node (the roomiest, by itself) and all nodes together."""

    node: int
    cluster: int


@dataclass(frozen=True, slots=True)
class Figures:
    """A whole trial. What could not be measured is None; `problems` are why pods are not Ready."""

    runtime_class: str
    handler: str
    pods: int
    placed: int
    ready: int
    requested: Amounts
    overhead: Amounts
    startup: Startup | None = None
    density: Density | None = None
    scaling: Change | None = None
    recovery: Change | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def pending(self) -> int:
        """Pods that no node has room for."""
        return self.pods - self.placed

    def document(self) -> dict[str, Any]:
        """As plain JSON."""
        return {**asdict(self), "pending": self.pending}


def startup(times: Sequence[float], own: Sequence[float]) -> Startup | None:
    """Of times since everything was applied, and of each pod's own; None where there are none."""
    if not times:
        return None
    return Startup(min(times), percentile(own, 50), percentile(own, 99), max(times))


def percentile(values: Sequence[float], share: int) -> float:
    """The nearest rank. The values must not be empty."""
    ranked = sorted(values)
    return ranked[max(math.ceil(len(ranked) * share / 100), 1) - 1]
