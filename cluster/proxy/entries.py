"""From one Service and its EndpointSlices to the entries of the service table: pure.

Rules: k8s.io/kubernetes/pkg/proxy (CategorizeEndpoints) and the documentation of virtual IPs. An
endpoint that is ready takes traffic; where none is, those do that still serve while they end. Hints
in slices (topology aware routing, spec.trafficDistribution) say which nodes or zones an endpoint is
for; they count for traffic that may go anywhere, where all that are ready have them and one is for
this node, or its zone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import objects
from cluster.pb.cluster.v1 import dataplane_pb2 as pb

SERVICE_NAME: Final = "kubernetes.io/service-name"
HEADLESS: Final = "service.kubernetes.io/headless"
OTHER_PROXY: Final = "service.kubernetes.io/service-proxy-name"

_DEFAULT_AFFINITY_SECONDS: Final = 10800
_LOCAL: Final = "Local"
_FAMILIES: Final = ("IPv4", "IPv6")


@dataclass(frozen=True, slots=True)
class _Found:
    """An endpoint of a port, as a slice has it."""

    address: str
    port: int
    node: str
    ready: bool
    serving: bool
    terminating: bool
    nodes: tuple[str, ...]
    """The nodes that it is for, by its hints."""
    zones: tuple[str, ...]

    @property
    def leaving(self) -> bool:
        """Whether it takes traffic where nothing is ready."""
        return self.serving and self.terminating


@dataclass(frozen=True, slots=True)
class Here:
    """Where the table is for."""

    node: str
    zone: str = ""
    """The node's label topology.kubernetes.io/zone."""
    others: frozenset[str] = frozenset()
    """Nodes that share its data plane: what is on them is local, too."""

    def has(self, node: str) -> bool:
        """Whether what is on a node is local."""
        return node == self.node or node in self.others


def entries(
    service: Mapping[str, Any], slices: Iterable[Mapping[str, Any]], here: Here
) -> list[pb.ServicePort]:
    """The entries of a Service on a node, one a port; none where it has no cluster IP."""
    spec = objects.spec(service)
    if spec.get("type") == "ExternalName" or spec.get("clusterIP") in (None, "", "None"):
        return []
    own = list(slices)
    return [_entry(service, port, own, here) for port in spec.get("ports") or ()]


def is_hinted(one: Mapping[str, Any]) -> bool:
    """Whether what a slice means depends on the zone of the node."""
    return any((entry.get("hints") or {}).get("forZones") for entry in one.get("endpoints") or ())


def _entry(
    service: Mapping[str, Any],
    port: Mapping[str, Any],
    slices: list[Mapping[str, Any]],
    here: Here,
) -> pb.ServicePort:
    spec, status = objects.spec(service), objects.status(service)
    key, name = objects.key(service), port.get("name") or ""
    balancer = (status.get("loadBalancer") or {}).get("ingress") or ()
    entry = pb.ServicePort(
        key=f"{key}:{name}" if name else key,
        namespace=objects.namespace(service),
        name=objects.name(service),
        port_name=name,
        protocol=pb.Protocol.Value(port.get("protocol") or "TCP"),
        cluster_ips=spec.get("clusterIPs") or [spec["clusterIP"]],
        port=port["port"],
        node_port=port.get("nodePort") or 0,
        external_ips=spec.get("externalIPs") or (),
        load_balancer_ips=[
            one["ip"] for one in balancer if one.get("ip") and one.get("ipMode") != "Proxy"
        ],
        load_balancer_source_ranges=spec.get("loadBalancerSourceRanges") or (),
        affinity_seconds=_affinity(spec),
        internal_policy=_policy(spec.get("internalTrafficPolicy")),
        external_policy=_policy(spec.get("externalTrafficPolicy")),
        health_check_node_port=spec.get("healthCheckNodePort") or 0,
    )
    outside = bool(entry.node_port or entry.external_ips or entry.load_balancer_ips)
    found = _endpoints(slices, name, port.get("protocol") or "TCP")
    entry.endpoints.extend(_chosen(found, entry, here, outside=outside))
    return entry


def _affinity(spec: Mapping[str, Any]) -> int:
    if spec.get("sessionAffinity") != "ClientIP":
        return 0
    client = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
    return int(client.get("timeoutSeconds") or _DEFAULT_AFFINITY_SECONDS)


def _policy(text: str | None) -> pb.TrafficPolicy:
    return pb.LOCAL if text == _LOCAL else pb.CLUSTER


def _chosen(
    found: list[_Found], entry: pb.ServicePort, here: Here, *, outside: bool
) -> Iterator[pb.Endpoint]:
    """The endpoints that take traffic on any node, with what they take on this one."""
    everywhere = _takers(found, here)
    local = _takers([one for one in found if here.has(one.node)])
    internal = local if entry.internal_policy == pb.LOCAL else everywhere
    external = local if entry.external_policy == pb.LOCAL else everywhere
    for one in found:
        if one in everywhere or one in local:
            yield pb.Endpoint(
                address=one.address,
                port=one.port,
                node_name=one.node,
                local=here.has(one.node),
                ready=one.ready,
                serving=one.serving,
                terminating=one.terminating,
                internal=one in internal,
                external=outside and one in external,
            )


def _takers(found: Sequence[_Found], here: Here | None = None) -> dict[_Found, None]:
    """Those of `found` that take traffic; with `here` as far as their hints are for it."""
    ready = [one for one in found if one.ready]
    chosen = _hinted(ready, here) if here is not None else []
    return dict.fromkeys(chosen or ready or (one for one in found if one.leaving))


def _hinted(ready: list[_Found], here: Here) -> list[_Found]:
    """Those of the ready ones that are for this node, else for its zone; none: hints say nothing.

    Hints that not all of them have are being written or taken back.
    """
    if all(one.nodes for one in ready):
        near = [one for one in ready if here.node in one.nodes]
        if near:
            return near
    if here.zone and all(one.zones for one in ready):
        return [one for one in ready if here.zone in one.zones]
    return []


def _endpoints(slices: list[Mapping[str, Any]], port_name: str, protocol: str) -> list[_Found]:
    """The endpoints of a port in all slices, each once, sorted by address and port."""
    known: dict[tuple[str, int], _Found] = {}
    for one in slices:
        if one.get("addressType") not in _FAMILIES:
            continue
        for port in one.get("ports") or ():
            number = port.get("port")
            same = (port.get("name") or "", port.get("protocol") or "TCP") == (port_name, protocol)
            if not same or number is None:
                continue
            for endpoint in one.get("endpoints") or ():
                found = _found(endpoint, number)
                before = known.get((found.address, found.port))
                # While an endpoint moves between slices it may be in two: the ready one counts.
                if before is None or not before.ready:
                    known[found.address, found.port] = found
    return [known[where] for where in sorted(known)]


def _found(endpoint: Mapping[str, Any], port: int) -> _Found:
    conditions = endpoint.get("conditions") or {}
    hints = endpoint.get("hints") or {}
    return _Found(
        address=endpoint["addresses"][0],
        port=port,
        node=endpoint.get("nodeName") or "",
        ready=conditions.get("ready") is not False,
        serving=conditions.get("serving") is not False,
        terminating=conditions.get("terminating") is True,
        nodes=tuple(one["name"] for one in hints.get("forNodes") or ()),
        zones=tuple(one["name"] for one in hints.get("forZones") or ()),
    )
