"""Defaults of EndpointSlice (pkg/apis/discovery/v1/defaults.go)."""

from cluster.api.objects import Object


def endpoint_slice(obj: Object) -> None:
    """Each port has a name ("" unless told) and protocol TCP."""
    for port in obj.get("ports") or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")
