"""What pods and nodes may do to help a pod that PodTopologySpread turned down."""

from collections.abc import Callable
from typing import Final

import msgspec

from cluster.api import objects
from cluster.scheduler.framework.events import Alike, Event, Hint, Occurrence
from cluster.scheduler.plugins.spreadconstraints import Constraint, Constraints
from cluster.scheduler.pods import PodInfo

_encode: Final = msgspec.json.Encoder().encode


def _facts(pod: PodInfo) -> bytes:
    """All of a waiting pod that its constraints, or the default ones, are read from."""
    meta, constraints = objects.meta(pod.object), pod.spec.get("topologySpreadConstraints")
    owners = meta.get("ownerReferences")
    return _encode([objects.namespace(pod.object), meta.get("labels"), owners, constraints])


def hints(constraints: Callable[[objects.Object], Constraints]) -> dict[Event, Hint]:
    """The events that may help, each with its hint."""
    look = _Look(constraints)
    other = Alike(look.pod, _facts)
    return {
        Event.ASSIGNED_POD_ADD: other,
        Event.ASSIGNED_POD_UPDATE: other,
        Event.ASSIGNED_POD_DELETE: other,
        Event.NODE_ADD: look.node,
        Event.NODE_LABELS: look.node,
        Event.NODE_TAINTS: look.taints,
        Event.NODE_DELETE: look.node,
        Event.POD_UPDATE: look.itself,
    }


class _Look:
    def __init__(self, constraints: Callable[[objects.Object], Constraints]) -> None:
        self._constraints = constraints

    def pod(self, pod: PodInfo, occurrence: Occurrence) -> bool:
        """A constraint counts the one, or did: another domain may have the fewest now."""
        return any(
            self._counts(one, pod, other)
            for one in self._constraints(pod.object).hard
            for other in (occurrence.old, occurrence.new)
            if other is not None
        )

    def node(self, pod: PodInfo, occurrence: Occurrence) -> bool:
        """The node is, or was, in a domain of all constraints."""
        constraints = self._constraints(pod.object).hard
        return any(
            all(one.topology_key in objects.labels(node) for one in constraints)
            for node in (occurrence.old, occurrence.new)
            if node is not None
        )

    def taints(self, pod: PodInfo, _occurrence: Occurrence) -> bool:
        """Taints say which nodes count."""
        return any(one.honor_taints for one in self._constraints(pod.object).hard)

    def itself(self, pod: PodInfo, occurrence: Occurrence) -> bool:
        """Its labels (and so whether it counts itself) or its constraints changed."""
        return bool(
            objects.labels(occurrence.old) != objects.labels(pod.object)
            or self._constraints(occurrence.old) != self._constraints(pod.object)
        )

    def _counts(self, one: Constraint, pod: PodInfo, other: objects.Object) -> bool:
        same = objects.namespace(other) == objects.namespace(pod.object)
        return same and one.selector.matches(objects.labels(other))
