"""Where a port of a Service leads: a host and port, or a port of a pod. Reads the watch cache.

Messages: k8s.io/kube-aggregator and k8s.io/apiserver/pkg/util/proxy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from cluster.api import errors, objects
from cluster.apiserver import codec
from cluster.apiserver.outbound.protocol import Service
from cluster.apiserver.watchcache.cache import WatchCache

_SLICES = "endpointslices.discovery.k8s.io"


@dataclass(frozen=True, slots=True)
class Host:
    """Something that is reached by TCP."""

    name: str
    port: int


@dataclass(frozen=True, slots=True)
class Pod:
    """A port of a pod, which its kubelet reaches."""

    node: str
    namespace: str
    name: str
    uid: str
    port: int


Place = Host | Pod


def resolve(cache: WatchCache, service: Service, random: Random) -> Place:
    """One of the places that serve a port of a Service. errors.NotFound, ServiceUnavailable."""
    entry = cache.get("services", service.namespace, service.name)
    if entry is None:
        raise errors.not_found("services", service.name)
    obj = entry.document()
    spec = objects.spec(obj)
    if spec.get("type") == "ExternalName":
        return Host(spec.get("externalName") or "", service.port)
    port = port_of(obj, service)
    places = list(_places(cache, service, port.get("name") or ""))
    if not places:
        raise errors.ServiceUnavailable(f'no endpoints available for service "{service.name}"')
    return places[random.randrange(len(places))]


def port_of(obj: objects.Object, service: Service) -> objects.Object:
    """The port of a Service object. errors.ServiceUnavailable."""
    for port in objects.spec(obj).get("ports") or ():
        if port.get("port") == service.port:
            return dict(port)
    raise errors.ServiceUnavailable(
        f'no service port {service.port} found for service "{service.name}"'
    )


def _places(cache: WatchCache, service: Service, port: str) -> Iterator[Place]:
    """Ready endpoints of a port (by name), in the order of the slices."""
    prefix = codec.prefix(_SLICES, service.namespace)
    for entry in cache.of(_SLICES).scan(prefix):
        if entry.labels.get("kubernetes.io/service-name") != service.name:
            continue
        obj = entry.document()
        for each in obj.get("ports") or ():
            if (each.get("name") or "") == port and each.get("port"):
                yield from _ready(cache, obj, each["port"], service.namespace)


def _ready(cache: WatchCache, obj: objects.Object, port: int, namespace: str) -> Iterator[Place]:
    for endpoint in obj.get("endpoints") or ():
        if (endpoint.get("conditions") or {}).get("ready") is False:
            continue
        target = endpoint.get("targetRef") or {}
        if target.get("kind") == "Pod":
            pod = cache.get("pods", namespace, target.get("name") or "")
            node = pod.field("spec.nodeName") if pod is not None else ""
            if node:
                uid = target.get("uid") or ""
                yield Pod(node, namespace, target["name"], uid, port)
        elif endpoint.get("addresses"):
            yield Host(endpoint["addresses"][0], port)
