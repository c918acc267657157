"""Which pod and port a proxied service leads to. Pure.

Source: ResourceLocation in pkg/registry/core/service/storage of kubernetes, over EndpointSlices.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cluster.api import errors, objects


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A pod of the service's namespace, and its port."""

    pod: str
    uid: str
    port: int


def port_name(service: objects.Object, wanted: str) -> str:
    """The name of a service's port that is given by number or name. errors.ServiceUnavailable."""
    if not (wanted.isascii() and wanted.isdigit()):
        return wanted
    name = service["metadata"]["name"]
    for port in service.get("spec", {}).get("ports") or []:
        if str(port.get("port")) == wanted.lstrip("0"):
            return str(port.get("name", ""))
    raise errors.ServiceUnavailable(f'no service port {wanted} found for service "{name}"')


def ready(slices: Iterable[objects.Object], namespace: str, port: str) -> list[Endpoint]:
    """The pods that serve a port (by name) and are ready, in the order of the slices.

    What is no pod of the same namespace is left out, as kube-apiserver leaves it out.
    """
    return list(dict.fromkeys(_ready(slices, namespace, port)))


def _ready(slices: Iterable[objects.Object], namespace: str, port: str) -> Iterator[Endpoint]:
    for each in slices:
        numbers = [
            found["port"]
            for found in each.get("ports") or []
            if (found.get("name") or "") == port and found.get("port")
        ]
        if not numbers:
            continue
        for endpoint in each.get("endpoints") or []:
            target = endpoint.get("targetRef") or {}
            is_ready = (endpoint.get("conditions") or {}).get("ready")
            if is_ready is False or target.get("kind") != "Pod":
                continue
            if target.get("namespace", namespace) == namespace and target.get("name"):
                yield Endpoint(target["name"], target.get("uid", ""), int(numbers[0]))
