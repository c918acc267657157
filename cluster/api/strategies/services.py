"""Service: clusterIP and clusterIPs agree, families are told, and an update keeps allocations.

Source: pkg/registry/core/service (strategy.go, storage/alloc.go). Allocating addresses and node
ports is the server's, which knows what is free.
"""

from collections.abc import Mapping
from typing import Final

from cluster.api import metadata
from cluster.api.objects import Object
from cluster.api.strategies.strategy import Strategy

_WITH_ADDRESS: Final = ("ClusterIP", "NodePort", "LoadBalancer")
_WITH_NODE_PORTS: Final = ("NodePort", "LoadBalancer")


def on_create(obj: Object) -> None:
    """An empty status, one family, and clusterIPs that agree with clusterIP."""
    obj["status"] = {"loadBalancer": {}}
    _normalize(obj.get("spec") or {})


def on_update(old: Object, new: Object) -> None:
    """Carry over what was allocated and the new object leaves out."""
    before, after = old.get("spec") or {}, new.setdefault("spec", {})
    if before.get("type") in _WITH_ADDRESS and after.get("type") in _WITH_ADDRESS:
        if not after.get("clusterIP") and not after.get("clusterIPs"):
            for field in ("clusterIP", "clusterIPs"):
                if before.get(field):
                    after[field] = before[field]
        for field in ("ipFamilies", "ipFamilyPolicy"):
            if not after.get(field) and before.get(field):
                after[field] = before[field]
    if before.get("type") in _WITH_NODE_PORTS and after.get("type") in _WITH_NODE_PORTS:
        _carry_node_ports(before, after)
    if after.get("type") == "ExternalName":
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if after.get(field) == before.get(field):
                after.pop(field, None)
    _normalize(after)


def _carry_node_ports(before: Object, after: Object) -> None:
    known = {
        (port.get("protocol"), port.get("port")): port["nodePort"]
        for port in before.get("ports") or ()
        if port.get("nodePort")
    }
    taken = {port.get("nodePort") for port in after.get("ports") or ()}
    for port in after.get("ports") or ():
        kept = known.get((port.get("protocol"), port.get("port")))
        if not port.get("nodePort") and kept and kept not in taken:
            port["nodePort"] = kept
    if not after.get("healthCheckNodePort") and before.get("healthCheckNodePort"):
        after["healthCheckNodePort"] = before["healthCheckNodePort"]


def _normalize(spec: Object) -> None:
    if spec.get("type") not in _WITH_ADDRESS:
        return
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    if not spec.get("ipFamilies"):
        spec["ipFamilies"] = ["IPv6" if ":" in (spec.get("clusterIP") or "") else "IPv4"]
    spec["ipFamilyPolicy"] = spec.get("ipFamilyPolicy") or "SingleStack"


BY_RESOURCE: Final[Mapping[str, Strategy]] = {
    "services": Strategy(
        name_rule=metadata.dns1035_label,
        generations=False,
        on_create=on_create,
        on_update=on_update,
        create_on_update=True,
    ),
}
