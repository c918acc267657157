"""NetworkPolicy, ServiceCIDR and IPAddress (pkg/apis/networking/validation)."""

from typing import Any, Final

from cluster.api import causes, metadata
from cluster.api.objects import Object
from cluster.api.validation import cidrs, family, selectors, values
from cluster.api.validation.values import Causes

_GROUP: Final = "networking.k8s.io"
_TYPES: Final = ("Egress", "Ingress")
_PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
_MAX_RANGES: Final = 2


def network_policy(obj: Object) -> Causes:
    """What is wrong with a network policy."""
    spec = obj.get("spec") or {}
    found = selectors.label_selector("spec.podSelector", spec.get("podSelector") or {})
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            at = f"spec.{direction}[{index}]"
            for place, port in enumerate(rule.get("ports") or ()):
                found += _port(f"{at}.ports[{place}]", port)
            for place, peer in enumerate(rule.get(peers) or ()):
                found += _peer(f"{at}.{peers}[{place}]", peer)
    types = spec.get("policyTypes") or []
    if len(types) > len(_TYPES):
        detail = "may not specify more than two policyTypes"
        found.append(causes.invalid("spec.policyTypes", types, detail))
        return found
    for index, kind in enumerate(types):
        if kind not in _TYPES:
            found.append(causes.not_supported(f"spec.policyTypes[{index}]", kind, _TYPES))
    return found


def _port(path: str, port: Object) -> Causes:
    found: Causes = []
    protocol, number, end = port.get("protocol"), port.get("port"), port.get("endPort")
    if protocol is not None and protocol not in _PROTOCOLS:
        found.append(causes.not_supported(f"{path}.protocol", protocol, _PROTOCOLS))
    if number is None:
        if end is not None:
            detail = "may not be specified when `port` is not specified"
            found.append(causes.invalid(f"{path}.endPort", end, detail))
        return found
    if isinstance(number, str):
        if end is not None:
            detail = "may not be specified when `port` is non-numeric"
            found.append(causes.invalid(f"{path}.endPort", end, detail))
        return found + values.complaints(f"{path}.port", number, values.port_name(number))
    found += values.port_number(f"{path}.port", number)
    if end is not None:
        if end < number:
            detail = "must be greater than or equal to `port`"
            found.append(causes.invalid(f"{path}.endPort", end, detail))
        found += values.port_number(f"{path}.endPort", end)
    return found


def _peer(path: str, peer: Object) -> Causes:
    found: Causes = []
    for field in ("podSelector", "namespaceSelector"):
        if field in peer:
            found += selectors.label_selector(f"{path}.{field}", peer[field])
    if "ipBlock" in peer:
        found += _block(f"{path}.ipBlock", peer["ipBlock"])
    named = [field for field in ("podSelector", "namespaceSelector", "ipBlock") if field in peer]
    if not named:
        found.append(causes.required(path, "must specify a peer"))
    elif len(named) > 1 and "ipBlock" in named:
        detail = "may not specify both ipBlock and another peer"
        found.append(causes.forbidden(path, detail))
    return found


def _block(path: str, block: Object) -> Causes:
    text = block.get("cidr") or ""
    if not text:
        return [causes.required(f"{path}.cidr")]
    outer = cidrs.network(text)
    if outer is None:
        return cidrs.legacy(f"{path}.cidr", text)
    found: Causes = []
    for index, each in enumerate(block.get("except") or ()):
        at, inner = f"{path}.except[{index}]", cidrs.network(each)
        if inner is None:
            found += cidrs.legacy(at, each)
        elif not _strictly_within(inner, outer):
            found.append(causes.invalid(at, each, "must be a strict subset of `cidr`"))
    return found


def _strictly_within(inner: cidrs.Network, outer: cidrs.Network) -> bool:
    same = inner.version == outer.version
    return same and inner.network_address in outer and inner.prefixlen > outer.prefixlen


def ip_address(obj: Object) -> Causes:
    """What is wrong with an IPAddress, its name apart."""
    parent = (obj.get("spec") or {}).get("parentRef")
    path = "spec.parentRef"
    if parent is None:
        return [causes.required(path)]
    found: Causes = []
    if group := parent.get("group"):
        found += values.complaints(f"{path}.group", group, metadata.dns1123_subdomain(group))
    for field in ("resource", "name", "namespace"):
        text = parent.get(field) or ""
        if text:
            found += values.complaints(f"{path}.{field}", text, metadata.path_segment(text))
        elif field != "namespace":
            found.append(causes.required(f"{path}.{field}"))
    return found


def ip_address_update(old: Object, new: Object) -> Causes:
    """What is wrong with a changed IPAddress: its parent stays."""
    was, now = ((obj.get("spec") or {}).get("parentRef") for obj in (old, new))
    return values.immutable("spec.parentRef", was, now)


def _ranges(obj: Object) -> list[Any]:
    return (obj.get("spec") or {}).get("cidrs") or []


def service_cidr(obj: Object) -> Causes:
    """What is wrong with a ServiceCIDR."""
    path, listed = "spec.cidrs", _ranges(obj)
    if not listed:
        return [causes.required(path, "at least one CIDR required")]
    if len(listed) > _MAX_RANGES:
        return [causes.invalid(path, {"cidrs": listed}, "may only hold up to 2 values")]
    found: Causes = []
    for index, text in enumerate(listed):
        found += cidrs.strict(f"{path}[{index}]", text)
    versions = [known.version for known in map(cidrs.network, listed) if known is not None]
    if len(versions) == _MAX_RANGES and len(set(versions)) == 1:
        detail = (
            "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and "
            "2001:db8::/64"
        )
        found.append(causes.invalid(path, listed, detail))
    return found


def service_cidr_update(old: Object, new: Object) -> Causes:
    """What is wrong with a changed ServiceCIDR: it may only gain a second family."""
    was, now = _ranges(old), _ranges(new)
    path = "spec.cidrs"
    if len(was) == len(now):
        return [
            causes.invalid(f"{path}[{index}]", text, values.IMMUTABLE)
            for index, text in enumerate(now)
            if text != was[index]
        ]
    if len(was) == 1 and len(now) == _MAX_RANGES:
        found = values.immutable(f"{path}[0]", was[0], now[0])
        return found + service_cidr(new)
    return [causes.invalid(path, now, values.IMMUTABLE)]


NEW: Final[family.Creates] = {
    f"ipaddresses.{_GROUP}": ip_address,
    f"networkpolicies.{_GROUP}": network_policy,
    f"servicecidrs.{_GROUP}": service_cidr,
}
UPDATE: Final[family.Updates] = {
    f"ipaddresses.{_GROUP}": ip_address_update,
    f"networkpolicies.{_GROUP}": lambda old, new: network_policy(new),
    f"servicecidrs.{_GROUP}": service_cidr_update,
}
STATUS: Final[family.Updates] = {}
OTHER: Final[family.Others] = {}
