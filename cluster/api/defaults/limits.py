"""Defaults of LimitRange, ResourceQuota and Endpoints (pkg/apis/core/v1/defaults.go)."""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api.objects import Object


def limit_range(obj: Object) -> None:
    """Of a container: the limit is the most, requests are the limit, else the least."""
    for limit in (obj.get("spec") or {}).get("limits") or ():
        if limit.get("type") != "Container":
            continue
        default = limit.setdefault("default", {})
        for name, amount in (limit.get("max") or {}).items():
            default.setdefault(name, amount)
        request = limit.setdefault("defaultRequest", {})
        for name, amount in default.items():
            request.setdefault(name, amount)
        for name, amount in (limit.get("min") or {}).items():
            request.setdefault(name, amount)
        for field in ("default", "defaultRequest"):
            if not limit[field]:
                del limit[field]


def endpoints(obj: Object) -> None:
    """Ports are of TCP."""
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            port["protocol"] = port.get("protocol") or "TCP"


BY_RESOURCE: Final[Mapping[str, Callable[[Object], None]]] = {
    "endpoints": endpoints,
    "limitranges": limit_range,
}
