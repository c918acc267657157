"""Node selectors: what a pod, a volume or a workload asks of the labels and the name of a node.

Rules: k8s.io/component-helpers/scheduling/corev1/nodeaffinity. A term without any expression
matches nothing; terms are alternatives; `Gt` and `Lt` compare whole numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import objects

NAME_FIELD: Final = "metadata.name"
"""The only field of a node that matchFields knows."""
REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"


@dataclass(frozen=True, slots=True)
class Expression:
    """One requirement on a label, or on the field metadata.name."""

    key: str
    operator: str
    values: tuple[str, ...] = ()
    field: bool = False

    def matches(self, node: Mapping[str, Any]) -> bool:
        """Whether a node meets it."""
        if self.field:
            return self.holds(objects.name(node) if self.key == NAME_FIELD else None)
        return self.holds(objects.labels(node).get(self.key))

    def holds(self, text: str | None) -> bool:
        """Whether it is met by a label (or field) of this value; None: there is none."""
        match self.operator:
            case "In":
                return text in self.values
            case "NotIn":
                return text not in self.values
            case "Exists":
                return text is not None
            case "DoesNotExist":
                return text is None
            case "Gt":
                return self._compares(text, int.__gt__)
            case "Lt":
                return self._compares(text, int.__lt__)
        return False

    def _compares(self, text: str | None, holds: Callable[[int, int], bool]) -> bool:
        try:
            return text is not None and holds(int(text), int(self.values[0]))
        except (ValueError, IndexError):
            return False


@dataclass(frozen=True, slots=True)
class Term:
    """Requirements that must all hold."""

    expressions: tuple[Expression, ...]

    def matches(self, node: Mapping[str, Any]) -> bool:
        """Whether a node meets all of them."""
        return bool(self.expressions) and all(one.matches(node) for one in self.expressions)

    def names(self) -> frozenset[str] | None:
        """The only nodes that can meet it, where it names nodes."""
        named = [
            frozenset(one.values)
            for one in self.expressions
            if one.field and one.key == NAME_FIELD and one.operator == "In"
        ]
        return frozenset.intersection(*named) if named else None


@dataclass(frozen=True, slots=True)
class Required:
    """What a node must be: all of `selector`, and any of `terms`. None: anything."""

    selector: Term | None = None
    terms: tuple[Term, ...] | None = None

    def matches(self, node: Mapping[str, Any]) -> bool:
        """Whether a node is so."""
        if self.selector is not None and not self.selector.matches(node):
            return False
        return self.terms is None or any(one.matches(node) for one in self.terms)

    def names(self) -> frozenset[str] | None:
        """The only nodes that can match, where every term names nodes."""
        if not self.terms:
            return None
        found: frozenset[str] = frozenset()
        for one in self.terms:
            names = one.names()
            if names is None:
                return None
            found |= names
        return found


ANY_NODE: Final = Required()


def term(document: Mapping[str, Any]) -> Term:
    """The term of a NodeSelectorTerm."""
    labels = _expressions(document.get("matchExpressions"), field=False)
    fields = _expressions(document.get("matchFields"), field=True)
    return Term(labels + fields)


def terms(selector: Mapping[str, Any] | None) -> tuple[Term, ...] | None:
    """The terms of a NodeSelector document; None for None, which asks for nothing."""
    if selector is None:
        return None
    return tuple(term(one) for one in selector.get("nodeSelectorTerms") or ())


def labels_term(node_selector: Mapping[str, str]) -> Term:
    """The term of a pod's nodeSelector."""
    return Term(tuple(Expression(key, "In", (value,)) for key, value in node_selector.items()))


def node_affinity(pod_spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """spec.affinity.nodeAffinity of a pod, or an empty mapping."""
    return (pod_spec.get("affinity") or {}).get("nodeAffinity") or {}


def required(pod_spec: Mapping[str, Any]) -> Required:
    """What the nodeSelector and the required node affinity of a pod ask for."""
    selector = pod_spec.get("nodeSelector")
    return Required(
        labels_term(selector) if selector else None, terms(node_affinity(pod_spec).get(REQUIRED))
    )


def _expressions(
    documents: Sequence[Mapping[str, Any]] | None, *, field: bool
) -> tuple[Expression, ...]:
    return tuple(
        Expression(
            one.get("key") or "", one.get("operator") or "", tuple(one.get("values") or ()), field
        )
        for one in documents or ()
    )
