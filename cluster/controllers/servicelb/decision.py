"""Who wants a load balancer, and which changes of a Service are news to it. Pure.

Source: k8s.io/cloud-provider, controllers/service.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from cluster.api import conditions, objects

FINALIZER: Final = "service.kubernetes.io/load-balancer-cleanup"
EXCLUDED: Final = "node.kubernetes.io/exclude-from-external-load-balancers"
_TYPE: Final = "LoadBalancer"
_PORT: Final = ("name", "protocol", "port", "nodePort", "targetPort")

News = tuple[str, str]
"""Reason and message of an event."""


def wants(service: objects.Object) -> bool:
    """Whether a Service is to have one of ours: a class says that somebody else sees to it."""
    spec = objects.spec(service)
    return spec.get("type") == _TYPE and not spec.get("loadBalancerClass")


def is_ours(service: objects.Object) -> bool:
    """Whether it has one, or has had one that is still to be cleaned up."""
    return FINALIZER in (objects.meta(service).get("finalizers") or ())


def needs_cleanup(service: objects.Object) -> bool:
    """Whether its balancer is to be taken away."""
    gone = objects.deleting(service) or objects.spec(service).get("type") != _TYPE
    return is_ours(service) and gone


def addresses(service: objects.Object) -> list[str]:
    """Those that its status tells."""
    balancer = objects.status(service).get("loadBalancer") or {}
    return [one["ip"] for one in balancer.get("ingress") or () if one.get("ip")]


def families(service: objects.Object) -> list[str]:
    """Those that its balancer must have, the first of them in the first place."""
    return objects.spec(service).get("ipFamilies") or ["IPv4"]


def news(old: objects.Object, new: objects.Object) -> list[News] | None:
    """What an update changed that a balancer must hear of, None for nothing; some is told."""
    if not wants(old) and not wants(new):
        return None
    before, after = objects.spec(old), objects.spec(new)
    told = list(_told(before, after, wants(old) != wants(new)))
    if told:
        return told[:1]
    same = (
        _ports(before) == _ports(after)
        and before.get("sessionAffinity") == after.get("sessionAffinity")
        and before.get("sessionAffinityConfig") == after.get("sessionAffinityConfig")
        and objects.annotations(old) == objects.annotations(new)
    )
    return None if same else []


def _told(before: Mapping[str, Any], after: Mapping[str, Any], turned: bool) -> Iterator[News]:
    if turned:
        yield "Type", f"{before.get('type')} -> {after.get('type')}"
    ranges = [_list(spec.get("loadBalancerSourceRanges")) for spec in (before, after)]
    if ranges[0] != ranges[1]:
        yield "LoadBalancerSourceRanges", f"{ranges[0]} -> {ranges[1]}"
    for field, reason in (
        ("loadBalancerIP", "LoadbalancerIP"),
        ("externalTrafficPolicy", "ExternalTrafficPolicy"),
        ("healthCheckNodePort", "HealthCheckNodePort"),
    ):
        if before.get(field) != after.get(field):
            empty = 0 if field == "healthCheckNodePort" else ""
            yield reason, f"{before.get(field, empty)} -> {after.get(field, empty)}"
    outer = [spec.get("externalIPs") or [] for spec in (before, after)]
    if len(outer[0]) != len(outer[1]):
        yield "ExternalIP", f"Count: {len(outer[0])} -> {len(outer[1])}"
    for old, new in zip(*outer, strict=False):
        if old != new:
            yield "ExternalIP", f"Added: {new}"


def _list(items: Iterable[str] | None) -> str:
    """As Go writes a list of texts."""
    return f"[{' '.join(items or ())}]"


def _ports(spec: Mapping[str, Any]) -> list[list[Any]]:
    return [[port.get(field) for field in _PORT] for port in spec.get("ports") or ()]


def takes_traffic(node: objects.Object) -> bool:
    """Whether a balancer sends to a node."""
    return EXCLUDED not in objects.labels(node) and conditions.is_true(node, "Ready")
