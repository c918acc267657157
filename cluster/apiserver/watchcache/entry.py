"""An object as the cache holds it: ready bytes, and the few decoded values that selectors ask for.

Labels and field values are decoded when they are first asked for, by a decoder that skips all else.
"""

from functools import lru_cache
from typing import Any, TypedDict

import msgspec

from cluster.api import resources, selectors
from cluster.apiserver import codec


class Shape:
    """What a resource's selectors can ask of an object, and the decoder that reads just that."""

    def __init__(self, resource: str, row: resources.Resource | None) -> None:
        self.row = row or resources.Resource("", "", "", resource)
        self._decoder = _decoder(tuple(self.row.fields.values()))

    def read(self, json: bytes) -> tuple[dict[str, str], dict[str, str]]:
        """The labels and the field values of an object's JSON."""
        try:
            seen = self._decoder.decode(json)
        except msgspec.ValidationError:  # a value of another type than the path needs
            seen = codec.decode(json)
        labels = seen["metadata"].get("labels") or {}
        return labels, selectors.field_values(self.row, seen)


@lru_cache(maxsize=256)
def _decoder(paths: tuple[tuple[str, ...], ...]) -> msgspec.json.Decoder[Any]:
    """Reads labels and the values at these paths. Kept: one takes half a millisecond to make, and
    every server that starts and every read of a computed resource asks for the same few.
    """
    tree: dict[str, Any] = {"metadata": {"labels": dict[str, str] | None}}
    for path in paths:
        _plant(tree, path)
    return msgspec.json.Decoder(_typed("Object", tree))


def _plant(tree: dict[str, Any], path: tuple[str, ...]) -> None:
    for step in path[:-1]:
        inner = tree.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        tree = inner
    tree.setdefault(path[-1], Any)


def _typed(name: str, tree: dict[str, Any]) -> Any:
    members = {
        key: _typed(key, inner) | None if isinstance(inner, dict) else inner
        for key, inner in tree.items()
    }
    return TypedDict(name, members, total=False)  # type: ignore[operator]


class Entry:
    """One object at one revision. `json` is what every reader gets; treat an entry as frozen.

    `created` is the revision that created the object: equal to `revision` just after creation, 0
    in an answer of which it matters only that the object was there before.
    """

    __slots__ = (
        "_fields", "_labels", "_views", "created", "json", "key", "name", "namespace", "revision",
        "shape",
    )  # fmt: skip

    def __init__(self, shape: Shape, key: str, json: bytes, revision: int, created: int) -> None:
        self.shape = shape
        self.key = key
        _, self.namespace, self.name = codec.split(key)
        self.json = json
        self.revision = revision
        self.created = created
        self._labels: dict[str, str] | None = None
        self._fields: dict[str, str] | None = None
        self._views: tuple[tuple[resources.Resource, Entry], ...] = ()

    def unmoved(self) -> "Entry":
        """The entry as an answer to a write that changed nothing: nothing was created by it."""
        if self.created != self.revision:
            return self
        return Entry(self.shape, self.key, self.json, self.revision, 0)

    def reshape(self, shape: Shape) -> None:
        """What selectors can ask has changed."""
        self.shape = shape
        self._labels = self._fields = None

    def view(self, row: resources.Resource) -> "Entry | None":
        """This entry as `row` shows it, where that is kept."""
        for known, entry in self._views:
            if known is row:
                return entry
        return None

    def keep_view(self, row: resources.Resource, json: bytes) -> "Entry":
        """Keep how `row` shows this entry now; views of rows that are gone make room."""
        entry = Entry(self.shape, self.key, json, self.revision, self.created)
        others = tuple(known for known in self._views if known[0] is not row)
        self._views = (*others[-3:], (row, entry))
        return entry

    @property
    def labels(self) -> dict[str, str]:
        """metadata.labels; read-only."""
        if self._labels is None:
            self._labels, self._fields = self.shape.read(self.json)
        return self._labels

    @property
    def fields(self) -> dict[str, str]:
        """The value of each field label of the resource; read-only."""
        if self._fields is None:
            self._labels, self._fields = self.shape.read(self.json)
        return self._fields

    def field(self, label: str) -> str:
        """One field value; name and namespace cost no decoding."""
        if label == "metadata.name":
            return self.name
        if label == "metadata.namespace":
            return self.namespace
        return self.fields.get(label, "")

    def document(self) -> dict[str, Any]:
        """The object, decoded anew: the caller's own."""
        return codec.decode(self.json)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"Entry({self.key!r}, revision={self.revision})"
