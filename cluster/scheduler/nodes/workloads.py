"""What of the cluster says which pods belong together: Services and what controls pods.

The selector that default spreading uses (Kubernetes: helper.DefaultSelector): the selectors of all
Services that match the pod, and that of the ReplicationController, ReplicaSet or StatefulSet that
controls it.
"""

from collections import OrderedDict
from collections.abc import Mapping
from itertools import count
from typing import Any, Final

from cluster.api import objects, selectors
from cluster.api.label_text import Requirement
from cluster.api.selectors import Selector
from cluster.scheduler.nodes.podselectors import PodSelector, QueryIndex

SERVICES: Final = "services"
CONTROLLERS: Final = {
    ("v1", "ReplicationController"): "replicationcontrollers",
    ("apps/v1", "ReplicaSet"): "replicasets.apps",
    ("apps/v1", "StatefulSet"): "statefulsets.apps",
}
"""The resources whose selectors count, by the API version and kind of an owner reference."""
_KEPT: Final = 4096


class Workloads:
    """Selectors of Services and controllers. Fed by informers of those resources."""

    def __init__(self) -> None:
        self._selectors: dict[tuple[str, str], Selector] = {}
        self._services: QueryIndex[Selector] = QueryIndex(lambda _name: {})
        self._known: dict[str, tuple[int, PodSelector]] = {}
        self._numbers = count()
        self._found: OrderedDict[Any, Selector] = OrderedDict()

    def set(self, resource: str, obj: objects.Object) -> None:
        """A Service or controller appeared or changed."""
        if resource == SERVICES:
            self._set_service(obj)
            return
        document = objects.spec(obj).get("selector")
        if resource == "replicationcontrollers":
            selector = _equal(document or {})
        else:
            selector = _parsed(document)
        key = (resource, objects.key(obj))
        if self._selectors.get(key) != selector:
            self._selectors[key] = selector
            self._found.clear()

    def remove(self, resource: str, key: str) -> None:
        """A Service or controller `namespace/name` is gone."""
        if resource == SERVICES:
            self._forget_service(key)
        elif self._selectors.pop((resource, key), None) is not None:
            self._found.clear()

    def selector(self, pod: objects.Object) -> Selector:
        """The selector of the pods that belong together with this one; empty where none do."""
        labels, owner = objects.labels(pod), objects.controller_of(pod)
        key = (
            objects.namespace(pod),
            frozenset(labels.items()),
            (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) if owner else None,
        )
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._find(key[0], labels, owner)
            if len(self._found) > _KEPT:
                self._found.popitem(last=False)
        return found

    def _find(
        self, namespace: str, labels: Mapping[str, str], owner: objects.Object | None
    ) -> Selector:
        requirements: dict[Requirement, None] = {}
        for service in self._services.matching(namespace, labels):
            requirements.update(dict.fromkeys(service.requirements))
        if owner is not None:
            kind = (owner.get("apiVersion") or "", owner.get("kind") or "")
            controller = (CONTROLLERS.get(kind, ""), f"{namespace}/{owner.get('name')}")
            own = self._selectors.get(controller, selectors.EVERYTHING)
            requirements.update(dict.fromkeys(own.requirements))
        return Selector(tuple(sorted(requirements, key=str)))

    def _set_service(self, obj: objects.Object) -> None:
        key, wanted = objects.key(obj), objects.spec(obj).get("selector")
        query = PodSelector((objects.namespace(obj),), _equal(wanted or {}))
        known = self._known.get(key)
        if known is not None and known[1] == query:
            return
        self._forget_service(key)
        if wanted:
            number = next(self._numbers)
            self._known[key] = (number, query)
            self._services.add(number, (query,), query.selector)
            self._found.clear()

    def _forget_service(self, key: str) -> None:
        known = self._known.pop(key, None)
        if known is not None:
            number, query = known
            self._services.remove(number, (query,))
            self._found.clear()


def _equal(labels: Mapping[str, str]) -> Selector:
    return Selector(tuple(Requirement(key, "=", (value,)) for key, value in labels.items()))


def _parsed(document: Any) -> Selector:
    """The selector of a document that the API admitted."""
    try:
        return selectors.of(document)
    except ValueError:
        return selectors.NOTHING
