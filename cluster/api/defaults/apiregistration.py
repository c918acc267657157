"""Defaults of APIServices."""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api.objects import Object


def api_service(obj: Object) -> None:
    """The port of an extension server is 443 unless told otherwise."""
    service = (obj.get("spec") or {}).get("service")
    if service is not None:
        service["port"] = service.get("port") or 443


BY_RESOURCE: Final[Mapping[str, Callable[[Object], None]]] = {
    "apiservices.apiregistration.k8s.io": api_service,
}
