"""Topology spread constraints, parsed: those of a pod, or the default ones of the scheduler.

Rules: v1.TopologySpreadConstraint. matchLabelKeys add the pod's own values of these labels to the
selector. Default constraints have the selector of what the pod belongs to (see nodes.workloads).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec

from cluster.api import objects, selectors
from cluster.api.label_text import Requirement
from cluster.api.selectors import NOTHING, Selector

HOSTNAME: Final = "kubernetes.io/hostname"
ZONE: Final = "topology.kubernetes.io/zone"
DO_NOT_SCHEDULE: Final = "DoNotSchedule"
SCHEDULE_ANYWAY: Final = "ScheduleAnyway"
SYSTEM_DEFAULTING: Final = "System"
LIST_DEFAULTING: Final = "List"

SYSTEM_DEFAULTS: Final = (
    {"topologyKey": HOSTNAME, "whenUnsatisfiable": SCHEDULE_ANYWAY, "maxSkew": 3},
    {"topologyKey": ZONE, "whenUnsatisfiable": SCHEDULE_ANYWAY, "maxSkew": 5},
)

_ACTIONS: Final = (DO_NOT_SCHEDULE, SCHEDULE_ANYWAY)
_HONOR: Final = "Honor"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class PodTopologySpreadArgs:
    """`default_constraints`: documents, for pods without constraints of their own; with
    `defaulting_type` "System" they are Kubernetes' own, with "List" these. ValueError for what
    cannot be.
    """

    default_constraints: tuple[Mapping[str, Any], ...] = ()
    defaulting_type: str = SYSTEM_DEFAULTING

    def __post_init__(self) -> None:
        kinds = (SYSTEM_DEFAULTING, LIST_DEFAULTING)
        if self.defaulting_type not in kinds:
            raise _invalid(
                "defaultingType", self.defaulting_type, 'must be one of {"System", "List"}'
            )
        if self.defaulting_type == SYSTEM_DEFAULTING and self.default_constraints:
            message = "when .defaultConstraints are not empty"
            raise _invalid("defaultingType", self.defaulting_type, message)
        seen: dict[tuple[str, str], None] = {}
        for at, one in enumerate(self.default_constraints):
            _check(f"defaultConstraints[{at}]", one)
            pair = (one["topologyKey"], one["whenUnsatisfiable"])
            if pair in seen:
                text = ", ".join(pair)
                raise ValueError(f'defaultConstraints[{at}]: Duplicate value: "{{{text}}}"')
            seen[pair] = None


@dataclass(frozen=True, slots=True)
class Constraint:
    """One constraint. `honor_affinity`, `honor_taints`: nodes that these rule out do not count."""

    topology_key: str
    max_skew: int
    selector: Selector
    min_domains: int = 1
    honor_affinity: bool = True
    honor_taints: bool = False


@dataclass(frozen=True, slots=True)
class Constraints:
    """The constraints of a pod by what happens where they are not met, and what they are from."""

    hard: tuple[Constraint, ...] = ()
    soft: tuple[Constraint, ...] = ()
    source: str = ""


NONE: Final = Constraints()


def of(pod: objects.Object) -> Constraints:
    """The pod's own constraints."""
    found = objects.spec(pod).get("topologySpreadConstraints")
    if not found:
        return NONE
    labels = objects.labels(pod)
    keys = {key for one in found for key in one.get("matchLabelKeys") or ()}
    own = {key: labels[key] for key in sorted(keys) if key in labels}
    return _parse(_encode([found, own]))


@lru_cache(1024)
def default(documents: bytes, selector: Selector) -> Constraints:
    """Default constraints (a JSON list) for the pods of a selector."""
    if selector.empty:
        return NONE
    found = _decode(documents)
    return _sorted(found, [_constraint(one, selector) for one in found], str(selector))


def _check(path: str, one: Mapping[str, Any]) -> None:
    skew = one.get("maxSkew", 0)
    if type(skew) is not int or skew <= 0:
        raise _invalid(f"{path}.maxSkew", skew, "must be greater than zero")
    if not one.get("topologyKey"):
        raise ValueError(f"{path}.topologyKey: Required value: can not be empty")
    if one.get("whenUnsatisfiable") not in _ACTIONS:
        known = ", ".join(f'"{action}"' for action in _ACTIONS)
        found = one.get("whenUnsatisfiable")
        raise ValueError(
            f'{path}.whenUnsatisfiable: Unsupported value: "{found}": supported values: {known}'
        )
    if one.get("labelSelector") is not None:
        raise ValueError(
            f"{path}.labelSelector: Forbidden: "
            "constraint must not define a selector, as they deduced for each pod"
        )


def _invalid(path: str, value: object, message: str) -> ValueError:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return ValueError(f"{path}: Invalid value: {text}: {message}")


@lru_cache(4096)
def _parse(text: bytes) -> Constraints:
    found, own = _decode(text)
    return _sorted(found, [_constraint(one, _selector(one, own)) for one in found], text.decode())


def _sorted(
    documents: Sequence[Mapping[str, Any]], constraints: Sequence[Constraint], source: str
) -> Constraints:
    def which(action: str) -> tuple[Constraint, ...]:
        return tuple(
            constraint
            for document, constraint in zip(documents, constraints, strict=True)
            if document.get("whenUnsatisfiable", DO_NOT_SCHEDULE) == action
        )

    return Constraints(which(DO_NOT_SCHEDULE), which(SCHEDULE_ANYWAY), source)


def _constraint(document: Mapping[str, Any], selector: Selector) -> Constraint:
    return Constraint(
        topology_key=document.get("topologyKey") or "",
        max_skew=document.get("maxSkew") or 1,
        selector=selector,
        min_domains=document.get("minDomains") or 1,
        honor_affinity=(document.get("nodeAffinityPolicy") or _HONOR) == _HONOR,
        honor_taints=document.get("nodeTaintsPolicy") == _HONOR,
    )


def _selector(document: Mapping[str, Any], own: Mapping[str, str]) -> Selector:
    try:
        found = selectors.of(document.get("labelSelector"))
    except ValueError:  # the API admits none of these
        return NOTHING
    more = [
        Requirement(key, "in", (own[key],))
        for key in document.get("matchLabelKeys") or ()
        if key in own
    ]
    return Selector((*found.requirements, *more), found.nothing)
