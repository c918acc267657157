"""The arguments of plugins, with Kubernetes' names (in Python's spelling), defaults and rules.

Source: kubescheduler.config.k8s.io/v1 and its validation. What cannot be is a ValueError when the
arguments are built. The arguments of plugins that have more to say are beside those plugins.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

LEAST_ALLOCATED: Final = "LeastAllocated"
MOST_ALLOCATED: Final = "MostAllocated"
REQUESTED_TO_CAPACITY_RATIO: Final = "RequestedToCapacityRatio"
_STRATEGIES: Final = (LEAST_ALLOCATED, MOST_ALLOCATED, REQUESTED_TO_CAPACITY_RATIO)
MAX_CUSTOM_PRIORITY_SCORE: Final = 10


def _refuse_twins(names: Iterable[str]) -> None:
    seen: dict[str, None] = {}
    for name in names:
        if name in seen:
            raise ValueError(f"resource {name} is listed twice")
        seen[name] = None


@dataclass(frozen=True, slots=True)
class ResourceSpec:
    """A resource that counts in a score; `weight` 1 to 100."""

    name: str
    weight: int = 1

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a scored resource needs a name")
        if not 1 <= self.weight <= 100:
            raise ValueError(f"the weight of resource {self.name} must be 1 to 100")


DEFAULT_RESOURCES: Final = (ResourceSpec("cpu"), ResourceSpec("memory"))


@dataclass(frozen=True, slots=True)
class UtilizationShapePoint:
    """At this `utilization` (percent) a node has this `score` (0 to 10)."""

    utilization: int
    score: int

    def __post_init__(self) -> None:
        if not 0 <= self.utilization <= 100:
            raise ValueError("the utilization of a shape's point must be 0 to 100")
        if not 0 <= self.score <= MAX_CUSTOM_PRIORITY_SCORE:
            raise ValueError("the score of a shape's point must be 0 to 10")


@dataclass(frozen=True, slots=True)
class RequestedToCapacityRatioParam:
    """The function from utilization to score: straight lines between its points."""

    shape: tuple[UtilizationShapePoint, ...] = ()

    def __post_init__(self) -> None:
        if not self.shape:
            raise ValueError("at least one point must be specified in the shape")
        given = [point.utilization for point in self.shape]
        if any(first >= then for first, then in itertools.pairwise(given)):
            raise ValueError("the utilization of a shape's points must increase")


@dataclass(frozen=True, slots=True)
class ScoringStrategy:
    """How NodeResourcesFit scores a node."""

    type: str = LEAST_ALLOCATED
    resources: tuple[ResourceSpec, ...] = DEFAULT_RESOURCES
    requested_to_capacity_ratio: RequestedToCapacityRatioParam | None = None

    def __post_init__(self) -> None:
        if self.type not in _STRATEGIES:
            raise ValueError(f"no scoring strategy {self.type!r}: choose of {list(_STRATEGIES)}")
        _refuse_twins(one.name for one in self.resources)
        if self.type == REQUESTED_TO_CAPACITY_RATIO and self.requested_to_capacity_ratio is None:
            raise ValueError("scoring by RequestedToCapacityRatio needs its shape")


@dataclass(frozen=True, slots=True)
class NodeResourcesFitArgs:
    """Which extended resources Filter passes over, and how Score counts."""

    ignored_resources: tuple[str, ...] = ()
    ignored_resource_groups: tuple[str, ...] = ()
    """Such as `example.com`: all resources `example.com/…`."""
    scoring_strategy: ScoringStrategy = ScoringStrategy()

    def __post_init__(self) -> None:
        for group in self.ignored_resource_groups:
            if "/" in group:
                raise ValueError(f"a resource group has no '/': {group!r}")


@dataclass(frozen=True, slots=True)
class NodeResourcesBalancedAllocationArgs:
    """Which resources are to be used evenly; their weights must be 1."""

    resources: tuple[ResourceSpec, ...] = DEFAULT_RESOURCES

    def __post_init__(self) -> None:
        _refuse_twins(one.name for one in self.resources)
        for one in self.resources:
            if one.weight != 1:
                raise ValueError(f"the weight of {one.name} must be 1 in a balanced allocation")


@dataclass(frozen=True, slots=True)
class NodeAffinityArgs:
    """`added_affinity`: a NodeAffinity document that every pod of the profile has besides its own.

    What it requires is required, what it prefers counts.
    """

    added_affinity: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class DefaultPreemptionArgs:
    """How many nodes a dry run of preemption has to find before it chooses."""

    min_candidate_nodes_percentage: int = 10
    """Of the nodes where preemption may help."""
    min_candidate_nodes_absolute: int = 100

    def __post_init__(self) -> None:
        if not 0 <= self.min_candidate_nodes_percentage <= 100:
            raise ValueError("min_candidate_nodes_percentage must be 0 to 100")
        if self.min_candidate_nodes_absolute < 0:
            raise ValueError("min_candidate_nodes_absolute cannot be negative")
        if not self.min_candidate_nodes_percentage and not self.min_candidate_nodes_absolute:
            raise ValueError(
                "both min_candidate_nodes_percentage and min_candidate_nodes_absolute cannot be 0"
            )

    def wanted(self, nodes: int) -> int:
        """How many candidates to look for among so many nodes."""
        share = nodes * self.min_candidate_nodes_percentage // 100
        return min(nodes, max(share, self.min_candidate_nodes_absolute))
