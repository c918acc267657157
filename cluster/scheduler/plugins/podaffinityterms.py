"""The terms of pod affinity and anti-affinity, parsed, and kept for pods that have the same.

Rules: v1.PodAffinityTerm. No namespaces and no namespaceSelector mean the pod's own namespace;
matchLabelKeys and mismatchLabelKeys add the pod's own values of these labels to the selector
(Kubernetes' API server does so when the pod is created; to do it here comes to the same).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec

from cluster.api import objects, selectors
from cluster.api.label_text import Requirement
from cluster.api.selectors import NOTHING, Selector
from cluster.scheduler.nodes.podselectors import Labels, NamespaceLabels, PodSelector

REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Term:
    """Pods that are meant, and the node label whose values are the domains.

    `weight`: of a preferred term; less than 0 for one of anti-affinity; 0 for a required one.
    """

    pods: PodSelector
    topology_key: str
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """All terms of a pod, and all of the pod that they were read from."""

    affinity: tuple[Term, ...] = ()
    anti_affinity: tuple[Term, ...] = ()
    preferred: tuple[Term, ...] = ()
    source: str = ""

    @property
    def namespaces_by_label(self) -> bool:
        """Whether the labels of namespaces matter to any of them."""
        terms = (*self.affinity, *self.anti_affinity, *self.preferred)
        return any(not term.pods.namespace_selector.nothing for term in terms)

    def means_itself(self, namespace: str, labels: Labels, of: NamespaceLabels) -> bool:
        """Whether a pod of these labels matches all required affinity terms."""
        return bool(self.affinity) and all(
            term.pods.matches(namespace, labels, of) for term in self.affinity
        )


NONE: Final = Terms()


def of(pod: objects.Object) -> Terms:
    """The terms of a pod."""
    affinity = objects.spec(pod).get("affinity")
    if not affinity:
        return NONE
    near, far = affinity.get("podAffinity"), affinity.get("podAntiAffinity")
    if not near and not far:
        return NONE
    labels = objects.labels(pod)
    own = {key: labels[key] for key in _label_keys(near, far) if key in labels}
    return _parse(_encode([objects.namespace(pod), near, far, own]))


def _label_keys(*halves: Mapping[str, Any] | None) -> dict[str, None]:
    """The labels of the pod itself that its terms refer to."""
    found: dict[str, None] = {}
    for half in halves:
        for _, term in _listed(half):
            found.update(dict.fromkeys(term.get("matchLabelKeys") or ()))
            found.update(dict.fromkeys(term.get("mismatchLabelKeys") or ()))
    return found


def _listed(half: Mapping[str, Any] | None) -> list[tuple[int, Mapping[str, Any]]]:
    """Each term with its weight, 0 for required ones. The API admits weights from 1 to 100."""
    if not half:
        return []
    found = [(0, term) for term in half.get(REQUIRED) or ()]
    wishes = [one for one in half.get(PREFERRED) or () if one.get("weight")]
    return found + [(one["weight"], one.get("podAffinityTerm") or {}) for one in wishes]


@lru_cache(4096)
def _parse(text: bytes) -> Terms:
    namespace, near, far, own = _decode(text)
    affinity = [_term(term, namespace, own, weight) for weight, term in _listed(near)]
    against = [_term(term, namespace, own, -weight) for weight, term in _listed(far)]
    return Terms(
        affinity=tuple(term for term in affinity if not term.weight),
        anti_affinity=tuple(term for term in against if not term.weight),
        preferred=tuple(term for term in (*affinity, *against) if term.weight),
        source=text.decode(),
    )


def _term(document: Mapping[str, Any], namespace: str, own: Mapping[str, str], weight: int) -> Term:
    named: Sequence[str] = document.get("namespaces") or ()
    chosen = document.get("namespaceSelector")
    if not named and chosen is None:
        named = (namespace,)
    selector = _selector(document.get("labelSelector"))
    for field, operator in (("matchLabelKeys", "in"), ("mismatchLabelKeys", "notin")):
        more = [
            Requirement(key, operator, (own[key],))
            for key in document.get(field) or ()
            if key in own
        ]
        selector = Selector((*selector.requirements, *more), selector.nothing)
    pods = PodSelector(tuple(sorted(set(named))), selector, _selector(chosen))
    return Term(pods, document.get("topologyKey") or "", weight)


def _selector(document: Any) -> Selector:
    """The selector of a document that the API admitted; None matches nothing."""
    try:
        return selectors.of(document)
    except ValueError:
        return NOTHING
