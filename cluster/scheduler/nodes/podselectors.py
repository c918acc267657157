"""Which pods a rule means: by namespace, by the labels of the namespace, by their own labels."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from cluster.api.selectors import NOTHING, Selector

Labels = Mapping[str, str]
NamespaceLabels = Callable[[str], Labels]
Place = tuple[str | None, str, str]
"""Namespace (None: chosen by labels), label key, label value; key "" where any labels may match."""

_EQUALS: Final = ("=", "==", "in")


@dataclass(frozen=True, slots=True)
class PodSelector:
    """Pods whose labels match, in the namespaces that are named or whose labels match."""

    namespaces: tuple[str, ...]
    selector: Selector
    namespace_selector: Selector = NOTHING

    def matches(self, namespace: str, labels: Labels, namespace_labels: NamespaceLabels) -> bool:
        """Whether a pod of these labels is meant."""
        if namespace not in self.namespaces:
            chosen = self.namespace_selector
            if chosen.nothing or not (chosen.empty or chosen.matches(namespace_labels(namespace))):
                return False
        return self.selector.matches(labels)

    def places(self) -> Iterator[Place]:
        """Where in an index such pods are found: all of them, and others too."""
        scopes: Sequence[str | None] = (
            self.namespaces if self.namespace_selector.nothing else (None,)
        )
        pairs: Sequence[tuple[str, str]] = [("", "")]
        for one in self.selector.requirements:
            if one.operator in _EQUALS:
                pairs = [(one.key, value) for value in dict.fromkeys(one.values)]
                break
        for scope in scopes:
            for key, value in pairs:
                yield scope, key, value


Query = tuple[PodSelector, ...]
"""Pods that all of the selectors mean; there is one at least."""


def matches(query: Query, namespace: str, labels: Labels, of: NamespaceLabels) -> bool:
    """Whether a pod of these labels is meant by the query."""
    return all(one.matches(namespace, labels, of) for one in query)


Item = TypeVar("Item")


class QueryIndex(Generic[Item]):
    """Finds the queries that mean a pod, without trying them all."""

    def __init__(self, namespace_labels: NamespaceLabels) -> None:
        self._namespace_labels = namespace_labels
        self._places: dict[Place, dict[int, tuple[Query, Item]]] = {}

    def add(self, number: int, query: Query, item: Item) -> None:
        """Find `item` for pods that the query means. `number` is the item's own."""
        for place in query[0].places():
            self._places.setdefault(place, {})[number] = (query, item)

    def remove(self, number: int, query: Query) -> None:
        """Undo `add`; nothing where there is no such item."""
        for place in query[0].places():
            found = self._places.get(place)
            if found is None:
                continue
            found.pop(number, None)
            if not found:
                del self._places[place]

    def matching(self, namespace: str, labels: Labels) -> list[Item]:
        """The items of all queries that mean a pod of these labels, in the order of its labels."""
        if not self._places:
            return []
        found: list[Item] = []
        for scope in (namespace, None):
            for pair in (("", ""), *labels.items()):
                for query, item in self._places.get((scope, *pair), {}).values():
                    if matches(query, namespace, labels, self._namespace_labels):
                        found.append(item)
        return found
