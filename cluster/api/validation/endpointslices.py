"""EndpointSlice (discovery validation)."""

import ipaddress
from typing import Final

from cluster.api import causes, metadata
from cluster.api.objects import Object
from cluster.api.validation import family, values
from cluster.api.validation.values import Causes

_TYPES: Final = ("FQDN", "IPv4", "IPv6")
MAX_ADDRESSES: Final = 100
MAX_PORTS: Final = 20000
MAX_ENDPOINTS: Final = 1000


def of_new(obj: Object) -> Causes:
    """What is wrong with a slice, new or changed."""
    kind = obj.get("addressType") or ""
    found = values.one_of("addressType", kind, _TYPES)
    return found + _endpoints(obj.get("endpoints") or [], kind) + _ports(obj.get("ports") or [])


def of_update(old: Object, new: Object) -> Causes:
    """What is wrong with a change of a slice."""
    found = of_new(new)
    return found + values.immutable("addressType", old.get("addressType"), new.get("addressType"))


def _endpoints(listed: list[Object], kind: str) -> Causes:
    if len(listed) > MAX_ENDPOINTS:
        return [causes.too_many("endpoints", len(listed), MAX_ENDPOINTS)]
    found: Causes = []
    for index, endpoint in enumerate(listed):
        at, addresses = f"endpoints[{index}]", endpoint.get("addresses") or []
        if not addresses:
            detail = "must contain at least 1 address"
            found.append(causes.required(f"{at}.addresses", detail))
        elif len(addresses) > MAX_ADDRESSES:
            found.append(causes.too_many(f"{at}.addresses", len(addresses), MAX_ADDRESSES))
        for place, address in enumerate(addresses):
            found += _address(f"{at}.addresses[{place}]", address, kind)
        if node := endpoint.get("nodeName"):
            told = metadata.dns1123_subdomain(node)
            found += values.complaints(f"{at}.nodeName", node, told)
        if host := endpoint.get("hostname"):
            found += values.complaints(f"{at}.hostname", host, metadata.dns1123_label(host))
    return found


def _address(path: str, address: str, kind: str) -> Causes:
    if kind == "FQDN":
        return values.complaints(path, address, metadata.dns1123_subdomain(address))
    if kind not in _TYPES:
        return []
    if not values.is_ip(address):
        return [causes.invalid(path, address, values.IP_MESSAGE)]
    if f"IPv{ipaddress.ip_address(address).version}" != kind:
        return [causes.invalid(path, address, f"must be an {kind} address")]
    return []


def _ports(listed: list[Object]) -> Causes:
    if len(listed) > MAX_PORTS:
        return [causes.too_many("ports", len(listed), MAX_PORTS)]
    found: Causes = []
    names: dict[str, None] = {}
    for index, port in enumerate(listed):
        at, name = f"ports[{index}]", port.get("name") or ""
        if name:
            found += values.complaints(f"{at}.name", name, metadata.dns1123_label(name))
        if name in names:
            found.append(causes.duplicate(f"{at}.name", name))
        names[name] = None
        found += values.one_of(f"{at}.protocol", port.get("protocol"), values.PROTOCOLS)
        if "port" in port:
            found += values.port_number(f"{at}.port", port["port"])
    return found


NEW: Final[family.Creates] = {
    "endpointslices.discovery.k8s.io": of_new,
}
UPDATE: Final[family.Updates] = {
    "endpointslices.discovery.k8s.io": of_update,
}
STATUS: Final[family.Updates] = {}
OTHER: Final[family.Others] = {}
