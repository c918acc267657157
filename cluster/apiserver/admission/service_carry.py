"""What an update of a Service keeps of what was allocated to it, and what it lets go. Pure.

Rules: patchAllocatedValues and dropTypeDependentFields in pkg/registry/core/service of Kubernetes.
The new spec is as the user sent it: it may hold anything.
"""

from typing import Any

from cluster.api.objects import Object


def has_ip(spec: Object) -> bool:
    """Whether a Service of this spec has a cluster IP (or is headless)."""
    return spec.get("type", "ClusterIP") in ("ClusterIP", "NodePort", "LoadBalancer")


def has_node_ports(spec: Object) -> bool:
    """Whether its ports have node ports."""
    return spec.get("type") in ("NodePort", "LoadBalancer")


def has_health_check(spec: Object) -> bool:
    """Whether it has a health check's node port."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def carried(old: Object, spec: Object) -> Object:
    """The new spec (changed in place) with what the old one was given and it still needs."""
    _carry_ip(old, spec)
    same_check = spec.get("healthCheckNodePort") in (None, old.get("healthCheckNodePort"))
    if has_health_check(spec):
        if has_health_check(old) and not spec.get("healthCheckNodePort"):
            spec["healthCheckNodePort"] = old.get("healthCheckNodePort")
    elif same_check:
        spec.pop("healthCheckNodePort", None)
    if not has_node_ports(spec) and not spec.get("externalIPs"):
        _drop_same(old, spec, "externalTrafficPolicy")
    if spec.get("type") != "LoadBalancer":
        _drop_same(old, spec, "allocateLoadBalancerNodePorts", "loadBalancerClass")
    ports = spec.get("ports")
    if isinstance(ports, list):
        spec["ports"] = _carried_ports(old, spec, ports)
    return spec


def _drop_same(old: Object, spec: Object, *fields: str) -> None:
    """Drop what the user did not change and the new type cannot have."""
    for field in fields:
        if field in spec and spec[field] == old.get(field):
            del spec[field]


def _carry_ip(old: Object, spec: Object) -> None:
    if not has_ip(spec):
        _drop_same(old, spec, "clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
        return
    if not has_ip(old):
        return
    if not spec.get("clusterIP"):
        spec["clusterIP"] = old.get("clusterIP", "")
    elif spec["clusterIP"] != old.get("clusterIP") and _same(spec, old, "clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"], *spec["clusterIPs"][1:]]  # the one means both
    if not spec.get("clusterIPs") and spec["clusterIP"] == old.get("clusterIP"):
        spec["clusterIPs"] = old.get("clusterIPs") or [spec["clusterIP"]]
    for field in ("ipFamilies", "ipFamilyPolicy"):
        if field in old and not spec.get(field):
            spec[field] = old[field]


def _same(spec: Object, old: Object, field: str) -> bool:
    return bool(spec.get(field)) and spec[field] == old.get(field)


def _carried_ports(old: Object, spec: Object, ports: list[Any]) -> list[Any]:
    before = {
        (port.get("protocol", "TCP"), port.get("port")): port["nodePort"]
        for port in old.get("ports") or ()
        if port.get("nodePort")
    }
    return [_carried_port(before, spec, port) for port in ports]


def _carried_port(before: dict[tuple[str, int], int], spec: Object, port: Any) -> Any:
    if not isinstance(port, dict):
        return port
    protocol, number = port.get("protocol", "TCP"), port.get("port")
    if not isinstance(protocol, str) or not isinstance(number, int):
        return port
    held, said = before.get((protocol, number)), port.get("nodePort")
    if has_node_ports(spec) and not said and held:
        return port | {"nodePort": held}
    if not has_node_ports(spec) and said and said == held:
        return {field: value for field, value in port.items() if field != "nodePort"}
    return port
