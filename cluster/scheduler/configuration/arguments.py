"""Plugins' arguments with Kubernetes' defaults, and as the plugins take them.

Defaults: pkg/scheduler/apis/config/v1/defaults.go.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from cluster.scheduler.plugins import args as types
from cluster.scheduler.plugins.interpodaffinity import InterPodAffinityArgs
from cluster.scheduler.plugins.spreadconstraints import PodTopologySpreadArgs

Document = dict[str, Any]


def defaulted(plugin: str, document: Document) -> Document:
    """The arguments with what they leave out."""
    made = _DEFAULTS.get(plugin, {}) | document
    if plugin == "NodeResourcesBalancedAllocation":
        made["resources"] = _resources(made.get("resources"))
    if plugin == "NodeResourcesFit":
        strategy = made.get("scoringStrategy")
        strategy = {"type": types.LEAST_ALLOCATED} if strategy is None else strategy
        made["scoringStrategy"] = strategy | {"resources": _resources(strategy.get("resources"))}
    return made


def taken(plugin: str, document: Document) -> Any:
    """The valid arguments as the plugin takes them."""
    return MAKERS[plugin](document)


def _resources(listed: list[Document] | None) -> list[Document]:
    found = listed or [{"name": one.name} for one in types.DEFAULT_RESOURCES]
    return [one | {"weight": one.get("weight") or 1} for one in found]


_DEFAULTS: Final[Mapping[str, Document]] = {
    "DefaultPreemption": {"minCandidateNodesPercentage": 10, "minCandidateNodesAbsolute": 100},
    "InterPodAffinity": {"hardPodAffinityWeight": 1},
    "PodTopologySpread": {"defaultingType": "System"},
    "VolumeBinding": {"bindTimeoutSeconds": 600},
}


def _specs(listed: list[Document]) -> tuple[types.ResourceSpec, ...]:
    return tuple(types.ResourceSpec(one.get("name", ""), one["weight"]) for one in listed)


def _fit(document: Document) -> types.NodeResourcesFitArgs:
    strategy = document["scoringStrategy"]
    ratio = strategy.get("requestedToCapacityRatio")
    shape = [
        types.UtilizationShapePoint(one.get("utilization", 0), one.get("score", 0))
        for one in (ratio or {}).get("shape") or ()
    ]
    return types.NodeResourcesFitArgs(
        tuple(document.get("ignoredResources") or ()),
        tuple(document.get("ignoredResourceGroups") or ()),
        types.ScoringStrategy(
            strategy["type"],
            _specs(strategy["resources"]),
            types.RequestedToCapacityRatioParam(tuple(shape)) if ratio is not None else None,
        ),
    )


MAKERS: Final[Mapping[str, Callable[[Document], Any]]] = {
    "DefaultPreemption": lambda document: types.DefaultPreemptionArgs(
        document["minCandidateNodesPercentage"], document["minCandidateNodesAbsolute"]
    ),
    "InterPodAffinity": lambda document: InterPodAffinityArgs(
        document["hardPodAffinityWeight"],
        document.get("ignorePreferredTermsOfExistingPods", False),
    ),
    "NodeAffinity": lambda document: types.NodeAffinityArgs(document.get("addedAffinity")),
    "NodeResourcesBalancedAllocation": lambda document: types.NodeResourcesBalancedAllocationArgs(
        _specs(document["resources"])
    ),
    "NodeResourcesFit": _fit,
    "PodTopologySpread": lambda document: PodTopologySpreadArgs(
        tuple(document.get("defaultConstraints") or ()), document["defaultingType"]
    ),
    "VolumeBinding": lambda document: float(document["bindTimeoutSeconds"]),
}
