"""Which container of a pod is meant, and on which node it is. Pure.

Source: pkg/registry/core/pod/strategy.go of kubernetes. The annotation for a default container is
not the server's business: kubectl reads it.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from cluster.api import errors, objects
from cluster.pb.cluster.v1 import kubelet_pb2 as pb


@dataclass(frozen=True, slots=True)
class Request:
    """`[scheme:]name[:port]`, as proxies name pods, services and nodes."""

    scheme: str
    name: str
    port: str


def request(text: str) -> Request | None:
    """SplitSchemeNamePort of k8s.io/apimachinery; None where it is nothing of the kind."""
    parts = text.split(":")
    match parts:
        case [name]:
            found = Request("", name, "")
        case [name, port]:
            found = Request("", name, port)
        case [scheme, name, port]:
            found = Request(scheme, name, port)
        case _:
            return None
    if not found.name or found.scheme not in ("", "http", "https"):
        return None
    return found


def container(pod: objects.Object, wanted: str) -> str:
    """The container meant by `wanted`, "" for the only one. errors.BadRequest."""
    name, spec = pod["metadata"]["name"], pod.get("spec", {})
    names = list(_containers(spec))
    if wanted:
        if wanted not in names:
            raise errors.BadRequest(f"container {wanted} is not valid for pod {name}")
        return wanted
    plain = spec.get("containers") or []
    if len(plain) == 1:
        return str(plain[0]["name"])
    why = f"a container name must be specified for pod {name}"
    if plain:
        why += f", choose one of: [{' '.join(names)}]"
    raise errors.BadRequest(why)


def node_name(pod: objects.Object) -> str:
    """The node of a pod. errors.BadRequest where it has none yet."""
    found = pod.get("spec", {}).get("nodeName")
    if not found:
        name = pod["metadata"]["name"]
        raise errors.BadRequest(f"pod {name} does not have a host assigned")
    return str(found)


def reference(pod: objects.Object, container: str) -> pb.ContainerRef:
    """A container, as a kubelet is told of it."""
    metadata = pod["metadata"]
    return pb.ContainerRef(
        node=pod["spec"]["nodeName"],
        namespace=metadata["namespace"],
        pod=metadata["name"],
        uid=metadata.get("uid", ""),
        container=container,
    )


def address(pod: objects.Object) -> str:
    """The pod's IP, where a proxy may go there. errors.BadRequest."""
    found = str((pod.get("status") or {}).get("podIP") or "")
    if not proxyable(found):
        raise errors.BadRequest("address not allowed")
    return found


def proxyable(address: str) -> bool:
    """Whether it is an address that a proxy goes to: IsGlobalUnicast of Go's net."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    barred = ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified
    return not barred and str(ip) != "255.255.255.255"


def first_port(pod: objects.Object) -> int:
    """The first port that a container declares; 80 where none does."""
    for each in pod.get("spec", {}).get("containers") or []:
        for port in each.get("ports") or []:
            return int(port["containerPort"])
    return 80


def _containers(spec: objects.Object) -> Iterator[str]:
    """The names of all containers: init, plain, ephemeral (VisitContainers)."""
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for each in spec.get(kind) or []:
            yield str(each["name"])
