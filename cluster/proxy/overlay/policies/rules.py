"""From one NetworkPolicy to the rules of the data plane: pure.

Names of ports mean other numbers in other pods: those of the selected pods where traffic enters
them, those of the peers where it leaves for them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import objects, selectors
from cluster.api.selectors import Selector
from cluster.pb.cluster.v1 import dataplane_pb2
from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.proxy.overlay.policies import selections
from cluster.proxy.overlay.policies.pods import Pod, PortName
from cluster.proxy.overlay.policies.selections import Peers, Selection

_LAST: Final = 65535

Numbers = Callable[[Selection], list[tuple[int, str]]]
"""The numbers that a selection's port has, and the key of the set of those who have each."""


@dataclass(frozen=True)
class Rule:
    """One of `ingress` or `egress`. `every_port`: no ports were given, so all are meant."""

    peers: Peers
    every_port: bool
    ports: tuple[pb.PolicyPorts, ...]
    named: tuple[PortName, ...]

    def selections(self, *, outward: bool) -> Iterator[Selection]:
        """Whose addresses the rule needs."""
        if self.every_port or self.ports or (self.named and not outward):
            yield from self.peers.selections
        if outward:
            for port in self.named:
                yield from self.peers.at(port)


@dataclass(frozen=True)
class Policy:
    """A NetworkPolicy, read. `egress` and `ingress` are None where it does not isolate that way."""

    key: str
    namespace: str
    name: str
    pods: Selector
    ingress: tuple[Rule, ...] | None
    egress: tuple[Rule, ...] | None

    def selections(self) -> list[Selection]:
        """All that its rules need, each once."""
        inward = (one for rule in self.ingress or () for one in rule.selections(outward=False))
        outward = (one for rule in self.egress or () for one in rule.selections(outward=True))
        return list({one.name: one for one in (*inward, *outward)}.values())


def read(obj: Mapping[str, Any]) -> Policy:
    """Read a NetworkPolicy. ValueError where a selector or a block of addresses is none."""
    spec, namespace = objects.spec(obj), objects.namespace(obj)
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    given = {"Ingress": ("ingress", "from"), "Egress": ("egress", "to")}
    ways = {
        kind: tuple(_rule(namespace, rule, rule.get(peers)) for rule in spec.get(field) or ())
        for kind, (field, peers) in given.items()
        if kind in types
    }
    return Policy(
        key=objects.key(obj),
        namespace=namespace,
        name=objects.name(obj),
        pods=selectors.of(spec.get("podSelector") or {}),
        ingress=ways.get("Ingress"),
        egress=ways.get("Egress"),
    )


def _rule(namespace: str, given: Mapping[str, Any], peers: list[Mapping[str, Any]] | None) -> Rule:
    ports = given.get("ports") or ()
    return Rule(
        peers=selections.peers(namespace, peers),
        every_port=not ports,
        ports=tuple(_numbered(port) for port in ports if not isinstance(port.get("port"), str)),
        named=tuple(
            (port.get("protocol") or "TCP", port["port"])
            for port in ports
            if isinstance(port.get("port"), str)
        ),
    )


def _numbered(given: Mapping[str, Any]) -> pb.PolicyPorts:
    first = given.get("port")
    last = given.get("endPort") or first
    number = dataplane_pb2.Protocol.Value(given.get("protocol") or "TCP")
    if first is None:
        return pb.PolicyPorts(protocol=number, first=0, last=_LAST)
    return pb.PolicyPorts(protocol=number, first=first, last=last)


def entries(policy: Policy, targets: Iterable[Pod], numbers: Numbers) -> list[pb.Policy]:
    """The entries of a policy that selects these pods of the node: one for all that have the same
    numbers for the ports that it names, so mostly one.
    """
    named = tuple({port: None for rule in policy.ingress or () for port in rule.named})
    groups: dict[tuple[int, ...], list[str]] = {}
    for pod in targets:
        found = tuple(pod.ports.get(port, 0) for port in named)
        groups.setdefault(found, []).append(pod.address)
    egress = [each for rule in policy.egress or () for each in _outward(rule, numbers)]
    made = []
    for place, found in enumerate(sorted(groups)):
        own = dict(zip(named, found, strict=True))
        inward = (_inward(rule, own, numbers) for rule in policy.ingress or ())
        made.append(
            pb.Policy(
                key=policy.key if not place else f"{policy.key}#{place + 1}",
                namespace=policy.namespace,
                name=policy.name,
                addresses=sorted(set(groups[found])),
                ingress=policy.ingress is not None,
                egress=policy.egress is not None,
                ingress_rules=[rule for rule in inward if rule is not None],
                egress_rules=egress,
            )
        )
    return made


def _inward(rule: Rule, own: Mapping[PortName, int], numbers: Numbers) -> pb.PolicyRule | None:
    """None where no port of the rule is one of the pods in question."""
    ports = [*rule.ports, *(_port(port, own[port]) for port in rule.named if own[port])]
    if not ports and not rule.every_port:
        return None
    return _made(rule.peers, ports, numbers)


def _outward(rule: Rule, numbers: Numbers) -> Iterator[pb.PolicyRule]:
    if rule.every_port or rule.ports:
        yield _made(rule.peers, list(rule.ports), numbers)
    for port in rule.named:
        for selection in rule.peers.at(port):
            for number, key in numbers(selection):
                yield pb.PolicyRule(sets=[key], ports=[_port(port, number)])


def _made(peers: Peers, ports: list[pb.PolicyPorts], numbers: Numbers) -> pb.PolicyRule:
    return pb.PolicyRule(
        everybody=peers.everybody,
        sets=[key for selection in peers.selections for _, key in numbers(selection)],
        blocks=[pb.PolicyBlock(cidr=one.cidr, **{"except": one.excepts}) for one in peers.blocks],
        every_port=not ports,
        ports=ports,
    )


def _port(port: PortName, number: int) -> pb.PolicyPorts:
    protocol = dataplane_pb2.Protocol.Value(port[0])
    return pb.PolicyPorts(protocol=protocol, first=number, last=number)
