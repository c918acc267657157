"""The pods on nodes by their labels, so that "how many such pods are where" scans no pods.

Pods of the same namespace and labels are one class. A query (see podselectors) has a tally over
the classes that it means, found through an index when it is first asked for and kept up to date
pod by pod as long as somebody holds it.
"""

import weakref
from collections.abc import Iterable, Iterator
from itertools import count
from typing import TypeVar

from cluster.api import objects
from cluster.scheduler.nodes import podselectors
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.podselectors import Labels, Query, QueryIndex
from cluster.scheduler.nodes.tallies import Source, Tally
from cluster.scheduler.pods import PodInfo

_ClassKey = tuple[str, frozenset[tuple[str, str]], bool]
_TallyKey = tuple[Query, bool]
_NO_LABELS: frozenset[tuple[str, str]] = frozenset()


class _Class(Source):
    """The pods of one namespace and one set of labels; those that are being deleted apart."""

    __slots__ = ("deleting", "labels", "namespace")

    def __init__(self, namespace: str, labels: Labels, *, deleting: bool) -> None:
        super().__init__()
        self.namespace = namespace
        self.labels = labels
        self.deleting = deleting


class PodIndex:
    """Listens to a cache. `node_version` grows whenever a node's labels or taints change."""

    def __init__(self, cache: Cache) -> None:
        self.table = cache.table
        self.namespaces = cache.namespaces
        self.node_version = 0
        self._classes: dict[_ClassKey, _Class] = {}
        self._in_namespace: dict[str, dict[_ClassKey, _Class]] = {}
        self._with_label: dict[tuple[str, str, str], dict[_ClassKey, _Class]] = {}
        self._tallies: weakref.WeakValueDictionary[_TallyKey, Tally] = weakref.WeakValueDictionary()
        self._queries: QueryIndex[tuple[weakref.ref[Tally], bool]] = QueryIndex(
            self.namespaces.labels
        )
        self._numbers = count()
        self._namespaces_seen = self.namespaces.version
        cache.listen(self)

    def tally(self, query: Query, *, deleting: bool = True) -> Tally:
        """How many pods that the query means are on each row; pods that are being deleted are
        among them where `deleting` says so.
        """
        self._follow_namespaces()
        key = (query, deleting)
        found = self._tallies.get(key)
        if found is None:
            sources = [one for one in self._candidates(query) if self._means(query, deleting, one)]
            found = self._tallies[key] = Tally(self.table.capacity, sources)
            number = next(self._numbers)
            self._queries.add(number, query, (found.reference, deleting))
            weakref.finalize(found, self._queries.remove, number, query).atexit = False
        return found

    def placed(self, pod: PodInfo, node: str) -> None:
        """Count a pod."""
        self._count(pod, node, 1)

    def removed(self, pod: PodInfo, node: str) -> None:
        """Count it no more."""
        self._count(pod, node, -1)

    def node_set(self, old: objects.Object | None, node: objects.Object, _row: int) -> None:
        """A node appeared or changed."""
        if old is None or _seen(old) != _seen(node):
            self.node_version += 1

    def node_removed(self, _node: objects.Object, _row: int) -> None:
        """A node is gone."""
        self.node_version += 1

    def _count(self, pod: PodInfo, node: str, pods: int) -> None:
        row = self.table.row(node)
        if row is None:
            raise LookupError(f"node {node} is not in the table")
        labels = objects.labels(pod.object)
        key = (
            objects.namespace(pod.object),
            frozenset(labels.items()) if labels else _NO_LABELS,
            objects.deleting(pod.object),
        )
        found = self._classes.get(key)
        if found is None:
            found = self._new_class(key, labels)
        found.add(row, pods, pods)
        if not found.pods:
            self._remove_class(key, found)

    def _new_class(self, key: _ClassKey, labels: Labels) -> _Class:
        namespace, _, deleting = key
        found = self._classes[key] = _Class(namespace, labels, deleting=deleting)
        self._in_namespace.setdefault(namespace, {})[key] = found
        for pair in labels.items():
            self._with_label.setdefault((namespace, *pair), {})[key] = found
        for tally in self._tallies_of(found):
            tally.follow(found)
        return found

    def _remove_class(self, key: _ClassKey, found: _Class) -> None:
        del self._classes[key]
        _discard(self._in_namespace, found.namespace, key)
        for pair in found.labels.items():
            _discard(self._with_label, (found.namespace, *pair), key)
        for tally in self._tallies_of(found):
            tally.leave(found)

    def _tallies_of(self, found: _Class) -> Iterator[Tally]:
        for reference, deleting in self._queries.matching(found.namespace, found.labels):
            tally = reference()
            if tally is not None and (deleting or not found.deleting):
                yield tally

    def _candidates(self, query: Query) -> Iterable[_Class]:
        for namespace, key, value in query[0].places():
            for name in (namespace,) if namespace is not None else tuple(self._in_namespace):
                if key:
                    yield from self._with_label.get((name, key, value), {}).values()
                else:
                    yield from self._in_namespace.get(name, {}).values()

    def _means(self, query: Query, deleting: bool, one: _Class) -> bool:
        if one.deleting and not deleting:
            return False
        return podselectors.matches(query, one.namespace, one.labels, self.namespaces.labels)

    def _follow_namespaces(self) -> None:
        """Tallies of before a namespace's labels changed may mean other pods now: not reused."""
        if self._namespaces_seen != self.namespaces.version:
            self._namespaces_seen = self.namespaces.version
            self._tallies.clear()


def _seen(node: objects.Object) -> tuple[object, ...]:
    """What of a node decides where its pods count."""
    spec = objects.spec(node)
    return objects.labels(node), spec.get("taints"), spec.get("unschedulable")


_Key = TypeVar("_Key")


def _discard(places: dict[_Key, dict[_ClassKey, _Class]], place: _Key, key: _ClassKey) -> None:
    found = places[place]
    del found[key]
    if not found:
        del places[place]
