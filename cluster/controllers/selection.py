"""Selectors of objects, and who selects given labels: found by an index, not by a search.

Thousands of Services or ReplicaSets in one namespace would else be asked about each new pod. The
index has each under one label that everything it selects must have.
"""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api import objects, selectors
from cluster.client import indexer

SELECTION: Final = "selection"
"""Index of what selects: `demand`."""

Matches = Callable[[Mapping[str, str]], bool]

_PLAIN: Final = ("ReplicationController", "Service")
"""Kinds that have labels in place of a label selector."""


def selector_of(obj: objects.Object) -> selectors.Selector:
    """spec.selector of an object; one that is missing or invalid matches nothing."""
    try:
        return selectors.of(_document(obj))
    except ValueError:
        return selectors.NOTHING


def matcher_of(obj: objects.Object) -> Matches:
    """Whether labels match spec.selector, as fast as it can be told: thousands are asked."""
    document = _document(obj) or {}
    labels = document.get("matchLabels")
    if not labels or document.get("matchExpressions"):
        return selector_of(obj).matches
    wanted = labels.items()
    return lambda own: wanted <= own.items()


def demand(obj: objects.Object) -> list[str]:
    """Index function: the namespace and a label that what it selects must have.

    Of several labels the one with the longest value: a hash or a uid is of few. Where none is
    asked for by its value, the namespace alone.
    """
    document = _document(obj)
    if document is None:
        return []
    labels = document.get("matchLabels") or {}
    space = objects.namespace(obj)
    if not labels:
        return [_under(space)]
    name = max(labels, key=lambda each: len(labels[each]))
    return [_under(space, name, labels[name])]


def selecting(
    store: indexer.Indexer, namespace: str, labels: Mapping[str, str]
) -> list[objects.Object]:
    """The objects of a store with the index SELECTION that select labels of their namespace."""
    values = [_under(namespace, name, value) for name, value in labels.items()]
    return [
        found
        for value in (*values, _under(namespace))
        for found in store.by_index(SELECTION, value)
        if matcher_of(found)(labels)
    ]


def _under(namespace: str, name: str = "", value: str = "") -> str:
    return f"{namespace}/{name}={value}"


def _document(obj: objects.Object) -> objects.Object | None:
    """The label selector document. A Service without labels to select by selects nothing."""
    found: objects.Object | None = objects.spec(obj).get("selector")
    kind = obj.get("kind")
    if kind not in _PLAIN:
        return found
    if found:
        return {"matchLabels": found}
    return None if kind == "Service" else found
