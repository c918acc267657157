"""Node selectors (nodeSelectorTerms): matching one node, or all rows of the node table at once.

Rules: k8s.io/component-helpers/scheduling/corev1/nodeaffinity. A term without any expression
matches nothing; `Gt` and `Lt` compare whole numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from cluster.api import objects
from cluster.scheduler.nodes.columns import ABSENT, Mask, Rows
from cluster.scheduler.nodes.table import NodeTable

_NAME_FIELD: Final = "metadata.name"


@dataclass(frozen=True, slots=True)
class Expression:
    """One requirement on a label, or on the field metadata.name."""

    key: str
    operator: str
    values: tuple[str, ...] = ()
    field: bool = False

    def matches(self, node: objects.Object) -> bool:
        """Whether a node meets it."""
        if self.field:
            text: str | None = objects.name(node) if self.key == _NAME_FIELD else None
        else:
            text = objects.labels(node).get(self.key)
        return self._holds(text)

    def mask(self, nodes: NodeTable, rows: Rows) -> Mask:
        """Which of the rows meet it."""
        if self.field:
            return self._field_mask(nodes, rows)
        column = nodes.label(self.key)
        codes = column.codes[rows]
        match self.operator:
            case "In" | "NotIn":
                wanted = [column.code(value) for value in self.values]
                found: Mask = np.isin(codes, wanted)
                return found if self.operator == "In" else ~found
            case "Exists":
                return np.asarray(codes != ABSENT)
            case "DoesNotExist":
                return np.asarray(codes == ABSENT)
            case _:
                texts = (column.text(code) if code else None for code in codes.tolist())
                return np.fromiter((self._holds(text) for text in texts), np.bool_, len(rows))

    def _field_mask(self, nodes: NodeTable, rows: Rows) -> Mask:
        wanted = [] if self.key != _NAME_FIELD else [nodes.row(value) for value in self.values]
        found: Mask = np.isin(rows, [row for row in wanted if row is not None])
        return found if self.operator == "In" else ~found

    def _holds(self, text: str | None) -> bool:
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

    def matches(self, node: objects.Object) -> bool:
        """Whether a node meets all of them."""
        return bool(self.expressions) and all(one.matches(node) for one in self.expressions)

    def mask(self, nodes: NodeTable, rows: Rows) -> Mask:
        """Which of the rows meet all of them."""
        found: Mask = np.full(len(rows), bool(self.expressions))
        for one in self.expressions:
            found &= one.mask(nodes, rows)
        return found

    def names(self) -> frozenset[str] | None:
        """The only nodes that can meet it, where it names nodes."""
        named = [
            frozenset(one.values)
            for one in self.expressions
            if one.field and one.key == _NAME_FIELD and one.operator == "In"
        ]
        return frozenset.intersection(*named) if named else None


def term(document: Mapping[str, Any]) -> Term:
    """The term of a NodeSelectorTerm."""
    labels = _expressions(document.get("matchExpressions"), field=False)
    fields = _expressions(document.get("matchFields"), field=True)
    return Term(labels + fields)


def labels_term(node_selector: Mapping[str, str]) -> Term:
    """The term of a pod's nodeSelector."""
    return Term(tuple(Expression(key, "In", (value,)) for key, value in node_selector.items()))


def _expressions(
    documents: Sequence[Mapping[str, Any]] | None, *, field: bool
) -> tuple[Expression, ...]:
    return tuple(
        Expression(
            one.get("key") or "", one.get("operator") or "", tuple(one.get("values") or ()), field
        )
        for one in documents or ()
    )
