"""The types by which fields are owned: which lists are maps, which things are one.

Built from the schemas of built-in kinds, or from the structural schema of a custom resource.
Source: structured-merge-diff's schema/elements.go and k8s.io/kube-openapi/pkg/schemaconv.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, Literal

from cluster.api import schema

Shape = Literal["scalar", "list", "map", "deduced"]


class Field:
    """A property of a map. `present`: Go always has it, if empty, where it has what it is in."""

    __slots__ = ("present", "type")

    def __init__(self, type: "Type", present: bool = False) -> None:
        self.type = type
        self.present = present


class Type:
    """How a value is owned.

    `atomic` lists and maps are owned as a whole. A list that is not atomic holds values of a set
    (`keys` empty) or items told apart by `keys`, each with the default that it has where an item
    leaves it out. A map's entries are `fields`, and others of type `element` unless that is None.
    `deduced` goes by the value: maps are taken apart, lists are not.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        scalar: str = "untyped",
        atomic: bool = False,
        keys: tuple[tuple[str, Any], ...] = (),
        fields: Callable[[], Mapping[str, Field]] | None = None,
        element: "Type | None" = None,
    ) -> None:
        self.shape: Shape = shape
        self.scalar = scalar
        self.atomic = atomic
        self.keys = keys
        self.element = element
        self._make = fields
        self._fields: Mapping[str, Field] | None = None
        self.changes = False
        """Whether the type is a user's, who may make granular things atomic."""
        self.walker: Any = None  # kept here by `walking`
        self.root: Any = None

    @property
    def fields(self) -> Mapping[str, Field]:
        """The properties of a map; made when first asked for, because types may hold themselves."""
        if self._fields is None:
            self._fields = self._make() if self._make is not None else {}
        return self._fields


SCALAR: Final = Type("scalar")
STRING: Final = Type("scalar", scalar="string")
NUMERIC: Final = Type("scalar", scalar="numeric")
BOOLEAN: Final = Type("scalar", scalar="boolean")
DEDUCED: Final = Type("deduced")
FREE: Final = Type("map", element=DEDUCED)
"""An object of which nothing is known."""

_SCALARS: Final[Mapping[str, Type]] = {
    "string": STRING, "bytes": STRING, "integer": NUMERIC, "number": NUMERIC, "boolean": BOOLEAN,
}  # fmt: skip

# Defaults of keys, which the schemas of kubernetes-validate have lost.
_KEY_DEFAULTS: Final[Mapping[tuple[str, str], Any]] = {
    ("v1.ContainerPort", "protocol"): "TCP",
    ("v1.ServicePort", "protocol"): "TCP",
}

# Structs that Go holds by value though their properties are optional; required ones it does, too.
_BY_VALUE: Final = frozenset({
    "metadata", "spec", "status", "v1.DeploymentSpec.strategy", "v1.DaemonSetSpec.updateStrategy",
    "v1.StatefulSetSpec.updateStrategy", "v1.ReplicaSetSpec.template", "v1.PodTemplate.template",
    "v1.Container.resources", "v1.EphemeralContainer.resources", "v1.ContainerStatus.state",
    "v1.ContainerStatus.lastState", "v1.Event.source", "v1.Event.regarding",
    "v1.Event.deprecatedSource", "v1.NodeDaemonEndpoints.kubeletEndpoint",
    "v1.NodeStatus.daemonEndpoints", "v1.NodeStatus.nodeInfo",
    "v1.PersistentVolumeClaimSpec.resources", "v1.ServiceStatus.loadBalancer",
    "v1.IngressStatus.loadBalancer", "v1.NetworkPolicySpec.podSelector",
    "v1.CustomResourceDefinitionStatus.acceptedNames", "v1.ResourceClaimSpec.devices",
    "v1.AllocationResult.devices",
})  # fmt: skip


@cache
def of_node(node: schema.Node) -> Type:
    """The type of a built-in kind, or of a part of it."""
    if node.kind == "struct":
        return Type("map", atomic=node.map_type == "atomic", fields=lambda: _fields(node))
    if node.kind == "list":
        return Type("list", atomic=True)
    if node.kind == "map":
        assert node.element is not None
        return Type("map", element=of_node(node.element))
    if node.kind == "json-object":
        return FREE
    if node.kind == "any":
        return DEDUCED
    return _SCALARS.get(node.kind, SCALAR)


def _fields(node: schema.Node) -> dict[str, Field]:
    return {
        name: Field(
            _of_field(field),
            field.required or name in _BY_VALUE or f"{node.go}.{name}" in _BY_VALUE,
        )
        for name, field in node.fields.items()
    }


def _of_field(field: schema.Field) -> Type:
    node = field.node
    if node.kind == "list" and node.element is not None:
        return _list(field, node.element)
    found = of_node(node)
    if field.map_type == "atomic" and found.shape == "map":
        return Type("map", atomic=True, fields=lambda: found.fields, element=found.element)
    return found


def _list(field: schema.Field, element: schema.Node) -> Type:
    kind, names = field.list_type, field.list_map_keys
    if not kind and field.merge:  # older definitions say only how strategic patches merge
        kind, names = ("map", (field.merge_key,)) if field.merge_key else ("set", ())
    if kind not in ("map", "set"):
        return Type("list", atomic=True, element=of_node(element))
    keys = tuple((name, _KEY_DEFAULTS.get((element.go, name))) for name in names)
    return Type("list", keys=keys if kind == "map" else (), element=of_node(element))


@cache
def of_kind(api_version: str, kind: str, version: str) -> Type:
    """The type of a built-in kind in the schemas of a Kubernetes `version`."""
    node = schema.for_kind(api_version, kind, version)
    if node is not None:
        return of_node(node)
    return Type(
        "map", element=DEDUCED, fields=lambda: {"metadata": Field(_metadata(version), True)}
    )


def _metadata(version: str) -> Type:
    return of_node(schema.object_meta(version))


def of_custom(document: Mapping[str, Any] | None, version: str = schema.NEWEST) -> Type:
    """The type of a custom resource, from its structural schema (openAPIV3Schema), None without.

    metadata is always ObjectMeta, apiVersion and kind are strings.
    """
    found = structural(document) if document else FREE

    def fields() -> dict[str, Field]:
        envelope = {"apiVersion": Field(STRING), "kind": Field(STRING)}
        return {**found.fields, **envelope, "metadata": Field(_metadata(version), present=True)}

    custom = Type("map", fields=fields, element=found.element)
    custom.changes = True
    return custom


def below(kind: Type, element: str) -> tuple[Type, bool]:
    """The type under a path element, and whether that is a declared property."""
    if kind.shape == "map" and element[:2] == "f:":
        field = kind.fields.get(element[2:])
        if field is not None:
            return field.type, True
    return kind.element or DEDUCED, False


def structural(document: Mapping[str, Any]) -> Type:
    """The type of a part of a structural schema."""
    if document.get("x-kubernetes-int-or-string"):
        return SCALAR
    shape = document.get("type")
    if shape == "object":
        return _structural_map(document)
    if shape == "array":
        return _structural_list(document)
    if not shape:
        return DEDUCED
    return _SCALARS.get(shape, SCALAR)


def _structural_map(document: Mapping[str, Any]) -> Type:
    atomic = document.get("x-kubernetes-map-type") == "atomic"
    more = document.get("additionalProperties")
    element = structural(more) if isinstance(more, Mapping) else DEDUCED if more else None
    properties = document.get("properties") or {}
    if document.get("x-kubernetes-preserve-unknown-fields") and element is None:
        element = DEDUCED

    def fields() -> dict[str, Field]:
        found = {name: Field(structural(body)) for name, body in properties.items()}
        if document.get("x-kubernetes-embedded-resource"):
            found |= {"apiVersion": Field(STRING), "kind": Field(STRING)}
            found["metadata"] = Field(_metadata(schema.NEWEST))
        return found

    return Type("map", atomic=atomic, fields=fields, element=element)


def _structural_list(document: Mapping[str, Any]) -> Type:
    items = document.get("items") or {}
    kind = document.get("x-kubernetes-list-type")
    element = structural(items)
    if kind == "map":
        properties = items.get("properties") or {}
        names = document.get("x-kubernetes-list-map-keys") or ()
        keys = tuple((name, (properties.get(name) or {}).get("default")) for name in names)
        return Type("list", keys=keys, element=element)
    return Type("list", atomic=kind != "set", element=element)
