"""Which real ports of the machine lead to a node's services: pure.

A node port is open at the node's own address, and at 127.0.0.1 on the first node that gets it. The
addresses of balancers and external ones are open where the machine has them. Where only pods of the
node itself may answer (externalTrafficPolicy Local), what nodes share is open on those that have
one, as a balancer's health checks would choose them. A service without any endpoint has no door:
the machine then refuses its clients, as the node would.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from cluster.pb.cluster.v1 import dataplane_pb2 as pb
from cluster.runtime.network.doors import Door

LOCALHOST: Final = "127.0.0.1"
_PROTOCOLS: Final = {pb.TCP: "tcp", pb.UDP: "udp"}


def doors(services: Iterable[pb.ServicePort], node: str, underlay: str) -> Iterator[Door]:
    """The doors of a node with this address, whose real address is `underlay`."""
    for service in services:
        if not _is_entered(service):
            continue
        protocol = _PROTOCOLS.get(service.protocol)
        if protocol is None:
            continue
        shared = service.external_policy != pb.LOCAL or any(
            one.local and one.external for one in service.endpoints
        )
        if service.health_check_node_port:
            yield Door("tcp", underlay, service.health_check_node_port, node)
        if not service.endpoints:
            continue
        if service.node_port:
            if underlay != LOCALHOST:
                yield Door(protocol, underlay, service.node_port, node)
            if shared:
                yield Door(protocol, LOCALHOST, service.node_port, node, shared=True)
        if shared:
            for address in (*service.load_balancer_ips, *service.external_ips):
                if ":" not in address:
                    yield Door(protocol, address, service.port, address, shared=True)


def _is_entered(service: pb.ServicePort) -> bool:
    """Whether it may have doors at all: most have none, and all are asked at every change."""
    return bool(
        service.node_port
        or service.load_balancer_ips
        or service.external_ips
        or service.health_check_node_port
    )
