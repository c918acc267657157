"""What the node's agent programs, as terms of the cores: peers, policies, sets of addresses.

All is converted before any of it is carried out: ValueError with a sentence for what cannot be.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from cluster.network.stack.nat.filter import Block, Filter, Policy, Ports, Rule
from cluster.network.stack.peers import CABLE_PORT, Peer
from cluster.network.wire import addresses, ipv4, vxlan
from cluster.pb.cluster.v1 import dataplane_pb2
from cluster.pb.cluster.v1 import overlay_pb2 as pb

if TYPE_CHECKING:
    from cluster.runtime.overlay import Tables

_SCTP: Final = 132
_PROTOCOLS: Final = {
    dataplane_pb2.TCP: ipv4.TCP,
    dataplane_pb2.UDP: ipv4.UDP,
    dataplane_pb2.SCTP: _SCTP,
}
_LAST_PORT: Final = 65535


def peer(one: pb.Peer) -> Peer:
    """Another node."""
    for port in (one.vxlan_port, one.cable_port):
        if port > _LAST_PORT:
            raise ValueError(f"peer {one.name}: {port} is no port")
    if one.host:
        addresses.parse(one.host)
    return Peer(
        name=one.name,
        public=addresses.parse(one.address),
        network=addresses.prefix(one.network),
        vtep_mac=one.vtep_mac,
        vni=one.vni or 1,
        host=one.host,
        port=one.vxlan_port or vxlan.PORT,
        cable_port=one.cable_port or CABLE_PORT,
        turbo=one.turbo,
    )


def policy(one: pb.Policy) -> Policy:
    """A NetworkPolicy, for the pods of a node."""
    return Policy(
        key=one.key,
        addresses=_numbers(one.addresses),
        ingress=one.ingress,
        egress=one.egress,
        ingress_rules=tuple(_rule(rule) for rule in one.ingress_rules),
        egress_rules=tuple(_rule(rule) for rule in one.egress_rules),
    )


def _rule(one: pb.PolicyRule) -> Rule:
    return Rule(
        everybody=one.everybody,
        sets=tuple(one.sets),
        blocks=tuple(_block(block) for block in one.blocks if ":" not in block.cidr),
        every_port=one.every_port,
        ports=tuple(_ports(ports) for ports in one.ports),
    )


def _block(one: pb.PolicyBlock) -> Block:
    excepts = (addresses.prefix(each) for each in getattr(one, "except"))
    return Block(addresses.prefix(one.cidr), tuple(excepts))


def _ports(one: pb.PolicyPorts) -> Ports:
    protocol = _PROTOCOLS.get(one.protocol)
    if protocol is None:
        raise ValueError(f"a policy names protocol {one.protocol}, which there is not")
    return Ports(protocol, one.first, one.last)


def _numbers(texts: Iterable[str]) -> tuple[int, ...]:
    """Addresses of IPv4; the overlay carries no others."""
    return tuple(addresses.parse(one) for one in texts if ":" not in one)


class Program:
    """New tables, or (with `change`) what changed of those of policies and sets."""

    def __init__(self, tables: "Tables", change: pb.UpdateOverlayRequest | None) -> None:
        self.peers: list[Peer] | None = None
        """All of them; None where they are as before."""
        self._whole = change is None
        if change is None or change.set_peers or change.removed_peers:
            self.peers = [peer(one) for one in tables.peers.values()]
        if change is None:
            change = pb.UpdateOverlayRequest(set_policies=tables.policies.values())
            self._sets = [(one.key, _numbers(one.addresses)) for one in tables.sets.values()]
        else:
            self._sets = [(one.key, _numbers(one.addresses)) for one in change.set_sets]
        self._changed = [
            (one.key, _numbers(one.added), _numbers(one.removed)) for one in change.changed_sets
        ]
        self._policies = [policy(one) for one in change.set_policies]
        self._gone = list(change.removed_policies), list(change.removed_sets)

    def carry_out(self, into: Filter) -> None:
        """Have a filter do it."""
        if self._whole:
            into.replace((), {})
        for key, members in self._sets:
            into.put_set(key, members)
        for key, added, removed in self._changed:
            into.change_set(key, added, removed)
        policies, sets = self._gone
        for key in policies:
            into.remove(key)
        for one in self._policies:
            into.put(one)
        for key in sets:
            into.remove_set(key)
