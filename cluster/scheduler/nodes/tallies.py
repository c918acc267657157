"""Sums by row and by topology domain that are kept up to date pod by pod.

A source is a set of pods (all with the same labels, or all with the same rule) with its amounts by
row. A tally adds up sources; it lives as long as somebody holds it, and costs one addition a pod. A
domain sum adds up a tally by the values of a node label.
"""

import weakref
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cluster.scheduler.nodes.columns import Ints, LabelColumn, Mask, Rows, grown
from cluster.scheduler.nodes.table import NodeTable

_NEVER: Final = -1
_FEW: Final = 8
"""Up to so many rows one addition each is faster than arrays."""


class Source:
    """Amounts by row, and the tallies that follow them."""

    __slots__ = ("_tallies", "amounts", "pods")

    def __init__(self) -> None:
        self.amounts: dict[int, int] = {}
        self.pods = 0
        self._tallies: dict[int, weakref.ref[Tally]] = {}

    def add(self, row: int, amount: int, pods: int) -> None:
        """Count `pods` (1 or -1) more with `amount` on a row."""
        self.pods += pods
        total = self.amounts.get(row, 0) + amount
        if total:
            self.amounts[row] = total
        else:
            self.amounts.pop(row, None)
        for reference in self._tallies.values():
            tally = reference()
            if tally is not None:
                tally.add(row, amount)

    def feed(self, tally: "Tally") -> None:
        """Add what is there to a tally, and all that comes."""
        self._tallies[id(tally)] = tally.reference
        if len(self.amounts) <= _FEW:
            for row, amount in self.amounts.items():
                tally.add(row, amount)
            return
        rows = np.fromiter(self.amounts.keys(), np.intp, len(self.amounts))
        tally.add_all(rows, np.fromiter(self.amounts.values(), np.int64, len(rows)))

    def drop(self, number: int) -> None:
        """Forget a tally that is gone."""
        self._tallies.pop(number, None)


class Tally:
    """The sum of sources by row. Unsubscribes itself when nobody holds it any more."""

    __slots__ = ("__weakref__", "_sources", "_sums", "by_row", "reference")

    def __init__(self, capacity: int, sources: Sequence[Source] = ()) -> None:
        self.by_row: Ints = np.zeros(capacity, np.int64)
        self._sums: dict[int, weakref.ref[DomainSums]] = {}
        followed: dict[int, Source] = {}
        number = id(self)

        def gone(_reference: "weakref.ref[Tally]") -> None:
            for source in followed.values():
                source.drop(number)

        self._sources = followed
        self.reference: weakref.ref[Tally] = weakref.ref(self, gone)
        for source in sources:
            self.follow(source)

    def follow(self, source: Source) -> None:
        """Add a source."""
        self._sources[id(source)] = source
        source.feed(self)

    def leave(self, source: Source) -> None:
        """Forget an empty source, if it is one of its own."""
        self._sources.pop(id(source), None)
        source.drop(id(self))

    def add(self, row: int, amount: int) -> None:
        """One row has `amount` more."""
        if row >= len(self.by_row):
            self.reach(row)
        self.by_row[row] += amount
        for reference in self._sums.values():
            one = reference()
            if one is not None:
                one.add(row, amount)

    def add_all(self, rows: Rows, amounts: Ints) -> None:
        """Each of the rows (no row twice) has more."""
        self.reach(int(rows.max()))
        self.by_row[rows] += amounts
        for reference in self._sums.values():
            one = reference()
            if one is not None:
                one.forget()

    def show(self, sums: "DomainSums") -> None:
        """Keep sums by domain up to date while somebody holds them."""
        known, number = self._sums, id(sums)
        known[number] = weakref.ref(sums, lambda _reference: known.pop(number, None))

    def reach(self, row: int) -> None:
        """Make room for a row."""
        if row >= len(self.by_row):
            self.by_row = grown(self.by_row, max(row + 1, 2 * len(self.by_row)))


class DomainSums:
    """A tally by the values of a node label: over all nodes, or over those that count.

    `by_code` has the sums by the codes of the label, 0 for code 0 (nodes without the label);
    `nodes` has how many nodes that count have each code, 0 for code 0; `codes` has the codes by
    row. All that is valid as long as `stale` says no.
    """

    __slots__ = (
        "__weakref__", "_column", "_counted", "_version", "by_code", "codes", "key", "nodes",
        "tally",
    )  # fmt: skip

    def __init__(self, tally: Tally, key: str) -> None:
        self.key = key
        self.tally = tally
        self.by_code: Ints = np.zeros(1, np.int64)
        self.nodes: Ints = np.zeros(1, np.int64)
        self.codes: NDArray[np.int32] = np.zeros(0, np.int32)
        self._counted: Mask | None = None
        self._column: LabelColumn | None = None
        self._version = _NEVER
        tally.show(self)

    def stale(self, nodes: NodeTable, version: int) -> bool:
        """Whether nodes changed. `version`: how often any node's labels or taints did."""
        return version != self._version or nodes.label(self.key) is not self._column

    def rebuild(self, nodes: NodeTable, version: int, counted: Mask | None = None) -> None:
        """Sum anew. `counted` has True for each row (by its number) that counts."""
        column = self._column = nodes.label(self.key)
        self._counted, self._version = counted, version
        self.codes = column.codes
        self.tally.reach(nodes.capacity - 1)
        rows = nodes.rows() if counted is None else np.flatnonzero(counted)
        codes = self.codes[rows]
        self.nodes = np.bincount(codes, minlength=column.size)
        by_row = self.tally.by_row[rows]
        self.by_code = np.bincount(codes, by_row, column.size).astype(np.int64)
        self.nodes[0] = self.by_code[0] = 0

    def add(self, row: int, amount: int) -> None:
        """One row has `amount` more. Sums that are stale need not follow, only not fail."""
        if self._version == _NEVER:
            return
        if row >= len(self.codes) or self.codes[row] >= len(self.by_code):
            self.forget()  # nodes came or changed since
            return
        code = self.codes[row]
        if code and (self._counted is None or self._counted[row]):
            self.by_code[code] += amount

    def forget(self) -> None:
        """Sum anew before the next use."""
        self._version = _NEVER
