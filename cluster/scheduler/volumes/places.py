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

Host = tuple[str, tuple[str, ...]]
_NOWHERE: list[int] = []


class Places:
    """Positions in `rows`, for one question about them. `hosts` is VolumeStore.hosts."""

    def __init__(self, nodes: NodeTable, rows: Rows, hosts: Mapping[str, Host]) -> None:
        self._nodes = nodes
        self._rows = rows
        self._hosts = hosts
        self._by_value: dict[str, dict[str, list[int]]] = {}

    def of(self, volume: Object) -> list[int] | Mask:
        """Where the volume can be used: a list of positions, or a mask over all of them."""
        host = self._hosts.get(objects.name(volume))
        if host is not None:
            key, values = host
            found = self._by_value.get(key) or self._positions(key)
            if len(values) == 1:
                return found.get(values[0], _NOWHERE)
            return [position for value in values for position in found.get(value, _NOWHERE)]
        return self._anywhere(volume)

    def mask_of(self, volume: Object) -> Mask:
        """The same, always as a mask."""
        host = self._hosts.get(objects.name(volume))
        if host is not None:
            column = self._nodes.label(host[0])
            codes = [column.code(value) for value in host[1]]
            mask: Mask = np.isin(column.codes[self._rows], codes)
            return mask
        return self._anywhere(volume)

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

    def _anywhere(self, volume: Object) -> Mask:
        required = (objects.spec(volume).get("nodeAffinity") or {}).get("required")
        if required is None:
            return np.ones(len(self._rows), np.bool_)
        return self._mask(required.get("nodeSelectorTerms") or ())

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
