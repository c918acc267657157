"""The node table: a row a node, numpy columns of what plugins ask.

Rows are reused after a node is gone, and columns grow by doubling. Two generation columns say when
a row's node (spec, labels, allocatable) and its usage last changed, so that whoever keeps results
by row computes only what changed.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cluster.api import objects, podrequests
from cluster.scheduler import requests
from cluster.scheduler.nodes.columns import (
    Ints,
    LabelColumn,
    Mask,
    Rows,
    TaintColumn,
    grown,
    taints_of,
)
from cluster.scheduler.requests import Requests

CPU_COLUMN, MEMORY_COLUMN, EPHEMERAL_COLUMN, PODS_COLUMN = range(4)
_FIRST_RESOURCES: Final = (
    podrequests.CPU, podrequests.MEMORY, podrequests.EPHEMERAL_STORAGE, requests.PODS,
)  # fmt: skip
_LABEL_COLUMNS: Final = 256
_FIRST_CAPACITY: Final = 16


class NodeTable:
    """Nodes in columns. Arrays have `capacity` places; only the places of `rows()` mean anything.

    `allocatable` and `requested` are of shape (resources, capacity), cpu in thousandths of a core
    and all else in whole units; `scoring` is (2, capacity), cpu and memory requested with defaults.
    """

    def __init__(self) -> None:
        self.capacity = _FIRST_CAPACITY
        self.generation = 0
        self.resources: dict[str, int] = {name: at for at, name in enumerate(_FIRST_RESOURCES)}
        self.allocatable: Ints = np.zeros((len(_FIRST_RESOURCES), self.capacity), np.int64)
        self.requested: Ints = np.zeros_like(self.allocatable)
        self.scoring: Ints = np.zeros((2, self.capacity), np.int64)
        self.present: Mask = np.zeros(self.capacity, np.bool_)
        self.unschedulable: Mask = np.zeros(self.capacity, np.bool_)
        self.taints = TaintColumn(self.capacity)
        self.node_changed: Ints = np.zeros(self.capacity, np.int64)
        self.usage_changed: Ints = np.zeros(self.capacity, np.int64)
        self._labels: dict[str, LabelColumn] = {}
        self._nodes: list[objects.Object | None] = [None] * self.capacity
        self._row_of: dict[str, int] = {}
        self._free: list[int] = list(range(self.capacity - 1, -1, -1))
        self._rows: Rows | None = None
        self._names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self._row_of)

    def rows(self) -> Rows:
        """The rows that hold nodes, ascending."""
        if self._rows is None:
            self._rows = np.flatnonzero(self.present)
        return self._rows

    def names(self) -> Sequence[str]:
        """Node names by row ("" where there is none), as they are now."""
        if self._names is None:
            self._names = tuple(objects.name(node) if node else "" for node in self._nodes)
        return self._names

    def row(self, name: str) -> int | None:
        """The row of a node."""
        return self._row_of.get(name)

    def name(self, row: int) -> str:
        """The name of the node of a row."""
        return objects.name(self.node(row))

    def node(self, row: int) -> objects.Object:
        """The node of a row. LookupError where there is none."""
        node = self._nodes[row]
        if node is None:
            raise LookupError(f"row {row} holds no node")
        return node

    def set(self, node: objects.Object) -> int:
        """Put a node in the table, or its new state; returns its row."""
        name = objects.name(node)
        row = self._row_of.get(name)
        if row is None:
            row = self._take_row(name)
        self._nodes[row] = node
        self._set_allocatable(row, objects.status(node).get("allocatable") or {})
        self.unschedulable[row] = bool(objects.spec(node).get("unschedulable"))
        self.taints.set(row, taints_of(node))
        self._set_labels(row, objects.labels(node))
        self.generation += 1
        self.node_changed[row] = self.generation
        return row

    def remove(self, name: str) -> None:
        """Take a node out. Its usage goes with it."""
        row = self._row_of.pop(name)
        self._nodes[row] = None
        self.present[row] = False
        self.allocatable[:, row] = 0
        self.requested[:, row] = 0
        self.scoring[:, row] = 0
        self.unschedulable[row] = False
        self.taints.set(row, ())
        self._set_labels(row, None)
        self._free.append(row)
        self._rows = self._names = None
        self.generation += 1
        self.node_changed[row] = self.usage_changed[row] = self.generation

    def use(self, row: int, asked: Requests, pods: int = 1) -> None:
        """Add a pod's requests to a row; `pods` -1 takes them away."""
        for name, amount in asked.amounts:
            column = self.column(name)  # may replace the array: before it is looked up
            self.requested[column, row] += pods * amount
        self.requested[PODS_COLUMN, row] += pods
        self.scoring[0, row] += pods * asked.scoring[0]
        self.scoring[1, row] += pods * asked.scoring[1]
        self.generation += 1
        self.usage_changed[row] = self.generation

    def touch(self, name: str) -> None:
        """Something that counts like usage changed on a node: a pod is nominated to it, or not."""
        row = self._row_of.get(name)
        if row is not None:
            self.generation += 1
            self.usage_changed[row] = self.generation

    def column(self, resource: str) -> int:
        """The index of a resource's column, which is added where it is new. It never changes."""
        at = self.resources.get(resource)
        if at is None:
            at = self.resources[resource] = len(self.resources)
            empty = np.zeros((1, self.capacity), np.int64)
            self.allocatable = np.vstack([self.allocatable, empty])
            self.requested = np.vstack([self.requested, empty])
        return at

    def label(self, key: str) -> LabelColumn:
        """The column of a label key, made when first asked for; do not keep it."""
        column = self._labels.get(key)
        if column is None or column.wasteful:
            self._labels.pop(key, None)
            while len(self._labels) >= _LABEL_COLUMNS:
                del self._labels[next(iter(self._labels))]
            found = [objects.labels(node) if node else None for node in self._nodes]
            column = self._labels[key] = LabelColumn(key, found, self.capacity)
        return column

    def changed(self, column: NDArray[np.int64], since: int) -> Rows:
        """The rows, present or gone, whose generation in `column` is later than `since`."""
        return (column > since).nonzero()[0]

    def _take_row(self, name: str) -> int:
        if not self._free:
            self._grow()
        row = self._row_of[name] = self._free.pop()
        self.present[row] = True
        self._rows = self._names = None
        return row

    def _grow(self) -> None:
        old, new = self.capacity, self.capacity * 2
        for name in (
            "allocatable", "requested", "scoring", "present", "unschedulable",
            "node_changed", "usage_changed",
        ):  # fmt: skip
            setattr(self, name, grown(getattr(self, name), new))
        self.taints.grow(new)
        for column in self._labels.values():
            column.grow(new)
        self._nodes.extend([None] * (new - old))
        self._free.extend(range(new - 1, old - 1, -1))
        self.capacity = new

    def _set_allocatable(self, row: int, amounts: Mapping[str, str]) -> None:
        self.allocatable[:, row] = 0
        for name, text in amounts.items():
            column = self.column(name)  # may replace the array: before it is looked up
            self.allocatable[column, row] = podrequests.amount(name, text)

    def _set_labels(self, row: int, labels: Mapping[str, str] | None) -> None:
        for column in self._labels.values():
            column.set(row, labels)
