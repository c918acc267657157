"""What pods and nodes may do to help a pod that InterPodAffinity turned down."""

from typing import Any, Final

import msgspec

from cluster.api import objects
from cluster.scheduler.framework.events import Alike, Event, Hint, Occurrence
from cluster.scheduler.nodes.namespaces import Namespaces
from cluster.scheduler.plugins import podaffinityterms
from cluster.scheduler.plugins.podaffinityterms import Term
from cluster.scheduler.pods import PodInfo

_encode: Final = msgspec.json.Encoder().encode


def _facts(pod: PodInfo) -> bytes:
    """All of a waiting pod that other pods have to do with."""
    affinity = pod.spec.get("affinity") or {}
    halves = affinity.get("podAffinity"), affinity.get("podAntiAffinity")
    return _encode([objects.namespace(pod.object), objects.labels(pod.object), halves])


def hints(namespaces: Namespaces) -> dict[Event, Hint]:
    """The events that may help, each with its hint."""
    look = _Look(namespaces)
    return {
        Event.ASSIGNED_POD_ADD: Alike(look.pod_came, _facts),
        Event.ASSIGNED_POD_DELETE: Alike(look.pod_went, _facts),
        Event.ASSIGNED_POD_UPDATE: Alike(look.pod_changed, _facts),
        Event.NODE_ADD: _node,
        Event.NODE_LABELS: _node,
        Event.POD_UPDATE: _itself,
    }


class _Look:
    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces

    def pod_came(self, pod: PodInfo, occurrence: Occurrence) -> bool:
        """It is one that the pod wants to be near."""
        return self._wanted(pod, occurrence.new)

    def pod_went(self, pod: PodInfo, occurrence: Occurrence) -> bool:
        """It was in the way; or it was of a group of which the pod may be the first now."""
        return self._in_the_way(pod, occurrence.old) or self._wanted(pod, occurrence.old)

    def pod_changed(self, pod: PodInfo, occurrence: Occurrence) -> bool:
        """It is wanted now and was not before, or is not in the way any more and was."""
        old, new = occurrence.old, occurrence.new
        if self._wanted(pod, old) != self._wanted(pod, new):
            return True
        return self._in_the_way(pod, old) and not self._in_the_way(pod, new)

    def _wanted(self, pod: PodInfo, other: objects.Object) -> bool:
        terms = podaffinityterms.of(pod.object)
        return bool(terms.affinity) and all(self._means(term, other) for term in terms.affinity)

    def _in_the_way(self, pod: PodInfo, other: objects.Object) -> bool:
        terms, others = podaffinityterms.of(pod.object), podaffinityterms.of(other)
        return any(self._means(term, other) for term in terms.anti_affinity) or any(
            self._means(term, pod.object) for term in others.anti_affinity
        )

    def _means(self, term: Term, pod: objects.Object) -> bool:
        return term.pods.matches(
            objects.namespace(pod), objects.labels(pod), self._namespaces.labels
        )


def _node(pod: PodInfo, occurrence: Occurrence) -> bool:
    """The node has all labels by which the pod wants to be near others."""
    labels = objects.labels(occurrence.new)
    return all(term.topology_key in labels for term in podaffinityterms.of(pod.object).affinity)


def _itself(pod: PodInfo, occurrence: Occurrence) -> bool:
    """Its labels or its terms changed."""

    def facts(obj: Any) -> Any:
        return objects.labels(obj), objects.spec(obj).get("affinity")

    return bool(facts(occurrence.old) != facts(pod.object))
