"""The table of resources: what the API serves. Everything that speaks of kinds reads it.

REST routes, gRPC, discovery, OpenAPI, printing, storage keys and admission all go by these rows;
a custom resource adds a row at run time. A row is found by its `id`, `plural[.group]`
(`pods`, `deployments.apps`), which is also how kubectl and error messages write it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

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
    """One served resource.

    `fields` maps each field label that selectors may name to the path of its value in the object.
    `subresources` are names under `/{name}/`: status, scale, binding, log…
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

    @property
    def id(self) -> str:
        """`plural[.group]`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """`version` for the core group, else `group/version`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """The name for one of them: the kind in lower case."""
        return self.kind.lower()

    @property
    def list_kind(self) -> str:
        """The kind of a list of them."""
        return f"{self.kind}List"


class Table:
    """A set of resources, found by id, by path or by kind. Insertion order is kept."""

    def __init__(self, rows: Iterable[Resource] = ()) -> None:
        self._by_id: dict[str, Resource] = {}
        self._by_path: dict[tuple[str, str, str], Resource] = {}
        self._by_kind: dict[tuple[str, str], Resource] = {}
        for row in rows:
            self.add(row)

    def add(self, row: Resource) -> None:
        """Add a row, or replace the row of the same id."""
        self.remove(row.id)
        self._by_id[row.id] = row
        self._by_path[row.group, row.version, row.plural] = row
        self._by_kind[row.api_version, row.kind] = row

    def remove(self, resource: str) -> None:
        """Take a row out; nothing happens where there is none."""
        row = self._by_id.pop(resource, None)
        if row is not None:
            del self._by_path[row.group, row.version, row.plural]
            del self._by_kind[row.api_version, row.kind]

    def get(self, resource: str) -> Resource | None:
        """The row of this id (`plural[.group]`)."""
        return self._by_id.get(resource)

    def at(self, group: str, version: str, plural: str) -> Resource | None:
        """The row served at this REST path."""
        return self._by_path.get((group, version, plural))

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        """The row whose objects say this apiVersion and kind."""
        return self._by_kind.get((api_version, kind))

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._by_id.values())


_META: dict[str, tuple[str, ...]] = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
}
_NAME: dict[str, tuple[str, ...]] = {"metadata.name": ("metadata", "name")}


def _paths(*labels: str) -> dict[str, tuple[str, ...]]:
    return _META | {label: tuple(label.split(".")) for label in labels}


BUILT_IN: tuple[Resource, ...] = (
    Resource("", "v1", "ConfigMap", "configmaps", short_names=("cm",), fields=_META),
    Resource(
        "", "v1", "Event", "events", short_names=("ev",),
        fields=_paths(
            "involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
            "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
            "involvedObject.fieldPath", "reason", "reportingComponent", "type",
        ) | {"source": ("source", "component")},
    ),
    Resource(
        "", "v1", "Namespace", "namespaces", namespaced=False, short_names=("ns",),
        subresources=("finalize", "status"),
        verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
        fields=_NAME | {"status.phase": ("status", "phase")},
    ),
    Resource(
        "", "v1", "Node", "nodes", namespaced=False, short_names=("no",),
        subresources=("status",),
        fields=_NAME | {"spec.unschedulable": ("spec", "unschedulable")},
    ),
    Resource(
        "", "v1", "Pod", "pods", short_names=("po",), categories=("all",),
        subresources=("binding", "status"),
        fields=_paths(
            "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
            "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName",
        ),
    ),
    Resource("", "v1", "Secret", "secrets", fields=_paths("type")),
    Resource("", "v1", "ServiceAccount", "serviceaccounts", short_names=("sa",), fields=_META),
    Resource(
        "", "v1", "Service", "services", short_names=("svc",), categories=("all",),
        subresources=("status",), fields=_paths("spec.clusterIP", "spec.type"),
    ),
    Resource(
        "apps", "v1", "Deployment", "deployments", short_names=("deploy",), categories=("all",),
        subresources=("scale", "status"), fields=_META,
    ),
    Resource(
        "apps", "v1", "ReplicaSet", "replicasets", short_names=("rs",), categories=("all",),
        subresources=("scale", "status"), fields=_paths("status.replicas"),
    ),
    Resource("coordination.k8s.io", "v1", "Lease", "leases", fields=_META),
    Resource("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", fields=_META),
    Resource(
        "scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", namespaced=False,
        short_names=("pc",), fields=_NAME,
    ),
)  # fmt: skip


def built_in() -> Table:
    """A new table with every resource that kubemu serves by itself."""
    return Table(BUILT_IN)
