"""NetworkPolicies are enforced wherever packets of pods pass, with every back end."""

import pytest
from datapathnodes import HOST_MAC, SERVICE, Pod, World, echo_request, entry, tcp_packet, udp_packet

from cluster.network.stack.nat import verdicts
from cluster.network.stack.nat.filter import Policy, Ports, Rule
from cluster.network.wire import ethernet, tcp
from cluster.network.wire.frame import Frame

BACKENDS = ("vxlan", "routed", "mesh")


def isolated(*pods: Pod, allow: Pod | None = None, egress: bool = False) -> Policy:
    """Pods that only one other may reach, by UDP at port 8080; or that reach nobody else."""
    rules: tuple[Rule, ...] = ()
    if allow is not None:
        rules = (Rule(sets=("allowed",), every_port=False, ports=(Ports(17, 8080, 8080),)),)
    return Policy(
        "default/deny",
        tuple(pod.address for pod in pods),
        ingress=not egress,
        egress=egress,
        ingress_rules=() if egress else rules,
        egress_rules=rules if egress else (),
    )


def enforce(pod: Pod, policy: Policy, allow: Pod | None = None) -> None:
    assert pod.node.nat is not None
    sets = {"allowed": [allow.address]} if allow is not None else {}
    pod.node.nat.filter.replace([policy], sets)


def passes(one: Pod, two: Pod, port: int = 8080) -> bool:
    to = two.mac if one.node is two.node else b""
    for _ in range(2):
        one.send(udp_packet(one.address, 1000, two.address, port), to)
    return len(two.take()) == 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_only_who_is_allowed_enters(backend: str) -> None:
    world = World(backend=backend)
    friend, foe, neighbour = world.pod(1, 5), world.pod(1, 6), world.pod(2, 8)
    server = world.pod(2, 7)
    assert passes(foe, server, 8081)
    enforce(server, isolated(server, allow=friend), friend)
    assert passes(friend, server)
    assert not passes(friend, server, 81)
    assert not passes(foe, server)
    assert not passes(neighbour, server)
    assert server.node.datapath.drops.counts == {verdicts.POLICY_INGRESS: 6}
    # What was begun before goes on, as connections that a kernel tracks; and answers come back.
    assert passes(foe, server, 8081)
    server.send(udp_packet(server.address, 8080, friend.address, 1000))
    assert len(friend.take()) == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_only_where_it_is_allowed_a_pod_goes_also_through_a_service(backend: str) -> None:
    world = World(backend=backend)
    client = world.pod(1, 5)
    good, bad, near = world.pod(2, 7), world.pod(2, 8), world.pod(1, 6)
    assert client.node.nat is not None
    client.node.nat.replace_services(world.now, [entry(good)])
    enforce(client, isolated(client, allow=good, egress=True), good)
    client.send(udp_packet(client.address, 1, SERVICE, 80))
    assert len(good.take()) == 1
    client.node.nat.replace_services(world.now, [entry(bad)])
    client.send(udp_packet(client.address, 2, SERVICE, 80))
    assert not bad.take()
    assert not passes(client, bad)
    assert not passes(client, near)
    assert client.node.datapath.drops.counts == {verdicts.POLICY_EGRESS: 5}
    assert passes(bad, client)


def test_the_node_itself_is_never_kept_from_its_pods() -> None:
    world = World()
    server = world.pod(1, 5)
    enforce(server, isolated(server))
    node = server.node
    packet = echo_request(node.address, server.address)
    frame = Frame(ethernet.build(node.bridge, HOST_MAC, ethernet.IPV4, packet))
    world.carry(node, node.datapath.receive(world.now, "host", frame))
    assert len(server.take()) == 1


def test_what_is_no_connections_packet_does_not_pass() -> None:
    world = World()
    one, two = world.pod(1, 5), world.pod(2, 7)
    one.send(tcp_packet(one.address, 1, two.address, 2, tcp.SYN | tcp.ACK))
    assert not two.take()
    assert one.node.datapath.drops.counts == {verdicts.INVALID: 1}
