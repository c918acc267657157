"""Which nodes a DaemonSet's pods belong on.

Source: the page "DaemonSet" of the Kubernetes documentation ("How Daemon Pods are scheduled",
"Taints and tolerations").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import nodeselectors, objects, tolerations
from cluster.api.tolerations import NO_EXECUTE, NO_SCHEDULE

_EVICTING: Final = (NO_EXECUTE,)
_REFUSING: Final = (NO_EXECUTE, NO_SCHEDULE)


def _always(key: str, effect: str) -> objects.Object:
    return {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect}


_TOLERATED: Final = (
    _always("not-ready", NO_EXECUTE),
    _always("unreachable", NO_EXECUTE),
    _always("disk-pressure", NO_SCHEDULE),
    _always("memory-pressure", NO_SCHEDULE),
    _always("pid-pressure", NO_SCHEDULE),
    _always("unschedulable", NO_SCHEDULE),
)
_TOLERATED_BY_HOST_NETWORK: Final = _always("network-unavailable", NO_SCHEDULE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a node should get a pod, and whether one that is there may stay."""

    run: bool
    stay: bool


RUN: Final = Verdict(run=True, stay=True)
STAY: Final = Verdict(run=False, stay=True)
LEAVE: Final = Verdict(run=False, stay=False)


@dataclass(frozen=True, slots=True)
class Placement:
    """What a pod template asks of nodes. `node_name` "" is any."""

    node_name: str
    required: nodeselectors.Required
    tolerations: Sequence[objects.Object]

    def verdict(self, node: Mapping[str, Any] | None) -> Verdict:
        """What becomes of a pod on `node`; None is a node that is not there."""
        if node is None or self.node_name not in ("", objects.name(node)):
            return LEAVE
        if not self.required.matches(node):
            return LEAVE
        taints = objects.spec(node).get("taints")
        if not taints or tolerations.all_tolerated(self.tolerations, taints, _REFUSING):
            return RUN
        if tolerations.all_tolerated(self.tolerations, taints, _EVICTING):
            return STAY
        return LEAVE


def of(daemon_set: objects.Object) -> Placement:
    """Where the pods of a DaemonSet belong."""
    spec = objects.spec(objects.spec(daemon_set).get("template") or {})
    return Placement(
        spec.get("nodeName") or "", nodeselectors.required(spec), with_daemon_tolerations(spec)
    )


def with_daemon_tolerations(pod_spec: objects.Object) -> list[objects.Object]:
    """The pod's tolerations with those that all daemon pods have.

    One of the same key, operator, value and effect is replaced: it tolerates for ever then.
    """
    found: list[objects.Object] = list(pod_spec.get("tolerations") or ())
    wanted = [*_TOLERATED]
    if pod_spec.get("hostNetwork"):
        wanted.append(_TOLERATED_BY_HOST_NETWORK)
    for one in wanted:
        kept = [one if _alike(one, present) else present for present in found]
        found = kept if one in kept else [*kept, one]
    return found


def _alike(one: objects.Object, other: objects.Object) -> bool:
    return all(
        (one.get(field) or "") == (other.get(field) or "")
        for field in ("key", "operator", "value", "effect")
    )
