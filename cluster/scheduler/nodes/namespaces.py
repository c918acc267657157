"""The labels of namespaces, as namespace selectors see them."""

from collections.abc import Mapping

from cluster.api import objects


class Namespaces:
    """Labels by namespace. A namespace that is not known (yet) has none.

    `version` grows with each change, so that whoever matched namespaces knows to do it again.
    """

    def __init__(self) -> None:
        self.version = 0
        self._labels: dict[str, Mapping[str, str]] = {}

    def labels(self, name: str) -> Mapping[str, str]:
        """The labels of a namespace."""
        return self._labels.get(name, {})

    def set(self, namespace: objects.Object) -> bool:
        """A namespace appeared or changed. Whether its labels did."""
        name, labels = objects.name(namespace), objects.labels(namespace)
        before = self._labels.get(name)
        self._labels[name] = labels
        if before == labels or (before is None and not labels):
            return False
        self.version += 1
        return True

    def remove(self, name: str) -> None:
        """A namespace is gone."""
        if self._labels.pop(name, None):
            self.version += 1
