"""PodDisruptionBudgets, as preemption honours them: as well as it can, but not at any price."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cluster.api import errors, objects, selectors
from cluster.scheduler.pods import PodInfo

_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class _Budget:
    selector: selectors.Selector
    allowed: int
    disrupted: frozenset[str]
    """The names of pods whose eviction is counted already."""


class Budgets:
    """The budgets of the cluster by namespace."""

    def __init__(self) -> None:
        self._by_space: dict[str, dict[str, _Budget]] = {}
        self._matching: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[str, ...]] = {}

    def set(self, budget: objects.Object) -> None:
        """A budget appeared or changed."""
        space, name = objects.namespace(budget), objects.name(budget)
        self.remove(space, name)
        try:
            selector = selectors.of(objects.spec(budget).get("selector"))
        except errors.StatusError:
            return
        if selector.nothing or selector.empty:
            return  # Kubernetes' scheduler lets such a budget guard no pod
        status = objects.status(budget)
        self._by_space.setdefault(space, {})[name] = _Budget(
            selector,
            status.get("disruptionsAllowed") or 0,
            frozenset(status.get("disruptedPods") or ()),
        )

    def remove(self, space: str, name: str) -> None:
        """A budget is gone."""
        self._matching.clear()
        here = self._by_space.get(space, {})
        here.pop(name, None)
        if not here:
            self._by_space.pop(space, None)

    def __bool__(self) -> bool:
        return bool(self._by_space)

    def violated(self, pods: Iterable[PodInfo]) -> Sequence[bool]:
        """Whether the eviction of each of these pods, after those before it, violates a budget."""
        left: dict[tuple[str, str], int] = {}
        return [self._takes(pod, left) for pod in pods]

    def _takes(self, pod: PodInfo, left: dict[tuple[str, str], int]) -> bool:
        """Take the pod off the budgets that guard it. Whether one of them had nothing left."""
        space = objects.namespace(pod.object)
        budgets = self._by_space.get(space)
        labels = objects.labels(pod.object)
        if not budgets or not labels:
            return False
        violates = False
        for name in self._guarding(space, labels, budgets):
            if objects.name(pod.object) in budgets[name].disrupted:
                continue
            allowed = left.get((space, name), budgets[name].allowed) - 1
            left[space, name] = allowed
            violates = violates or allowed < 0
        return violates

    def _guarding(
        self, space: str, labels: dict[str, str], budgets: dict[str, _Budget]
    ) -> tuple[str, ...]:
        key = (space, tuple(sorted(labels.items())))
        found = self._matching.get(key)
        if found is None:
            if len(self._matching) >= _REMEMBERED:
                self._matching.clear()
            matching = (name for name, one in budgets.items() if one.selector.matches(labels))
            found = self._matching[key] = tuple(matching)
        return found
