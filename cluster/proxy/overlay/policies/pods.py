"""What a policy can ask of a pod: pure."""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import objects

_OVER: Final = ("Succeeded", "Failed")
"""Phases in which a pod has let its address go."""

PortName = tuple[str, str]
"""A protocol (TCP, UDP, SCTP) and the name of a port."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that has an address of its own. `ports` are those of its containers that have names."""

    key: str
    namespace: str
    labels: Mapping[str, str]
    node: str
    address: str
    ports: Mapping[PortName, int]


def of(obj: Mapping[str, Any]) -> Pod | None:
    """None for a pod that policies are not about: it has no IPv4 address (yet, or any more), or
    that of its node.
    """
    spec, status = objects.spec(obj), objects.status(obj)
    if spec.get("hostNetwork") or status.get("phase") in _OVER:
        return None
    address = _address(status)
    if not address:
        return None
    return Pod(
        key=objects.key(obj),
        namespace=objects.namespace(obj),
        labels=objects.labels(obj),
        node=spec.get("nodeName") or "",
        address=address,
        ports=dict(_named_ports(spec)),
    )


def _address(status: Mapping[str, Any]) -> str:
    """The pod's IPv4 address: the overlay carries no other."""
    known = [entry.get("ip") or "" for entry in status.get("podIPs") or ()]
    for text in known or [status.get("podIP") or ""]:
        if text and is_ipv4(text):
            return str(text)
    return ""


def is_ipv4(text: str) -> bool:
    """Whether a text is an IPv4 address."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _named_ports(spec: Mapping[str, Any]) -> Iterator[tuple[PortName, int]]:
    """The named ports of containers and of sidecars."""
    sidecars = (one for one in spec.get("initContainers") or () if one.get("restartPolicy"))
    for container in (*(spec.get("containers") or ()), *sidecars):
        for port in container.get("ports") or ():
            if port.get("name"):
                yield (port.get("protocol") or "TCP", port["name"]), port["containerPort"]
