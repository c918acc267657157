"""The packet filter: who is isolated, and which rules let whom in and out."""

import pytest
from natworld import (
    ACK,
    NODE,
    POD,
    SYN,
    VIP,
    Node,
    backend,
    echo_frame,
    entry,
    ip,
    tcp_frame,
    udp_frame,
)

from cluster.network.stack.nat import verdicts
from cluster.network.stack.nat.filter import Block, Policy, Ports, Rule
from cluster.network.stack.nat.verdicts import Drop
from cluster.network.wire import addresses
from cluster.network.wire.frame import Frame

FRIEND, STRANGER = "10.244.2.2", "10.244.2.3"
OUTSIDE = "192.0.2.50"


def _passes(node: Node, frame: Frame, *, own: bool = False) -> str:
    """`passes`, or the reason of the drop."""
    found = node.passes(frame, own=own)
    return found.reason if isinstance(found, Drop) else "passes" if isinstance(found, Frame) else ""


def _guarded(*ingress: Rule, egress: tuple[Rule, ...] | None = None, **sets: list[str]) -> Node:
    """A node where POD is isolated for ingress, and for egress if there are rules for it."""
    node = Node()
    node.nat.filter.replace(
        [
            Policy("default/guard", (ip(POD),), ingress=True, ingress_rules=ingress,
                   egress=egress is not None, egress_rules=egress or ()),
        ],
        {key: list(map(ip, members)) for key, members in sets.items()},
    )  # fmt: skip
    return node


def _block(text: str, *excepts: str) -> Rule:
    block = Block(addresses.prefix(text), tuple(map(addresses.prefix, excepts)))
    return Rule(blocks=(block,), every_port=True)


def _ports(*ports: Ports) -> Rule:
    return Rule(everybody=True, ports=ports)


INTO = [
    pytest.param((), FRIEND, 80, False, id="no rule lets nobody in"),
    pytest.param((Rule(everybody=True, every_port=True),), STRANGER, 80, True, id="everybody"),
    pytest.param((Rule(sets=("friends",), every_port=True),), FRIEND, 80, True, id="in the set"),
    pytest.param((Rule(sets=("friends",), every_port=True),), STRANGER, 80, False, id="not in it"),
    pytest.param((Rule(sets=("friends", "none")),), FRIEND, 80, False, id="no port of it"),
    pytest.param((_block("192.0.2.0/24"),), OUTSIDE, 80, True, id="in the block"),
    pytest.param((_block("192.0.2.0/24", "192.0.2.48/30"),), OUTSIDE, 80, False, id="excepted"),
    pytest.param(
        (_block("192.0.2.0/24", "192.0.2.48/30"), _block("192.0.2.50/32")), OUTSIDE, 80, True,
        id="excepted here, allowed there",
    ),
    pytest.param((_ports(Ports(6, 80, 80)),), STRANGER, 80, True, id="the port"),
    pytest.param((_ports(Ports(6, 80, 80)),), STRANGER, 81, False, id="another port"),
    pytest.param((_ports(Ports(6, 8000, 8080)),), STRANGER, 8080, True, id="end of a range"),
    pytest.param((_ports(Ports(6, 8000, 8080)),), STRANGER, 8081, False, id="past a range"),
    pytest.param((_ports(Ports(17, 80, 80)),), STRANGER, 80, False, id="another protocol"),
    pytest.param((_ports(Ports(17, 1, 9), Ports(6, 80, 80)),), STRANGER, 80, True, id="one of two"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "source", "port", "allowed"), INTO)
def test_who_comes_in(rules: tuple[Rule, ...], source: str, port: int, allowed: bool) -> None:
    node = _guarded(*rules, friends=[FRIEND])
    found = _passes(node, tcp_frame((source, 5000), (POD, port)))
    assert found == ("passes" if allowed else verdicts.POLICY_INGRESS)
    assert _passes(node, tcp_frame((source, 5000), ("10.244.1.6", port))) == "passes", "another"


@pytest.mark.parametrize(("rules", "to", "port", "allowed"), INTO)
def test_where_it_goes(rules: tuple[Rule, ...], to: str, port: int, allowed: bool) -> None:
    node = _guarded(egress=rules, friends=[FRIEND])
    found = _passes(node, tcp_frame((POD, 5000), (to, port)))
    assert found == ("passes" if allowed else verdicts.POLICY_EGRESS)


def test_answers_pass_and_so_does_what_is_about_them() -> None:
    node = _guarded()
    node.connects((POD, 5000), (STRANGER, 80))
    assert _passes(node, tcp_frame((STRANGER, 80), (POD, 5001), ACK)) == verdicts.POLICY_INGRESS
    node.sends(udp_frame((POD, 5000), (STRANGER, 53)))
    assert _passes(node, udp_frame((STRANGER, 53), (POD, 5000))) == "passes"


def test_connections_that_are_there_outlive_a_policy() -> None:
    node = Node()
    node.connects((STRANGER, 5000), (POD, 80))
    node.nat.filter.put(Policy("default/none", (ip(POD),), ingress=True))
    assert _passes(node, tcp_frame((STRANGER, 5000), (POD, 80), ACK)) == "passes"
    assert _passes(node, tcp_frame((STRANGER, 5001), (POD, 80), SYN)) == verdicts.POLICY_INGRESS


def test_echoes_are_of_no_port() -> None:
    node = _guarded(_ports(Ports(6, 0, 65535)), _ports(Ports(17, 0, 65535)))
    assert _passes(node, echo_frame(STRANGER, POD, 1)) == verdicts.POLICY_INGRESS
    node = _guarded(Rule(everybody=True, every_port=True))
    assert _passes(node, echo_frame(STRANGER, POD, 1)) == "passes"


def test_the_node_reaches_its_pods_and_they_reach_it() -> None:
    node = _guarded(egress=())
    assert _passes(node, tcp_frame((NODE, 5000), (POD, 80)), own=True) == "passes"
    assert _passes(node, tcp_frame((POD, 5000), (NODE, 80))) == "passes"


def test_a_pod_reaches_itself_by_its_service() -> None:
    node = _guarded(egress=())
    node.serve(entry(backend(POD, 8080)))
    node.connects((POD, 5000), (VIP, 80))


def test_rules_are_about_backends_and_not_about_services() -> None:
    node = _guarded(egress=(Rule(sets=("friends",), ports=(Ports(6, 8080, 8080),)),),
                    friends=[FRIEND])  # fmt: skip
    node.serve(entry(backend(FRIEND)), entry(backend(STRANGER), key="a/b", vips=("10.96.0.11",)))
    node.connects((POD, 5000), (VIP, 80))
    frame = tcp_frame((POD, 5000), ("10.96.0.11", 80))
    assert _passes(node, frame) == verdicts.POLICY_EGRESS


def test_policies_of_one_address_add_up() -> None:
    node = _guarded(_ports(Ports(6, 80, 80)))
    more = Policy(
        "default/more", (ip(POD),), ingress=True, ingress_rules=(_ports(Ports(6, 81, 81)),)
    )
    node.nat.filter.put(more)
    for port in (80, 81):
        assert _passes(node, tcp_frame((STRANGER, 5000), (POD, port))) == "passes"
    node.nat.filter.remove("default/more")
    node.nat.filter.remove("default/more")
    assert _passes(node, tcp_frame((STRANGER, 5001), (POD, 81))) == verdicts.POLICY_INGRESS
    node.nat.filter.remove("default/guard")
    assert _passes(node, tcp_frame((STRANGER, 5001), (POD, 81))) == "passes"


def test_a_policy_that_changes_its_addresses_leaves_the_old_ones() -> None:
    node = _guarded()
    node.nat.filter.put(Policy("default/guard", (ip("10.244.1.6"),), ingress=True))
    assert _passes(node, tcp_frame((STRANGER, 5000), (POD, 80))) == "passes"
    frame = tcp_frame((STRANGER, 5000), ("10.244.1.6", 80))
    assert _passes(node, frame) == verdicts.POLICY_INGRESS


def test_sets_change_under_the_rules_that_name_them() -> None:
    node = _guarded(Rule(sets=("friends",), every_port=True))
    table = node.nat.filter
    frames = (tcp_frame((FRIEND, port), (POD, 80)) for port in range(1000, 2000))
    assert _passes(node, next(frames)) == verdicts.POLICY_INGRESS
    table.put_set("friends", [ip(FRIEND)])
    assert _passes(node, next(frames)) == "passes"
    table.change_set("friends", [ip(STRANGER)], [ip(FRIEND)])
    assert _passes(node, next(frames)) == verdicts.POLICY_INGRESS
    table.change_set("friends", [ip(FRIEND)], [])
    assert _passes(node, next(frames)) == "passes"
    table.remove_set("friends")
    assert _passes(node, next(frames)) == verdicts.POLICY_INGRESS
    table.put_set("friends", [ip(FRIEND)])
    assert _passes(node, next(frames)) == "passes"
    table.remove("default/guard")
    table.remove_set("friends")
    assert dict(table.sets) == {}


def test_sets_that_nobody_needs_are_forgotten() -> None:
    node = _guarded(Rule(sets=("friends", "never"), every_port=True), friends=[FRIEND])
    table = node.nat.filter
    table.remove_set("friends")
    table.put(table.policies["default/guard"])
    assert {key: set(found) for key, found in table.sets.items()} == {
        "friends": set(), "never": set(),
    }  # fmt: skip
    table.remove("default/guard")
    assert dict(table.sets) == {}


def test_a_trace_names_the_policy() -> None:
    node = _guarded(Rule(sets=("friends",), every_port=True), friends=[FRIEND])
    assert ("filter", "default/guard", "allow") in node.trace(tcp_frame((FRIEND, 1), (POD, 80)))
    table, rule, verdict = node.trace(tcp_frame((STRANGER, 1), (POD, 80)))[-1]
    assert (table, verdict) == ("filter", verdicts.POLICY_INGRESS)
    assert rule == f"default/guard: no rule lets {STRANGER} pass, {POD} is isolated"
