"""The schemas of metrics.k8s.io/v1beta1, which Kubernetes' own document does not have.

Fields and types: k8s.io/metrics/pkg/apis/metrics/v1beta1. Every version of Kubernetes has the same.
"""

from typing import Any, Final

_PACKAGE: Final = "io.k8s.metrics.pkg.apis.metrics.v1beta1"
_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1"
_QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"


def _reference(name: str, description: str = "") -> dict[str, Any]:
    found = {"$ref": f"#/$defs/{name}"}
    return found | {"description": description} if description else found


_STRING: Final = {"type": "string"}
_USAGE: Final = {
    "description": "What was used, by resource.",
    "type": "object",
    "additionalProperties": _reference(_QUANTITY),
}
_WINDOW: Final = {
    "description": "How long before the timestamp the usage was observed.",
    "type": "string",
}
_TIME: Final = _reference(f"{_META}.Time", "When the usage was observed.")
_CONTAINERS: Final = {
    "description": "What each container used.",
    "type": "array",
    "items": _reference(f"{_PACKAGE}.ContainerMetrics"),
    "x-kubernetes-patch-merge-key": "name",
    "x-kubernetes-patch-strategy": "merge",
}


def _kind(name: str, description: str, properties: dict[str, Any]) -> dict[str, Any]:
    head = {"apiVersion": _STRING, "kind": _STRING}
    meta = "ListMeta" if name.endswith("List") else "ObjectMeta"
    return {
        "description": description,
        "type": "object",
        "properties": head | {"metadata": _reference(f"{_META}.{meta}")} | properties,
        "required": list(properties),
        "x-kubernetes-group-version-kind": [
            {"group": "metrics.k8s.io", "version": "v1beta1", "kind": name}
        ],
    }


def _list(of: str) -> dict[str, Any]:
    items = {"type": "array", "items": _reference(f"{_PACKAGE}.{of}")}
    return _kind(f"{of}List", f"{of}List is a list of {of}.", {"items": items})


_MEASURED: Final = {"timestamp": _TIME, "window": _WINDOW}
DEFINITIONS: Final[dict[str, dict[str, Any]]] = {
    f"{_PACKAGE}.ContainerMetrics": {
        "description": "ContainerMetrics tells what a container used.",
        "type": "object",
        "properties": {"name": _STRING | {"description": "The container."}, "usage": _USAGE},
        "required": ["name", "usage"],
    },
    f"{_PACKAGE}.NodeMetrics": _kind(
        "NodeMetrics", "NodeMetrics tells what a node used.", _MEASURED | {"usage": _USAGE}
    ),
    f"{_PACKAGE}.PodMetrics": _kind(
        "PodMetrics",
        "PodMetrics tells what the containers of a pod used.",
        _MEASURED | {"containers": _CONTAINERS},
    ),
    f"{_PACKAGE}.NodeMetricsList": _list("NodeMetrics"),
    f"{_PACKAGE}.PodMetricsList": _list("PodMetrics"),
}
"""By name, in the form of the definitions that `schema` reads."""
