"""Services and endpoint slices, as kubectl shows them."""

from typing import Any

from cluster.api import objects
from cluster.api.printing.table import AGE, NAME, NONE, Printer, age, joined, labels, wide
from cluster.api.resources import Column

_SHOWN = 3  # ports or addresses of an endpoint slice before "+ n more..."


def _port(port: objects.Object) -> str:
    protocol = port.get("protocol") or "TCP"
    if port.get("nodePort"):
        return f"{port.get('port')}:{port['nodePort']}/{protocol}"
    return f"{port.get('port')}/{protocol}"


def _balancer(obj: objects.Object) -> list[str]:
    ingress = (objects.status(obj).get("loadBalancer") or {}).get("ingress") or ()
    found = (point.get("ip") or point.get("hostname") for point in ingress)
    return sorted({address for address in found if address})


def _external(obj: objects.Object) -> str:
    spec = objects.spec(obj)
    addresses: list[str] = list(spec.get("externalIPs") or ())
    match spec.get("type") or "ClusterIP":
        case "ClusterIP" | "NodePort":
            return joined(addresses) or NONE
        case "LoadBalancer":
            return joined(_balancer(obj) + addresses) or "<pending>"
        case "ExternalName":
            return str(spec.get("externalName") or "")
    return "<unknown>"


def _service(obj: objects.Object, now: float) -> list[Any]:
    spec = objects.spec(obj)
    addresses = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return [
        objects.name(obj),
        spec.get("type") or "ClusterIP",
        addresses[0] or NONE,
        _external(obj),
        joined([_port(port) for port in spec.get("ports") or ()]) or NONE,
        age(obj, now),
        labels(spec.get("selector")),
    ]


def _some(values: list[str]) -> str:
    """The first few values, and how many more there are."""
    if not values:
        return "<unset>"
    more = len(values) - _SHOWN
    return joined(values[:_SHOWN]) + (f" + {more} more..." if more > 0 else "")


def _slice(obj: objects.Object, now: float) -> list[Any]:
    ports = [
        "*" if port.get("port") is None else str(port["port"]) for port in obj.get("ports") or ()
    ]
    addresses = [
        address
        for endpoint in obj.get("endpoints") or ()
        for address in endpoint.get("addresses") or ()
    ]
    return [
        objects.name(obj),
        obj.get("addressType") or "",
        _some(ports),
        _some(addresses),
        age(obj, now),
    ]


def _endpoints(obj: objects.Object, now: float) -> list[Any]:
    found: list[str] = []
    for subset in obj.get("subsets") or ():
        addresses = [address.get("ip") or "" for address in subset.get("addresses") or ()]
        ports = subset.get("ports")
        if not ports:
            found += addresses
        for port in ports or ():
            found += [_joined_port(address, port.get("port") or 0) for address in addresses]
    return [objects.name(obj), _some(found) if found else NONE, age(obj, now)]


def _joined_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


SERVICES = Printer(
    (
        NAME,
        Column("Type", description="How the service is exposed."),
        Column("Cluster-IP", description="Its virtual address."),
        Column("External-IP", description="Where it is reached from outside."),
        Column("Port(s)", description="port[:nodePort]/protocol of each port."),
        AGE,
        wide("Selector"),
    ),
    _service,
)

ENDPOINT_SLICES = Printer(
    (
        NAME,
        Column("AddressType", description="IPv4, IPv6 or FQDN."),
        Column("Ports", description="Ports of every endpoint."),
        Column("Endpoints", description="Addresses."),
        AGE,
    ),
    _slice,
)

ENDPOINTS = Printer(
    (NAME, Column("Endpoints", description="Addresses and ports."), AGE), _endpoints
)

BY_RESOURCE = {
    "endpoints": ENDPOINTS,
    "endpointslices.discovery.k8s.io": ENDPOINT_SLICES,
    "services": SERVICES,
}
