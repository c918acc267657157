"""Schemas of the built-in kinds: the one reader of kubernetes-validate's bundled definitions.

The package keeps, for each Kubernetes version, one file of all definitions. They come as JSON
schema with two traps that are mended here: `type` lists carry `null`, and IntOrString and Quantity
have lost their formats. Nothing is read before it is asked for; a process reads a version once.
"""

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from cluster.api import metricsschema

VERSIONS: Final = tuple(f"1.{minor}" for minor in range(25, 38))
NEWEST: Final = VERSIONS[-1]

_INT_OR_STRING: Final = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_REFERENCE: Final = "#/$defs/"

ONE_OF: Final[Mapping[str, tuple[str, str]]] = {
    _INT_OR_STRING: ("integer", "string"),
    _QUANTITY: ("string", "number"),
}
"""Definitions that take values of two types. OpenAPI v3 can say so, v2 calls them strings."""

Kind = Literal[
    "struct", "map", "list", "string", "integer", "number", "boolean", "bytes", "quantity",
    "int-or-string", "time", "micro-time", "any", "json-object",
]  # fmt: skip

_SPECIAL: Final[Mapping[str, Kind]] = {
    _INT_OR_STRING: "int-or-string",
    _QUANTITY: "quantity",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "micro-time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "json-object",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "json-object",
}
_SCALARS: Final[Mapping[str, Kind]] = {
    "string": "string", "integer": "integer", "number": "number", "boolean": "boolean",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """A property of a struct, how a strategic merge patch treats it, and how its parts are owned.

    `merge` lists are joined by `merge_key` (or as sets of scalars where it is ""); `retain_keys`
    structs obey `$retainKeys`. `list_type` is atomic, set, map or "", `map_type` atomic, granular
    or "", as server-side apply goes by them.
    """

    node: "Node"
    merge: bool = False
    retain_keys: bool = False
    replace: bool = False
    merge_key: str = ""
    list_type: str = ""
    list_map_keys: tuple[str, ...] = ()
    map_type: str = ""
    required: bool = False


class Node:
    """The shape of a value. `go` is the name of its Go type, as decoding errors show it."""

    def __init__(
        self, version: str, kind: Kind, go: str, name: str = "", element: "Node | None" = None
    ) -> None:
        self.version = version
        self.kind = kind
        self.go = go
        self.name = name
        self.element = element

    @classmethod
    def envelope(cls, version: str, kind: str) -> "Node":
        """A kind without a schema: of its parts only metadata is known."""
        node = cls(version, "struct", f"v1.{kind}")
        node.fields = {"metadata": Field(object_meta(version))}
        return node

    @cached_property
    def fields(self) -> dict[str, Field]:
        """The properties of a struct, by their JSON names; {} for other kinds."""
        if self.kind != "struct":
            return {}
        found = _definition(self.version, self.name)
        properties, required = found.get("properties") or {}, found.get("required") or ()
        return {
            name: _field(self.version, body, name in required) for name, body in properties.items()
        }

    @cached_property
    def map_type(self) -> str:
        """Whether a struct is owned as a whole: atomic, granular or ""."""
        if self.kind != "struct" or not self.name:
            return ""
        return str(_definition(self.version, self.name).get("x-kubernetes-map-type") or "")


def definitions(version: str = NEWEST) -> dict[str, dict[str, Any]]:
    """All definitions of a version by name, for OpenAPI: types without null, formats restored.

    References read `#/$defs/NAME`. The dict is shared: do not change it. ValueError for a version
    that is not in VERSIONS.
    """
    return _mended_all(version)


def definition_name(api_version: str, kind: str, version: str = NEWEST) -> str | None:
    """The name of the definition of a kind (`io.k8s.api.core.v1.Pod`), or None."""
    return _kinds(version).get((api_version, kind))


def for_kind(api_version: str, kind: str, version: str = NEWEST) -> Node | None:
    """The shape of a kind, or None where the version does not have it."""
    name = definition_name(api_version, kind, version)
    return None if name is None else _struct(version, name)


def kind_exists(api_version: str, kind: str, version: str = NEWEST) -> bool:
    """Whether the version's schemas know the kind."""
    return (api_version, kind) in _kinds(version)


def kinds(api_version: str, version: str = NEWEST) -> list[str]:
    """The kinds that the version's schemas know under `api_version`."""
    return [kind for api, kind in _kinds(version) if api == api_version]


def object_meta(version: str = NEWEST) -> Node:
    """The shape of metadata, which every kind shares."""
    return _struct(version, "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")


class _File(msgspec.Struct):
    definitions: dict[str, msgspec.Raw] = msgspec.field(name="$defs")


class _Kinds(msgspec.Struct):
    listed: list[dict[str, str]] = msgspec.field(
        name="x-kubernetes-group-version-kind", default_factory=list
    )


@cache
def _texts(version: str) -> Mapping[str, msgspec.Raw]:
    """All definitions as JSON: decoded they are twice as much, and a process needs few of them."""
    if version not in VERSIONS:
        raise ValueError(
            f"no schemas for Kubernetes {version}: it is one of {VERSIONS[0]} to {VERSIONS[-1]}"
        )
    text = (_folder() / f"v{version}.0-local" / "_definitions.json").read_bytes()
    ours = {
        name: msgspec.Raw(msgspec.json.encode(body))
        for name, body in metricsschema.DEFINITIONS.items()
    }
    return msgspec.json.decode(text, type=_File).definitions | ours


def _definition(version: str, name: str) -> dict[str, Any]:
    """One definition, as it is in the file; KeyError."""
    found: dict[str, Any] = msgspec.json.decode(_texts(version)[name])
    return found


def _folder() -> Path:
    # Found without importing the package, which would load jsonschema and all it needs.
    spec = importlib.util.find_spec("kubernetes_validate")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package kubernetes-validate is not installed")
    return Path(spec.origin).parent / "kubernetes-json-schema"


@cache
def _kinds(version: str) -> dict[tuple[str, str], str]:
    return {(api, kind): name for api, kind, name in _all_kinds(version)}


def _all_kinds(version: str) -> Iterator[tuple[str, str, str]]:
    for name, text in _texts(version).items():
        listed = msgspec.json.decode(text, type=_Kinds).listed
        # DeleteOptions and its like belong to every group: they are no resources.
        if len(listed) != 1:
            continue
        group, kind = listed[0]["group"], listed[0]["kind"]
        api = f"{group}/{listed[0]['version']}" if group else listed[0]["version"]
        yield api, kind, name


@cache
def _struct(version: str, name: str) -> Node:
    go = ".".join(name.split(".")[-2:])
    special = _SPECIAL.get(name)
    if special is not None:
        return Node(version, special, go, name)
    body = _definition(version, name)
    if "properties" in body:
        return Node(version, "struct", go, name)
    return Node(version, "json-object" if "type" in body else "any", go, name)


def _field(version: str, body: Mapping[str, Any], required: bool) -> Field:
    strategies = str(body.get("x-kubernetes-patch-strategy") or "").split(",")
    return Field(
        _node(version, body),
        merge="merge" in strategies,
        retain_keys="retainKeys" in strategies,
        replace="replace" in strategies,
        merge_key=str(body.get("x-kubernetes-patch-merge-key") or ""),
        list_type=str(body.get("x-kubernetes-list-type") or ""),
        list_map_keys=tuple(body.get("x-kubernetes-list-map-keys") or ()),
        map_type=str(body.get("x-kubernetes-map-type") or ""),
        required=required,
    )


def _node(version: str, body: Mapping[str, Any]) -> Node:
    reference = body.get("$ref")
    if isinstance(reference, str):
        return _struct(version, reference.removeprefix(_REFERENCE))
    shape = _plain_type(body.get("type"))
    if shape == "array":
        element = _node(version, body.get("items") or {})
        return Node(version, "list", f"[]{element.go}", element=element)
    if shape == "object" and "additionalProperties" in body:
        element = _node(version, body["additionalProperties"])
        return Node(version, "map", f"map[string]{element.go}", element=element)
    if shape in _SCALARS:
        return _scalar(version, shape, str(body.get("format") or ""))
    return Node(version, "json-object" if shape == "object" else "any", "interface {}")


def _scalar(version: str, type: str, format: str) -> Node:
    if type == "string":
        return Node(version, "bytes" if format == "byte" else "string", format or "string")
    if type == "boolean":
        return Node(version, "boolean", "bool")
    go = {"double": "float64", "float": "float32"}.get(format, format or "int64")
    return Node(version, _SCALARS[type], go)


def _plain_type(type: Any) -> str:
    if isinstance(type, list):
        return next((item for item in type if item != "null"), "")
    return type or ""


@cache
def _mended_all(version: str) -> dict[str, dict[str, Any]]:
    mended = {name: _mended(_definition(version, name)) for name in _texts(version)}
    mended[_INT_OR_STRING] |= {"type": "string", "format": "int-or-string"}
    mended[_INT_OR_STRING].pop("oneOf", None)
    mended[_QUANTITY] |= {"type": "string"}
    mended[_QUANTITY].pop("oneOf", None)
    for body in mended.values():
        for name in ("apiVersion", "kind"):
            # The package adds an enum of the one value; Kubernetes' own document has none.
            body.get("properties", {}).get(name, {}).pop("enum", None)
    return mended


def _mended(body: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with plain types. A property may be *named* like a keyword (`$ref`, `type`)."""
    result = dict(body)
    if "type" in result:
        result["type"] = _plain_type(result["type"])
    if "properties" in result:
        result["properties"] = {
            name: _mended(inner) for name, inner in result["properties"].items()
        }
    for keyword in ("items", "additionalProperties"):
        if isinstance(result.get(keyword), Mapping):
            result[keyword] = _mended(result[keyword])
    return result
