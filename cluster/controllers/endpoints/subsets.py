"""The subsets of a Service's Endpoints: addresses that offer the same ports stand together.

Source: the Endpoints API reference and pkg/controller/endpoint of Kubernetes. Kubernetes orders
subsets and ports by a hash of their Go form; here they are ordered by what they say.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from cluster.api import objects
from cluster.controllers import podstate
from cluster.controllers.endpointslice import endpoints

CAPACITY: Final = 1000
"""Addresses in one Endpoints object at most."""

_Port = tuple[str, int, str, str]
_Place = tuple[str, str]  # address and uid
_NO_PORT: Final[_Port] = ("", -1, "", "")


def desired(service: objects.Object, pods: Iterable[objects.Object]) -> list[objects.Object]:
    """The subsets for `pods`, which match the selector."""
    published = bool(objects.spec(service).get("publishNotReadyAddresses"))
    addresses: dict[_Place, objects.Object] = {}
    offers: dict[_Port, dict[_Place, bool]] = {}
    for pod in pods:
        if not _belongs(pod, published):
            continue
        address = _address(service, pod)
        if address is None:
            continue
        place = (address["ip"], objects.uid(pod))
        addresses[place] = address
        ready = published or podstate.is_ready(pod)
        for port in _ports(service, pod):
            offers.setdefault(port, {})[place] = ready
    return _packed(addresses, offers)


def truncated(subsets: Sequence[objects.Object]) -> list[objects.Object] | None:
    """The subsets cut to CAPACITY addresses, ready ones first; None where there are no more."""
    ready = sum(len(subset.get("addresses") or ()) for subset in subsets)
    waiting = sum(len(subset.get("notReadyAddresses") or ()) for subset in subsets)
    if ready + waiting <= CAPACITY:
        return None
    field, most, total = "notReadyAddresses", CAPACITY - ready, waiting
    if ready > CAPACITY:
        field, most, total = "addresses", CAPACITY, ready
    room, result = most, []
    for subset in subsets:
        found = subset.get(field) or []
        share = min(room, math.ceil(len(found) / total * most))
        kept = found[:share]
        room -= len(kept)
        cut = {name: value for name, value in subset.items() if name != "notReadyAddresses"}
        if kept:
            cut[field] = kept
        result.append(cut)
    return result


def _belongs(pod: objects.Object, published: bool) -> bool:
    if not endpoints.belongs(pod):
        return False
    return published or not objects.deleting(pod)


def _address(service: objects.Object, pod: objects.Object) -> objects.Object | None:
    """The pod's address in the service's first family; None where it has none there."""
    families = endpoints.address_types(service)
    found = endpoints.address_of(pod, families[0]) if families else ""
    if not found:
        return None
    spec = objects.spec(pod)
    address: objects.Object = {"ip": found}
    if spec.get("hostname") and spec.get("subdomain") == objects.name(service):
        address["hostname"] = spec["hostname"]
    if spec.get("nodeName"):
        address["nodeName"] = spec["nodeName"]
    address["targetRef"] = {
        "kind": "Pod",
        "namespace": objects.namespace(pod),
        "name": objects.name(pod),
        "uid": objects.uid(pod),
    }
    return address


def _ports(service: objects.Object, pod: objects.Object) -> list[_Port]:
    """What the pod offers. A headless service may have no ports: its addresses stand alone."""
    spec = objects.spec(service)
    if not spec.get("ports"):
        return [_NO_PORT] if spec.get("clusterIP") == "None" else []
    return [
        (port["name"], port["port"], port["protocol"], port.get("appProtocol") or "")
        for port in endpoints.resolved_ports(service, pod)
    ]


def _packed(
    addresses: Mapping[_Place, objects.Object], offers: Mapping[_Port, Mapping[_Place, bool]]
) -> list[objects.Object]:
    """One subset for each set of addresses that offers the same ports."""
    together: dict[tuple[tuple[_Place, bool], ...], list[_Port]] = {}
    for port in sorted(offers):
        together.setdefault(tuple(sorted(offers[port].items())), []).append(port)
    result = []
    for places, ports in sorted(together.items(), key=lambda item: (item[1], item[0])):
        subset: dict[str, Any] = {}
        for field, wanted in (("addresses", True), ("notReadyAddresses", False)):
            found = [addresses[place] for place, ready in places if ready is wanted]
            if found:
                subset[field] = found
        told = [_told(port) for port in ports if port is not _NO_PORT]
        if told:
            subset["ports"] = told
        result.append(subset)
    return result


def _told(port: _Port) -> objects.Object:
    name, number, protocol, app_protocol = port
    told: objects.Object = {"name": name} if name else {}
    told |= {"port": number, "protocol": protocol}
    if app_protocol:
        told["appProtocol"] = app_protocol
    return told
