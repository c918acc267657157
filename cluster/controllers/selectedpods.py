"""Which pods each Service or autoscaler selects, and which of them share a pod. Pure.

Kept as pods and selectors change, so that one among a thousand, with its few pods among ten
thousand of its namespace, looks at its own alone. A pod meets only the selectors that demand
one of its labels; selectors that demand no label by equality are few, and every pod meets them.
"""

from collections.abc import Iterable, Mapping, Sequence

from cluster.api import objects, selectors
from cluster.api.objects import Object

_Demand = tuple[str, str, str]
"""Namespace, label key, label value; "" as key and value: no label in particular."""


class SelectedPods:
    """Pods and those who select them, by key (`namespace/name`)."""

    def __init__(self) -> None:
        self._selectors: dict[str, tuple[str, selectors.Selector]] = {}
        self._by_demand: dict[_Demand, dict[str, None]] = {}
        self._pods: dict[str, dict[str, None]] = {}
        self._choosers: dict[str, dict[str, None]] = {}

    def put(self, chooser: str, selector: selectors.Selector, pods: Iterable[Object]) -> None:
        """Take the selector of one that selects; `pods` are those of its namespace."""
        namespace, _ = objects.split_key(chooser)
        if self._selectors.get(chooser) == (namespace, selector):
            return
        self.remove(chooser)
        self._selectors[chooser] = (namespace, selector)
        self._by_demand.setdefault(_demand(namespace, selector), {})[chooser] = None
        self._pods[chooser] = {}
        for pod in pods:
            if selector.matches(objects.labels(pod)):
                self._join(chooser, objects.key(pod))

    def knows(self, chooser: str, selector: selectors.Selector) -> bool:
        """Whether this is the selector that it has already."""
        known = self._selectors.get(chooser)
        return known is not None and known[1] == selector

    def remove(self, chooser: str) -> None:
        """One that selected is gone, or selects no more."""
        known = self._selectors.pop(chooser, None)
        if known is None:
            return
        demand = _demand(*known)
        del self._by_demand[demand][chooser]
        if not self._by_demand[demand]:
            del self._by_demand[demand]
        for pod in self._pods.pop(chooser):
            self._leave(chooser, pod)

    def pod_changed(self, old: Object | None, new: Object | None) -> Sequence[str]:
        """A pod has come, changed or gone; those who selected it before or do so now."""
        if not self._selectors:
            return ()
        key = objects.key(new if new is not None else old or {})
        before = [*self._choosers.get(key, ())]
        if old is not None and new is not None and objects.labels(old) == objects.labels(new):
            return before
        for chooser in before:
            self._pods[chooser].pop(key, None)
            self._leave(chooser, key)
        if new is not None:
            for chooser in self._selecting(objects.namespace(new), objects.labels(new)):
                self._join(chooser, key)
        return [*dict.fromkeys([*before, *self.choosers(key)])]

    def pods(self, chooser: str) -> Sequence[str]:
        """The keys of the pods that one selects."""
        return [*self._pods.get(chooser, ())]

    def count(self, chooser: str) -> int:
        """How many pods one selects."""
        return len(self._pods.get(chooser, ()))

    def choosers(self, pod: str) -> Sequence[str]:
        """Those who select a pod."""
        return [*self._choosers.get(pod, ())]

    def sharing(self, chooser: str) -> Sequence[str]:
        """All that select one of its pods, itself among them."""
        found = {chooser: None}
        for pod in self._pods.get(chooser, ()):
            choosers = self._choosers[pod]
            if len(choosers) > 1:
                found |= choosers
        return [*found]

    def _selecting(self, namespace: str, labels: Mapping[str, str]) -> Iterable[str]:
        demands = [(namespace, key, value) for key, value in labels.items()]
        for demand in ((namespace, "", ""), *demands):
            for chooser in self._by_demand.get(demand, ()):
                if self._selectors[chooser][1].matches(labels):
                    yield chooser

    def _join(self, chooser: str, pod: str) -> None:
        self._pods[chooser][pod] = None
        self._choosers.setdefault(pod, {})[chooser] = None

    def _leave(self, chooser: str, pod: str) -> None:
        choosers = self._choosers[pod]
        del choosers[chooser]
        if not choosers:
            del self._choosers[pod]


def _demand(namespace: str, selector: selectors.Selector) -> _Demand:
    """One label that everything selected must have."""
    for requirement in selector.requirements:
        if requirement.operator in ("=", "==", "in") and len(requirement.values) == 1:
            return (namespace, requirement.key, requirement.values[0])
    return (namespace, "", "")
