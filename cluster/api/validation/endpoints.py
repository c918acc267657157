"""Endpoints (core validation)."""

import ipaddress
from typing import Final

from cluster.api import causes, metadata
from cluster.api.objects import Object
from cluster.api.validation import family, values
from cluster.api.validation.values import Causes


def of_new(obj: Object) -> Causes:
    """What is wrong with Endpoints, new or changed."""
    found: Causes = []
    for index, subset in enumerate(obj.get("subsets") or ()):
        found += _subset(f"subsets[{index}]", subset)
    return found


def _subset(path: str, subset: Object) -> Causes:
    found: Causes = []
    if not subset.get("addresses") and not subset.get("notReadyAddresses"):
        detail = "must specify `addresses` or `notReadyAddresses`"
        found.append(causes.required(path, detail))
    for field in ("addresses", "notReadyAddresses"):
        for index, address in enumerate(subset.get(field) or ()):
            found += _address(f"{path}.{field}[{index}]", address)
    ports = subset.get("ports") or []
    for index, port in enumerate(ports):
        found += _port(f"{path}.ports[{index}]", port, several=len(ports) > 1)
    return found


def _address(path: str, address: Object) -> Causes:
    text = address.get("ip") or ""
    found = values.ip(f"{path}.ip", text)
    if host := address.get("hostname"):
        found += values.complaints(f"{path}.hostname", host, metadata.dns1123_label(host))
    node = address.get("nodeName")
    if node is not None:
        found += values.complaints(f"{path}.nodeName", node, metadata.dns1123_subdomain(node))
    return found or special(f"{path}.ip", text)


def special(path: str, text: str) -> Causes:
    """An address that cannot be an endpoint's: it means something else on every machine."""
    address = ipaddress.ip_address(text)
    found: Causes = []
    if address.is_unspecified:
        detail = "may not be unspecified (0.0.0.0 or ::)"
        found.append(causes.invalid(path, text, detail))
    if _loopback(address):
        detail = "may not be in the loopback range (127.0.0.0/8, ::1/128)"
        found.append(causes.invalid(path, text, detail))
    if address.is_link_local:
        detail = "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
        found.append(causes.invalid(path, text, detail))
    if _link_local_multicast(address):
        detail = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        found.append(causes.invalid(path, text, detail))
    return found


_LOOPBACK: Final = (ipaddress.ip_network("127.0.0.0/16"), ipaddress.ip_network("::1"))
# The rest of 127.0.0.0/8 are the nodes of clusters on this machine (docs/design.md).
_MULTICAST: Final = (ipaddress.ip_network("224.0.0.0/24"), ipaddress.ip_network("ff02::/16"))


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


def _loopback(address: _Address) -> bool:
    return _within(address, _LOOPBACK)


def _link_local_multicast(address: _Address) -> bool:
    return _within(address, _MULTICAST)


def _within(address: _Address, networks: _Networks) -> bool:
    return any(address.version == net.version and address in net for net in networks)


def _port(path: str, port: Object, *, several: bool) -> Causes:
    found: Causes = []
    name = port.get("name") or ""
    if name:
        found += values.complaints(f"{path}.name", name, metadata.dns1123_label(name))
    elif several:
        found.append(causes.required(f"{path}.name"))
    found += values.port_number(f"{path}.port", port.get("port") or 0)
    found += values.one_of(f"{path}.protocol", port.get("protocol"), values.PROTOCOLS)
    if protocol := port.get("appProtocol"):
        told = metadata.qualified_name(protocol)
        found += values.complaints(f"{path}.appProtocol", protocol, told)
    return found


NEW: Final[family.Creates] = {"endpoints": of_new}
UPDATE: Final[family.Updates] = {"endpoints": lambda old, new: of_new(new)}
STATUS: Final[family.Updates] = {}
OTHER: Final[family.Others] = {}
