"""Which real ports of the machine lead to a node's services: pure.

A node port is open at the node's own address, and at 127.0.0.1 on the first node that gets it. The
addresses of balancers and external ones are open where the machine has them. A door that leads
nowhere is not opened: of a service without endpoints, and on a node without an endpoint of its own
where only those may answer (externalTrafficPolicy Local). The machine then refuses its clients. A
node would refuse those of the first and drop those of the second, so that they time out; but who
has a real socket has accepted, and a health check of it would tell that the node answers.
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
        if service.health_check_node_port:
            yield Door("tcp", underlay, service.health_check_node_port, node)
        if not _leads_on(service):
            continue
        if service.node_port:
            if underlay != LOCALHOST:
                yield Door(protocol, underlay, service.node_port, node)
            yield Door(protocol, LOCALHOST, service.node_port, node, shared=True)
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


def _leads_on(service: pb.ServicePort) -> bool:
    """Whether who enters here is sent on to somebody."""
    local = service.external_policy == pb.LOCAL
    return any(
        one.external and (one.local or not local) and ":" not in one.address
        for one in service.endpoints
    )
