"""What slices of a user's Endpoints say. Source: pkg/controller/endpointslicemirroring."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cluster.api import objects
from cluster.controllers import ownership
from cluster.controllers.endpointslice import endpoints, packing

CONTROLLER: Final = "endpointslicemirroring-controller.k8s.io"
SKIP: Final = "endpointslice.kubernetes.io/skip-mirror"
_LEADER: Final = "control-plane.alpha.kubernetes.io/leader"


@dataclass(slots=True)
class Mirrored:
    """The endpoints by `group_key`, how many addresses are none, and how many were too many."""

    groups: dict[str, endpoints.PortGroup] = field(default_factory=dict)
    invalid: int = 0
    skipped: int = 0


def wanted(found: objects.Object) -> bool:
    """Whether Endpoints are to be mirrored, by what they say themselves."""
    labels = objects.labels(found)
    made = packing.MANAGED_BY in labels or "endpoints.kubernetes.io/managed-by" in labels
    return not made and labels.get(SKIP) != "true" and _LEADER not in objects.annotations(found)


def owner(found: objects.Object) -> packing.Owner:
    """Whose the slices are: they go with the Endpoints."""
    labels = dict(objects.labels(found))
    labels[packing.SERVICE_NAME] = objects.name(found)
    labels[packing.MANAGED_BY] = CONTROLLER
    reference = ownership.reference(found, "v1", "Endpoints")
    return packing.Owner(objects.name(found), objects.namespace(found), labels, reference)


def desired(found: objects.Object, limit: int) -> Mirrored:
    """What the slices should hold: of each subset `limit` addresses at most."""
    result = Mirrored()
    for subset in found.get("subsets") or ():
        ports = [_port(port) for port in subset.get("ports") or ()]
        added = 0
        for address, ready in _addresses(subset):
            if added >= limit:
                result.skipped += 1
                continue
            family = _family(address.get("ip") or "")
            if not family:
                result.invalid += 1
                continue
            key = endpoints.group_key(family, ports)
            group = result.groups.setdefault(key, endpoints.PortGroup(family, ports))
            entry = _endpoint(address, ready)
            group.endpoints[endpoints.identity(entry)] = entry
            added += 1
    return result


def _addresses(subset: objects.Object) -> Iterable[tuple[objects.Object, bool]]:
    for address in subset.get("addresses") or ():
        yield address, True
    for address in subset.get("notReadyAddresses") or ():
        yield address, False


def _family(text: str) -> str:
    try:
        return f"IPv{ipaddress.ip_address(text).version}"
    except ValueError:
        return ""


def _endpoint(address: objects.Object, ready: bool) -> objects.Object:
    entry: objects.Object = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
    for name in ("hostname", "nodeName", "targetRef"):
        if address.get(name):
            entry[name] = address[name]
    return entry


def _port(port: objects.Object) -> objects.Object:
    told = {
        "name": port.get("name") or "",
        "port": port.get("port"),
        "protocol": port.get("protocol") or "TCP",
    }
    return told | ({"appProtocol": port["appProtocol"]} if port.get("appProtocol") else {})
