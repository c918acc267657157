"""What is wrong with plugins' arguments: pkg/scheduler/apis/config/validation, by field path."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cluster.api import causes, metadata
from cluster.api.errors import Cause
from cluster.api.validation import scheduling, values

_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_STRATEGIES: Final = ("LeastAllocated", "MostAllocated", "RequestedToCapacityRatio")
_ACTIONS: Final = ("DoNotSchedule", "ScheduleAnyway")

Document = Mapping[str, Any]
Causes = list[Cause]


def check(plugin: str, path: str, args: Document) -> Causes:
    """What is wrong with the arguments (with their defaults) of a plugin at `path`."""
    rule = _RULES.get(plugin)
    return rule(path, args) if rule else []


def _preemption(path: str, args: Document) -> Causes:
    found: Causes = []
    share, count = args["minCandidateNodesPercentage"], args["minCandidateNodesAbsolute"]
    at_share, at_count = f"{path}.minCandidateNodesPercentage", f"{path}.minCandidateNodesAbsolute"
    if not 0 <= share <= 100:
        found.append(causes.invalid(at_share, share, "not in valid range [0, 100]"))
    if count < 0:
        found.append(causes.invalid(at_count, count, "not in valid range [0, inf)"))
    if not share and not count:
        zero = "cannot be zero at the same time as"
        found.append(causes.invalid(at_share, share, f"{zero} minCandidateNodesAbsolute"))
        found.append(causes.invalid(at_count, count, f"{zero} minCandidateNodesPercentage"))
    return found


def _inter_pod_affinity(path: str, args: Document) -> Causes:
    weight = args["hardPodAffinityWeight"]
    if 0 <= weight <= 100:
        return []
    at = f"{path}.hardPodAffinityWeight"
    return [causes.invalid(at, weight, "not in valid range [0, 100]")]


def _node_affinity(path: str, args: Document) -> Causes:
    added = args.get("addedAffinity") or {}
    wanted = {}
    if added.get(_REQUIRED) is not None:
        wanted[_REQUIRED] = added[_REQUIRED]
    if added.get(_PREFERRED):
        wanted[_PREFERRED] = added[_PREFERRED]
    found = scheduling.affinity(path, {"nodeAffinity": wanted})
    start, end = f"{path}.nodeAffinity", f"{path}.addedAffinity"
    return [Cause(one.reason, one.message, one.field.replace(start, end, 1)) for one in found]


def _balanced(path: str, args: Document) -> Causes:
    found: Causes = []
    seen: dict[str, None] = {}
    for index, one in enumerate(args["resources"]):
        at, name = f"{path}.resources[{index}]", one.get("name", "")
        if name in seen:
            found.append(causes.duplicate(f"{at}.name", name))
        seen[name] = None
        if one["weight"] != 1:
            found.append(causes.invalid(f"{at}.weight", one["weight"], "must be 1"))
    return found


def _fit(path: str, args: Document) -> Causes:
    found: Causes = []
    for index, name in enumerate(args.get("ignoredResources") or ()):
        at = f"{path}.ignoredResources[{index}]"
        found += values.complaints(at, name, metadata.qualified_name(name))
    for index, group in enumerate(args.get("ignoredResourceGroups") or ()):
        at = f"{path}.ignoredResourceGroups[{index}]"
        if "/" in group:
            found.append(causes.invalid(at, group, "resource group name can't contain '/'"))
        found += values.complaints(at, group, metadata.qualified_name(group))
    return found + _strategy(f"{path}.scoringStrategy", args["scoringStrategy"])


def _strategy(path: str, strategy: Document) -> Causes:
    found: Causes = []
    kind = strategy.get("type", "")
    if kind not in _STRATEGIES:
        found.append(causes.not_supported(f"{path}.type", kind, _STRATEGIES))
    for index, one in enumerate(strategy["resources"]):
        if not 0 < one["weight"] <= 100:
            name = one.get("name", "")
            told = f"resource weight of {name} not in valid range (0, 100]"
            at = f"{path}.resources[{index}].weight"
            found.append(causes.invalid(at, one["weight"], told))
    at, ratio = f"{path}.requestedToCapacityRatio", strategy.get("requestedToCapacityRatio")
    if kind != "RequestedToCapacityRatio":
        if ratio is not None:
            told = "must be nil when type is not RequestedToCapacityRatio"
            found.append(causes.forbidden(at, told))
    elif ratio is None:
        told = "must be specified when type is RequestedToCapacityRatio"
        found.append(causes.required(at, told))
    else:
        found += _shape(f"{at}.shape", ratio.get("shape") or ())
    return found


def _shape(path: str, shape: Sequence[Document]) -> Causes:
    if not shape:
        return [causes.required(path, "at least one point must be specified")]
    found: Causes = []
    points = [(one.get("utilization", 0), one.get("score", 0)) for one in shape]
    for index in range(1, len(points)):
        if points[index - 1][0] >= points[index][0]:
            at = f"{path}[{index}].utilization"
            told = "values must be sorted in increasing order"
            found.append(causes.invalid(at, points[index][0], told))
            break
    for index, (utilization, score) in enumerate(points):
        if not 0 <= utilization <= 100:
            at = f"{path}[{index}].utilization"
            found.append(causes.invalid(at, utilization, "not in valid range [0, 100]"))
        if not 0 <= score <= 10:
            at = f"{path}[{index}].score"
            found.append(causes.invalid(at, score, "not in valid range [0, 10]"))
    return found


def _spread(path: str, args: Document) -> Causes:
    found: Causes = []
    kind, listed = args["defaultingType"], args.get("defaultConstraints") or []
    at = f"{path}.defaultingType"
    if kind not in ("System", "List"):
        found.append(causes.not_supported(at, kind, ("System", "List")))
    elif kind == "System" and listed:
        found.append(causes.invalid(at, kind, "when .defaultConstraints are not empty"))
    seen: dict[tuple[str, str], None] = {}
    for index, one in enumerate(listed):
        here = f"{path}.defaultConstraints[{index}]"
        found += _constraint(here, one)
        pair = (one.get("topologyKey", ""), one.get("whenUnsatisfiable", ""))
        if pair in seen:
            found.append(causes.duplicate(here, f"{{{pair[0]}, {pair[1]}}}"))
        seen[pair] = None
    return found


def _constraint(path: str, one: Document) -> Causes:
    found: Causes = []
    skew, key, action = (one.get(name) for name in ("maxSkew", "topologyKey", "whenUnsatisfiable"))
    if (skew or 0) <= 0:
        told = "not in valid range (0, inf)"
        found.append(causes.invalid(f"{path}.maxSkew", skew or 0, told))
    if not key:
        found.append(causes.required(f"{path}.topologyKey", "can not be empty"))
    else:
        found += values.complaints(f"{path}.topologyKey", key, metadata.qualified_name(key))
    if not action:
        found.append(causes.required(f"{path}.whenUnsatisfiable", "can not be empty"))
    elif action not in _ACTIONS:
        found.append(causes.not_supported(f"{path}.whenUnsatisfiable", action, _ACTIONS))
    if one.get("labelSelector") is not None:
        told = "constraint must not define a selector, as they deduced for each pod"
        found.append(causes.forbidden(f"{path}.labelSelector", told))
    return found


def _volume_binding(path: str, args: Document) -> Causes:
    found: Causes = []
    seconds = args["bindTimeoutSeconds"]
    if seconds < 0:
        told = "invalid BindTimeoutSeconds, should not be a negative value"
        found.append(causes.invalid(f"{path}.bindTimeoutSeconds", seconds, told))
    if args.get("shape") is not None:
        told = (
            "unexpected field `shape`, remove it or turn on the feature gate StorageCapacityScoring"
        )
        found.append(causes.invalid(f"{path}.shape", args["shape"], told))
    return found


_RULES: Final[Mapping[str, Callable[[str, Document], Causes]]] = {
    "DefaultPreemption": _preemption,
    "InterPodAffinity": _inter_pod_affinity,
    "NodeAffinity": _node_affinity,
    "NodeResourcesBalancedAllocation": _balanced,
    "NodeResourcesFit": _fit,
    "PodTopologySpread": _spread,
    "VolumeBinding": _volume_binding,
}
