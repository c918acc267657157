"""The packet filter: which new connections may enter and leave the addresses of this node.

An address that a policy isolates in a direction takes only what a rule of some policy allows in
it; others take everything. Answers, and what belongs to a connection, always pass: only the first
packet of one is asked about. What an address sends to itself is never filtered, nor is what goes
between the node's own stack and its pods, which does not come by here.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cluster.network.stack.nat import verdicts
from cluster.network.stack.nat.packet import Packet
from cluster.network.stack.nat.verdicts import Drop
from cluster.network.wire import addresses
from cluster.network.wire.addresses import Prefix

_TABLE = "filter"


class Block(NamedTuple):
    """A range of addresses without some ranges in it."""

    range: Prefix
    excepts: tuple[Prefix, ...] = ()


class Ports(NamedTuple):
    """A range of ports of a protocol, both ends included."""

    protocol: int
    first: int
    last: int


class Rule(NamedTuple):
    """Allows packets from (or to) any of these peers, at any of these ports."""

    everybody: bool = False
    """Whoever the peer is; then sets and blocks say nothing."""
    sets: tuple[str, ...] = ()
    """Keys of address sets."""
    blocks: tuple[Block, ...] = ()
    every_port: bool = False
    """Of every protocol; then `ports` says nothing."""
    ports: tuple[Ports, ...] = ()


class Policy(NamedTuple):
    """What holds for some addresses of this node."""

    key: str
    """Unique; it is shown to people."""
    addresses: tuple[int, ...]
    ingress: bool = False
    """Nothing enters but what some policy's rule allows."""
    egress: bool = False
    """Nothing leaves but what some policy's rule allows."""
    ingress_rules: tuple[Rule, ...] = ()
    egress_rules: tuple[Rule, ...] = ()


class _Compiled(NamedTuple):
    """A rule with the sets themselves."""

    everybody: bool
    sets: tuple[set[int], ...]
    blocks: tuple[Block, ...]
    every_port: bool
    ports: tuple[Ports, ...]

    def allows(self, peer: int, protocol: int, port: int) -> bool:
        if not self.every_port and not any(
            one.protocol == protocol and one.first <= port <= one.last for one in self.ports
        ):
            return False
        if self.everybody or any(peer in one for one in self.sets):
            return True
        return any(
            peer in block.range and not any(peer in one for one in block.excepts)
            for block in self.blocks
        )


class _Side:
    """One direction: who is isolated in it, and by which policies' rules."""

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self._rules: dict[int, dict[str, tuple[_Compiled, ...]]] = {}

    def put(self, key: str, of: Iterable[int], rules: tuple[_Compiled, ...]) -> None:
        for address in of:
            self._rules.setdefault(address, {})[key] = rules

    def remove(self, key: str, of: Iterable[int]) -> None:
        for address in of:
            policies = self._rules.get(address)
            if policies is not None and policies.pop(key, None) is not None and not policies:
                del self._rules[address]

    def verdict(self, packet: Packet, address: int, peer: int) -> Drop | None:
        policies = self._rules.get(address)
        if policies is None:
            return None
        protocol, port = packet.protocol, packet.destination_port
        for key, rules in policies.items():
            for rule in rules:
                if rule.allows(peer, protocol, port):
                    packet.tell(_TABLE, key, "allow")
                    return None
        text = addresses.text
        why = f"{', '.join(policies)}: no rule lets {text(peer)} pass, {text(address)} is isolated"
        packet.tell(_TABLE, why, self._reason)
        return Drop(self._reason, why)


class Filter:
    """The policies of a node, and the sets of addresses that their rules name."""

    def __init__(self) -> None:
        self._sets: dict[str, set[int]] = {}
        self._users: dict[str, int] = {}
        self._policies: dict[str, Policy] = {}
        self._ingress = _Side(verdicts.POLICY_INGRESS)
        self._egress = _Side(verdicts.POLICY_EGRESS)

    @property
    def policies(self) -> Mapping[str, Policy]:
        """By key. Read-only."""
        return self._policies

    @property
    def sets(self) -> Mapping[str, set[int]]:
        """By key. Read-only."""
        return self._sets

    def replace(self, policies: Iterable[Policy], sets: Mapping[str, Iterable[int]]) -> None:
        """Put these policies and sets in place of those there are."""
        self._sets = {key: set(members) for key, members in sets.items()}
        self._users = {}
        self._policies = {}
        self._ingress = _Side(verdicts.POLICY_INGRESS)
        self._egress = _Side(verdicts.POLICY_EGRESS)
        for policy in policies:
            self.put(policy)

    def put(self, policy: Policy) -> None:
        """Add a policy, or put it in place of the one with its key.

        A set that it names and that is not there is empty until it comes.
        """
        old = self._policies.get(policy.key)
        self._count(policy, 1)
        if old is not None:
            self.remove(policy.key)
        self._policies[policy.key] = policy
        if policy.ingress:
            rules = tuple(self._compiled(rule) for rule in policy.ingress_rules)
            self._ingress.put(policy.key, policy.addresses, rules)
        if policy.egress:
            rules = tuple(self._compiled(rule) for rule in policy.egress_rules)
            self._egress.put(policy.key, policy.addresses, rules)

    def remove(self, key: str) -> None:
        """Take a policy out; one that is not there is passed over."""
        old = self._policies.pop(key, None)
        if old is not None:
            self._ingress.remove(key, old.addresses)
            self._egress.remove(key, old.addresses)
            self._count(old, -1)

    def put_set(self, key: str, members: Iterable[int]) -> None:
        """Give a set these members."""
        found = self._sets.setdefault(key, set())
        found.clear()
        found.update(members)

    def change_set(self, key: str, added: Iterable[int], removed: Iterable[int]) -> None:
        """Change a few members of a set."""
        found = self._sets.setdefault(key, set())
        found.difference_update(removed)
        found.update(added)

    def remove_set(self, key: str) -> None:
        """Take a set out; for policies that still name it, it is empty."""
        if key in self._users:
            self._sets[key].clear()
        else:
            self._sets.pop(key, None)

    def verdict(self, packet: Packet) -> Drop | None:
        """Whether a new connection may be made, by its first packet on the way through."""
        source, destination = packet.source, packet.destination
        if source == destination:
            return None
        return self._egress.verdict(packet, source, destination) or self._ingress.verdict(
            packet, destination, source
        )

    def _compiled(self, rule: Rule) -> _Compiled:
        sets = tuple(self._sets[key] for key in rule.sets)
        return _Compiled(rule.everybody, sets, rule.blocks, rule.every_port, rule.ports)

    def _count(self, policy: Policy, step: int) -> None:
        """Note who names which sets, so that one stays the same object for those who do."""
        for rule in policy.ingress_rules + policy.egress_rules:
            for key in rule.sets:
                self._sets.setdefault(key, set())
                users = self._users.get(key, 0) + step
                if users:
                    self._users[key] = users
                    continue
                del self._users[key]
                if not self._sets[key]:
                    del self._sets[key]
