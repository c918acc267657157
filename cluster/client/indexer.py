"""A store of objects by key, with indices: what an informer keeps and its readers look into.

Everything comes out in insertion order, so that a run repeats exactly. Objects are shared by all
readers in the process and read-only: copy before changing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from cluster.api import objects

IndexFunction = Callable[[objects.Object], Iterable[str]]


class Indexer:
    """Objects by key (`namespace/name`, or `name`), found by index values as well."""

    def __init__(self, indexers: Mapping[str, IndexFunction] | None = None) -> None:
        self._objects: dict[str, objects.Object] = {}
        self._functions: dict[str, IndexFunction] = {}
        self._indices: dict[str, dict[str, dict[str, None]]] = {}
        for name, function in (indexers or {}).items():
            self.add_index(name, function)

    def add_index(self, name: str, function: IndexFunction) -> None:
        """Add an index, filled from what is stored. ValueError for another one of that name."""
        known = self._functions.get(name)
        if known is not None:
            if known is not function:
                raise ValueError(f"an index named {name} exists already, with another function")
            return
        self._functions[name] = function
        self._indices[name] = {}
        for key, obj in self._objects.items():
            self._insert(name, key, obj)

    def get(self, key: str) -> objects.Object | None:
        """The object of this key."""
        return self._objects.get(key)

    def list(self) -> Sequence[objects.Object]:
        """All objects."""
        return [*self._objects.values()]

    def by_index(self, name: str, value: str) -> Sequence[objects.Object]:
        """The objects for which the index function gave this value. KeyError for no such index."""
        return [self._objects[key] for key in self._indices[name].get(value, ())]

    def index_keys(self, name: str, value: str) -> Sequence[str]:
        """The keys of the objects for which the index function gave this value."""
        return [*self._indices[name].get(value, ())]

    def index_values(self, name: str) -> Sequence[str]:
        """The values that the index function has given of any object."""
        return [*self._indices[name]]

    def put(self, obj: objects.Object) -> objects.Object | None:
        """Add or replace an object; the one that was there."""
        key = objects.key(obj)
        old = self._objects.get(key)
        self._objects[key] = obj
        for name, function in self._functions.items():
            if old is not None:
                before, after = [*function(old)], [*function(obj)]
                if before == after:
                    continue
                self._remove(name, key, before)
            self._insert(name, key, obj)
        return old

    def pop(self, key: str) -> objects.Object | None:
        """Take an object out, and give it."""
        old = self._objects.pop(key, None)
        if old is not None:
            for name, function in self._functions.items():
                self._remove(name, key, function(old))
        return old

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[str]:
        """The keys of all objects."""
        return iter(self._objects)

    def __contains__(self, key: str) -> bool:
        return key in self._objects

    def _insert(self, name: str, key: str, obj: objects.Object) -> None:
        index = self._indices[name]
        for value in self._functions[name](obj):
            index.setdefault(value, {})[key] = None

    def _remove(self, name: str, key: str, values: Iterable[str]) -> None:
        index = self._indices[name]
        for value in values:
            keys = index.get(value)
            if keys is not None:
                keys.pop(key, None)
                if not keys:
                    del index[value]
