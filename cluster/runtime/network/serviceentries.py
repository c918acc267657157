"""The service table's messages as entries of the core."""

from collections.abc import Iterable
from typing import Final

from cluster.network.stack.nat.services import Backend, Entry
from cluster.network.wire import addresses, ipv4
from cluster.pb.cluster.v1 import dataplane_pb2 as pb

_PROTOCOLS: Final = {pb.TCP: ipv4.TCP, pb.UDP: ipv4.UDP}


def entry(service: pb.ServicePort) -> Entry | None:
    """The entry of one port; None for protocols that the overlay does not translate. What is of
    IPv6 is left out: the overlay does not carry it.
    """
    protocol = _PROTOCOLS.get(service.protocol)
    if protocol is None:
        return None
    return Entry(
        key=service.key,
        protocol=protocol,
        cluster_ips=_numbers(service.cluster_ips),
        port=service.port,
        node_port=service.node_port,
        external_ips=_numbers(service.external_ips),
        load_balancer_ips=_numbers(service.load_balancer_ips),
        source_ranges=tuple(
            addresses.prefix(one) for one in service.load_balancer_source_ranges if ":" not in one
        ),
        affinity_seconds=service.affinity_seconds,
        internal_local=service.internal_policy == pb.LOCAL,
        external_local=service.external_policy == pb.LOCAL,
        health_check_node_port=service.health_check_node_port,
        endpoints=tuple(_backend(one) for one in service.endpoints if ":" not in one.address),
    )


def _backend(one: pb.Endpoint) -> Backend:
    return Backend(
        addresses.parse(one.address), one.port, one.local, one.ready, one.serving,
        one.terminating, one.internal, one.external,
    )  # fmt: skip


def _numbers(texts: Iterable[str]) -> tuple[int, ...]:
    return tuple(addresses.parse(one) for one in texts if ":" not in one)
