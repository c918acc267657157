"""Defaults of EndpointSlice (pkg/apis/discovery/v1/defaults.go)."""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api.objects import Object


def endpoint_slice(obj: Object) -> None:
    """Each port has a name ("" unless told) and protocol TCP."""
    for port in obj.get("ports") or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


BY_RESOURCE: Final[Mapping[str, Callable[[Object], None]]] = {
    "endpointslices.discovery.k8s.io": endpoint_slice,
}
