"""The variables that tell a container of the Services of its namespace. Pure.

Source: pkg/kubelet/envvars, and getServiceEnvVarMap of pkg/kubelet.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from cluster.api import objects
from cluster.api.objects import Object

MASTER: Final = "kubernetes"
MASTER_NAMESPACE: Final = "default"


def variables(services: Iterable[Object]) -> dict[str, str]:
    """Of each service with an address of its own: host, ports, and the links of Docker."""
    found: dict[str, str] = {}
    for service in services:
        address = objects.spec(service).get("clusterIP")
        ports = objects.spec(service).get("ports") or ()
        if address and address != "None" and ports:
            found |= _of(_name(objects.name(service)), address, ports)
    return found


def is_master(service: Object) -> bool:
    """Whether it is the API server's, of which every container is told."""
    return (
        objects.name(service) == MASTER and objects.namespace(service) == MASTER_NAMESPACE
    )  # fmt: skip


def _of(name: str, address: str, ports: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    found = {f"{name}_SERVICE_HOST": address}
    host = f"[{address}]" if ":" in address else address
    for number, port in enumerate(ports):
        at = str(port.get("port") or 0)
        protocol = port.get("protocol") or "TCP"
        url = f"{protocol.lower()}://{host}:{at}"
        if not number:
            found[f"{name}_SERVICE_PORT"] = at
            found[f"{name}_PORT"] = url
        if port.get("name"):
            found[f"{name}_SERVICE_PORT_{_name(port['name'])}"] = at
        prefix = f"{name}_PORT_{at}_{protocol.upper()}"
        found[prefix] = url
        found[f"{prefix}_PROTO"] = protocol.lower()
        found[f"{prefix}_PORT"] = at
        found[f"{prefix}_ADDR"] = address
    return found


def _name(text: str) -> str:
    return text.replace("-", "_").upper()
