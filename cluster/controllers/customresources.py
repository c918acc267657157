"""Custom resources, as controllers of every resource see them: the manager's table follows the
CustomResourceDefinitions, as kube-controller-manager asks discovery again and again.
"""

from cluster.api import objects, resources
from cluster.api.crd import rows
from cluster.client import informer

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"


class Definitions:
    """Puts the rows of custom resources into a table and takes them out again."""

    def __init__(self, informers: informer.Informers, table: resources.Table) -> None:
        self._table = table
        self._built_in = frozenset(row.id for row in table)
        informers.get(DEFINITIONS).on_change(self._changed)

    def _changed(self, change: informer.Change) -> None:
        name = objects.name(change.object)
        if name in self._built_in:
            return
        before = self._table.versions(name)
        wanted = rows.of(change.new, before) if change.new is not None else ()
        if not wanted:
            self._table.remove(name)
        elif wanted != before:
            self._table.put(wanted)


def deletable(table: resources.Table) -> list[resources.Resource]:
    """The resources that can be followed and deleted, each once, in the form that is stored."""
    found = {row.id: table.get(row.id) or row for row in table if not row.stored_as}
    return [row for row in found.values() if is_deletable(row)]


def is_deletable(row: resources.Resource) -> bool:
    """Whether a resource can be followed and its objects deleted."""
    return {"delete", "list", "watch"} <= {*row.verbs}
