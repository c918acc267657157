"""From a Service and its pods to endpoints, grouped by the ports they serve.

Source: the EndpointSlices page of the Kubernetes documentation, and KEP-1672 for the conditions
ready, serving and terminating.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from cluster.api import objects
from cluster.controllers import podstate

Zone = Callable[[str], str | None]
"""The zone of a node, by its name; "" where it has none, None where there is no such node."""

_canonical = msgspec.json.Encoder(order="deterministic").encode


@dataclass(slots=True)
class PortGroup:
    """Endpoints that serve the same ports, by their `identity`."""

    address_type: str
    ports: list[objects.Object]
    endpoints: dict[str, objects.Object] = field(default_factory=dict)


def group_key(address_type: str, ports: Sequence[objects.Object]) -> str:
    """What identifies a group: its address type and ports, whatever fields are written out."""
    facts = [
        (p.get("name") or "", p.get("port"), p.get("protocol") or "TCP", p.get("appProtocol"))
        for p in ports
    ]
    return address_type + _canonical(facts).decode()


def desired(
    service: objects.Object, pods: Iterable[objects.Object], zone: Zone
) -> dict[str, PortGroup]:
    """The endpoints that a Service should have, by `group_key`. `pods` match its selector.

    A pod whose node is not there is none, unless the Service publishes whatever it selects.
    """
    groups: dict[str, PortGroup] = {}
    families = address_types(service)
    everything = bool(objects.spec(service).get("publishNotReadyAddresses"))
    for pod in pods:
        if not belongs(pod) or not (everything or is_placed(pod, zone)):
            continue
        ports = resolved_ports(service, pod)
        for address_type in families:
            address = address_of(pod, address_type)
            if not address:
                continue
            key = group_key(address_type, ports)
            group = groups.setdefault(key, PortGroup(address_type, ports))
            entry = endpoint(service, pod, address, zone)
            group.endpoints[identity(entry)] = entry
    return groups


def identity(entry: objects.Object) -> str:
    """What tells an endpoint from others, whatever else changes about it: address and object."""
    address = next(iter(entry.get("addresses") or ()), "")
    return f"{address} {(entry.get('targetRef') or {}).get('uid', '')}"


def address_types(service: objects.Object) -> list[str]:
    """`IPv4` and `IPv6` as the service's families say; IPv4 where they say nothing."""
    families = objects.spec(service).get("ipFamilies") or ["IPv4"]
    return [family for family in families if family in ("IPv4", "IPv6")]


def belongs(pod: objects.Object) -> bool:
    """Whether the pod has a place in a slice: it has an address and is not finished.

    Terminating pods stay until they are gone, with the condition `terminating`.
    """
    status = objects.status(pod)
    if not (status.get("podIP") or status.get("podIPs")):
        return False
    return not podstate.is_finished(pod)


def is_placed(pod: objects.Object, zone: Zone) -> bool:
    """Whether the pod's node is there."""
    return zone(objects.spec(pod).get("nodeName") or "") is not None


def changed(old: objects.Object | None, new: objects.Object | None) -> bool:
    """Whether a pod's change can show in a slice. Most changes of a pod cannot."""
    if old is None or new is None:
        return belongs(new if new is not None else old or {})
    return _visible(old) != _visible(new)


def _visible(pod: objects.Object) -> tuple[object, ...]:
    if not belongs(pod):
        return (objects.labels(pod),)
    spec, status = objects.spec(pod), objects.status(pod)
    return (
        objects.labels(pod),
        status.get("podIP"),
        status.get("podIPs"),
        spec.get("nodeName"),
        podstate.is_ready(pod),
        objects.deleting(pod),
        spec.get("hostname"),
        spec.get("subdomain"),
        objects.uid(pod),
    )


def endpoint(
    service: objects.Object, pod: objects.Object, address: str, zone: Zone
) -> objects.Object:
    """One entry of a slice."""
    spec = objects.spec(pod)
    serving = podstate.is_ready(pod)
    terminating = objects.deleting(pod)
    published = bool(objects.spec(service).get("publishNotReadyAddresses"))
    result: objects.Object = {
        "addresses": [address],
        "conditions": {
            "ready": published or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
    }
    if spec.get("hostname") and spec.get("subdomain") == objects.name(service):
        result["hostname"] = spec["hostname"]
    result["targetRef"] = {
        "kind": "Pod",
        "namespace": objects.namespace(pod),
        "name": objects.name(pod),
        "uid": objects.uid(pod),
    }
    node = spec.get("nodeName")
    if node:
        result["nodeName"] = node
        where = zone(node)
        if where:
            result["zone"] = where
    return result


def resolved_ports(service: objects.Object, pod: objects.Object) -> list[objects.Object]:
    """The service's ports as this pod serves them; a named port that it lacks is left out."""
    result = []
    for port in objects.spec(service).get("ports") or ():
        number = _target(port, pod)
        if number is None:
            continue
        resolved: objects.Object = {
            "name": port.get("name") or "",
            "port": number,
            "protocol": port.get("protocol") or "TCP",
        }
        if port.get("appProtocol"):
            resolved["appProtocol"] = port["appProtocol"]
        result.append(resolved)
    return result


def _target(port: objects.Object, pod: objects.Object) -> int | None:
    target = port.get("targetPort") or port.get("port")
    if not isinstance(target, str):
        return int(target) if target else None
    if target.isdigit():
        return int(target)
    protocol = port.get("protocol") or "TCP"
    for container in _long_running(objects.spec(pod)):
        for own in container.get("ports") or ():
            if own.get("name") == target and (own.get("protocol") or "TCP") == protocol:
                return int(own["containerPort"])
    return None


def _long_running(spec: objects.Object) -> Iterable[objects.Object]:
    """The containers that serve: the regular ones, and init containers that keep running."""
    yield from spec.get("containers") or ()
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            yield container


def address_of(pod: objects.Object, address_type: str) -> str:
    """The pod's address of a family (`IPv4`, `IPv6`); "" where it has none."""
    status = objects.status(pod)
    addresses = [entry.get("ip", "") for entry in status.get("podIPs") or ()]
    for address in addresses or [status.get("podIP") or ""]:
        # The API checked the addresses; only an IPv6 one has colons.
        if address and ("IPv6" if ":" in address else "IPv4") == address_type:
            return str(address)
    return ""
