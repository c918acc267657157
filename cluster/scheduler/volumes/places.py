"""On which nodes a volume can be used: its node affinity, over rows of the node table.

Most volumes that care at all name one value of one label (their host). Those are looked up, so that
thousands of them cost a dictionary look-up each and no pass over the nodes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cluster.api import nodeselectors, objects
from cluster.api.objects import Object
from cluster.scheduler.nodes.columns import Mask, Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.plugins import nodeselector


class Places:
    """Positions in `rows`, for one question about them."""

    def __init__(self, nodes: NodeTable, rows: Rows) -> None:
        self._nodes = nodes
        self._rows = rows
        self._by_value: dict[str, dict[str, list[int]]] = {}

    def of(self, volume: Object) -> list[int] | Mask:
        """Where the volume can be used: a list of positions, or a mask over all of them."""
        required = (objects.spec(volume).get("nodeAffinity") or {}).get("required")
        if required is None:
            return np.ones(len(self._rows), np.bool_)
        terms: list[Mapping[str, Any]] = required.get("nodeSelectorTerms") or []
        simple = _one_label(terms)
        if simple is not None:
            key, values = simple
            found = self._positions(key)
            return [position for value in values for position in found.get(value, ())]
        return self._mask(terms)

    def mask_of(self, volume: Object) -> Mask:
        """The same, always as a mask."""
        found = self.of(volume)
        if not isinstance(found, list):
            return found
        mask: Mask = np.zeros(len(self._rows), np.bool_)
        mask[found] = True
        return mask

    def within(self, topologies: Sequence[Mapping[str, Any]]) -> Mask:
        """Where one of a storage class's allowedTopologies holds; none of them: everywhere."""
        if not topologies:
            return np.ones(len(self._rows), np.bool_)
        found: Mask = np.zeros(len(self._rows), np.bool_)
        for one in topologies:
            labels = one.get("matchLabelExpressions") or ()
            expressions = [{**each, "operator": "In"} for each in labels]
            term = nodeselectors.term({"matchExpressions": expressions})
            found |= nodeselector.mask(term, self._nodes, self._rows)
        return found

    def _mask(self, terms: Sequence[Mapping[str, Any]]) -> Mask:
        found: Mask = np.zeros(len(self._rows), np.bool_)
        for document in terms:
            found |= nodeselector.mask(nodeselectors.term(document), self._nodes, self._rows)
        return found

    def _positions(self, key: str) -> dict[str, list[int]]:
        found = self._by_value.get(key)
        if found is None:
            found = self._by_value[key] = {}
            column = self._nodes.label(key)
            for position, code in enumerate(column.codes[self._rows].tolist()):
                if code:
                    found.setdefault(column.text(code), []).append(position)
        return found


def _one_label(terms: list[Mapping[str, Any]]) -> tuple[str, Sequence[str]] | None:
    """The label and its values, where that is all that the terms ask for."""
    only = terms[0] if len(terms) == 1 else {}
    expressions: list[Mapping[str, Any]] = only.get("matchExpressions") or []
    if only.get("matchFields") or len(expressions) != 1 or expressions[0].get("operator") != "In":
        return None
    values = expressions[0].get("values") or ()
    return expressions[0].get("key") or "", [*dict.fromkeys(values)]
