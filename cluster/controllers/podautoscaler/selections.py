"""Which pods each autoscaler selects, and which autoscalers share a pod. Pure.

Kept as pods and selectors change, so that an autoscaler among a thousand, with its few pods among
ten thousand of its namespace, looks at its own alone. A pod meets only the selectors that demand
one of its labels; selectors that demand no label by equality are few, and every pod meets them.
"""

from collections.abc import Iterable, Mapping, Sequence

from cluster.api import objects, selectors
from cluster.api.objects import Object

_Demand = tuple[str, str, str]
"""Namespace, label key, label value; "" as key and value: no label in particular."""


class Selections:
    """Pods and autoscalers by key (`namespace/name`)."""

    def __init__(self) -> None:
        self._selectors: dict[str, tuple[str, selectors.Selector]] = {}
        self._by_demand: dict[_Demand, dict[str, None]] = {}
        self._pods: dict[str, dict[str, None]] = {}
        self._owners: dict[str, dict[str, None]] = {}

    def put(self, hpa: str, selector: selectors.Selector, pods: Iterable[Object]) -> None:
        """Take the selector of an autoscaler; `pods` are those of its namespace."""
        namespace, _ = objects.split_key(hpa)
        if self._selectors.get(hpa) == (namespace, selector):
            return
        self.remove(hpa)
        self._selectors[hpa] = (namespace, selector)
        self._by_demand.setdefault(_demand(namespace, selector), {})[hpa] = None
        self._pods[hpa] = {}
        for pod in pods:
            if selector.matches(objects.labels(pod)):
                self._join(hpa, objects.key(pod))

    def knows(self, hpa: str, selector: selectors.Selector) -> bool:
        """Whether this is the selector of the autoscaler already."""
        known = self._selectors.get(hpa)
        return known is not None and known[1] == selector

    def remove(self, hpa: str) -> None:
        """An autoscaler is gone."""
        known = self._selectors.pop(hpa, None)
        if known is None:
            return
        demand = _demand(*known)
        del self._by_demand[demand][hpa]
        if not self._by_demand[demand]:
            del self._by_demand[demand]
        for pod in self._pods.pop(hpa):
            self._leave(hpa, pod)

    def pod_changed(self, old: Object | None, new: Object | None) -> None:
        """A pod has come, changed or gone."""
        if not self._selectors:
            return
        if old is not None and new is not None and objects.labels(old) == objects.labels(new):
            return
        key = objects.key(new if new is not None else old or {})
        for hpa in [*self._owners.get(key, ())]:
            self._pods[hpa].pop(key, None)
            self._leave(hpa, key)
        if new is not None:
            for hpa in self._selecting(objects.namespace(new), objects.labels(new)):
                self._join(hpa, key)

    def pods(self, hpa: str) -> Sequence[str]:
        """The keys of the pods that an autoscaler selects."""
        return [*self._pods.get(hpa, ())]

    def sharing(self, hpa: str) -> Sequence[str]:
        """All autoscalers that select one of its pods, itself among them."""
        found = {hpa: None}
        for pod in self._pods.get(hpa, ()):
            owners = self._owners[pod]
            if len(owners) > 1:
                found |= owners
        return [*found]

    def _selecting(self, namespace: str, labels: Mapping[str, str]) -> Iterable[str]:
        demands = [(namespace, key, value) for key, value in labels.items()]
        for demand in ((namespace, "", ""), *demands):
            for hpa in self._by_demand.get(demand, ()):
                if self._selectors[hpa][1].matches(labels):
                    yield hpa

    def _join(self, hpa: str, pod: str) -> None:
        self._pods[hpa][pod] = None
        self._owners.setdefault(pod, {})[hpa] = None

    def _leave(self, hpa: str, pod: str) -> None:
        owners = self._owners[pod]
        del owners[hpa]
        if not owners:
            del self._owners[pod]


def _demand(namespace: str, selector: selectors.Selector) -> _Demand:
    """One label that everything selected must have."""
    for requirement in selector.requirements:
        if requirement.operator in ("=", "==", "in") and len(requirement.values) == 1:
            return (namespace, requirement.key, requirement.values[0])
    return (namespace, "", "")
