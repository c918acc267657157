"""What a row of the table of resources is, and the table.

A row is one served version of a resource. Rows of one resource share its `id`, `plural[.group]`
(`pods`, `deployments.apps`), which is also how kubectl and error messages write it. One of them is
the row in whose form objects are stored; the others are views of it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster.api.custom import Custom

FOR_EVER = 1 << 30
"""The minor version up to which a row is served that has not gone."""
READ = ("get", "list", "watch")
ALL_VERBS = (
    "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the Table form, as `kubectl get` prints it; priority 1 shows with `-o wide`."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Resource:
    """One served version of a resource.

    `fields` maps each field label that selectors may name to the path of its value in the stored
    object. `subresources` are names under `/{name}/`: status, scale, binding, log…

    `since` and `until` are the minor versions of Kubernetes 1 that serve a built-in row. `storage`
    marks the row in whose form objects are stored, where that is not the first of its id; it may be
    one that is not `served`. `stored_as` names the id of another resource that holds the objects
    (`events.events.k8s.io` shows `events`). `custom` stands in for schema, defaults, validation and
    printer on the rows of custom resources. `deprecated` is a warning for whoever uses the row.
    `ending`: the definition of a custom resource goes, and waits for its objects to go. They are
    changed as before, for whoever has put a finalizer on one must be able to take it away, though
    `verbs`, which discovery tells, are fewer.
    `remote` names the APIService of a row that another server serves: discovery tells of it, and
    `Table.get` does not know it.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    since: int = 0
    until: int = FOR_EVER
    singular: str = ""
    list_kind: str = ""
    storage: bool = False
    served: bool = True
    stored_as: str = ""
    custom: "Custom | None" = field(default=None, compare=False)
    deprecated: str = ""
    remote: str = ""
    ending: bool = False
    id: str = field(init=False)
    api_version: str = field(init=False)

    def __post_init__(self) -> None:
        put = object.__setattr__  # the derived names are asked for at every request
        put(self, "id", f"{self.plural}.{self.group}" if self.group else self.plural)
        put(self, "api_version", f"{self.group}/{self.version}" if self.group else self.version)
        put(self, "singular", self.singular or self.kind.lower())
        put(self, "list_kind", self.list_kind or f"{self.kind}List")

    def serves(self, verb: str) -> bool:
        """Whether requests with this verb are heard: one of `verbs`, and any while it is ending."""
        return verb in self.verbs or (self.ending and verb in ALL_VERBS)


class Table:
    """A set of resources, found by id, by path or by kind. Insertion order is kept."""

    def __init__(self, rows: Iterable[Resource] = ()) -> None:
        self._by_id: dict[str, Resource] = {}
        self._by_path: dict[tuple[str, str, str], Resource] = {}
        self._by_kind: dict[tuple[str, str], Resource] = {}
        self._rows: dict[str, tuple[Resource, ...]] = {}
        self._listeners: list[Callable[[str], None]] = []
        found: dict[str, list[Resource]] = {}
        for row in rows:
            found.setdefault(row.id, []).append(row)
        for versions in found.values():
            self.put(versions)

    def add(self, row: Resource) -> None:
        """Put a resource of one version in, in place of what has its id."""
        self.put((row,))

    def put(self, rows: Sequence[Resource]) -> None:
        """Put all versions of one resource in, in place of what has its id; preferred one first.

        Where the resource is there already, its place in the order stays.
        """
        resource = rows[0].id
        self._unlink(resource)
        self._rows[resource] = tuple(rows)
        if not rows[0].remote:
            self._by_id[resource] = next((row for row in rows if row.storage), rows[0])
        for row in rows:
            if row.served:
                self._by_path[row.group, row.version, row.plural] = row
                self._by_kind[row.api_version, row.kind] = row
        self._tell(resource)

    def remove(self, resource: str) -> None:
        """Take a resource out; nothing happens where there is none."""
        if resource in self._rows:
            self._unlink(resource)
            del self._rows[resource]
            self._tell(resource)

    def on_change(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the id of each resource that comes, goes or changes."""
        self._listeners.append(listener)

    def get(self, resource: str, version: str = "") -> Resource | None:
        """The row of this id (`plural[.group]`): that of a version, or that which is stored."""
        row = self._by_id.get(resource)
        if row is None or version in ("", row.version):
            return row
        return self._by_path.get((row.group, version, row.plural))

    def versions(self, resource: str) -> tuple[Resource, ...]:
        """Every row of this id, served or not; none where there is no such resource."""
        return self._rows.get(resource, ())

    def stored(self, row: Resource) -> Resource:
        """The row in whose form the objects of `row` are stored. KeyError where it is gone."""
        return self._by_id[row.stored_as or row.id]

    def at(self, group: str, version: str, plural: str) -> Resource | None:
        """The row served at this REST path."""
        return self._by_path.get((group, version, plural))

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        """The row whose objects say this apiVersion and kind."""
        return self._by_kind.get((api_version, kind))

    def __iter__(self) -> Iterator[Resource]:
        """Every served row."""
        return (row for rows in self._rows.values() for row in rows if row.served)

    def _unlink(self, resource: str) -> None:
        for row in self._rows.get(resource, ()):
            self._by_path.pop((row.group, row.version, row.plural), None)
            if self._by_kind.get((row.api_version, row.kind)) is row:
                del self._by_kind[row.api_version, row.kind]
        self._by_id.pop(resource, None)

    def _tell(self, resource: str) -> None:
        for listener in self._listeners:
            listener(resource)


NAME: dict[str, tuple[str, ...]] = {"metadata.name": ("metadata", "name")}
"""The field labels of every cluster-scoped resource."""
META: dict[str, tuple[str, ...]] = NAME | {"metadata.namespace": ("metadata", "namespace")}
"""The field labels of every namespaced resource."""


def paths(*labels: str) -> dict[str, tuple[str, ...]]:
    """META, and labels that are themselves the path to their value."""
    return META | {label: tuple(label.split(".")) for label in labels}
