"""What pods that make their own frames, and strangers on the underlay, may not do to a node."""

import dataclasses

import pytest
from datapathnodes import HOST_MAC, World, at, ip, tcp_packet, udp_packet

from cluster.network.stack import drops
from cluster.network.stack.ports import HOST
from cluster.network.wire import ipv4, tcp, vxlan
from cluster.network.wire.frame import Frame


@pytest.mark.parametrize(
    ("source", "passes"),
    [
        ("10.244.1.5", True),  # its own
        ("10.244.1.6", False),  # of another pod of the node
        ("10.244.1.99", True),  # of nobody: it may have containers of its own
        ("10.244.1.1", False),  # the bridge's
        ("127.9.0.2", False),  # the node's
        ("127.9.0.3", False),  # another node's
        ("10.244.2.7", False),  # of a pod of another node
        ("198.51.100.7", True),  # it may be a router
    ],
)
@pytest.mark.parametrize("backend", ["vxlan", "routed", "mesh"])
def test_a_pod_sends_from_nobody_elses_address(source: str, passes: bool, backend: str) -> None:
    world = World(2, backend, nat=False)
    world.pass_time(3)
    one, neighbour, two = world.pod(1, 5), world.pod(1, 6), world.pod(2, 7)
    node = one.node.datapath
    for target, to in [(two, b""), (neighbour, neighbour.mac)]:
        if target.address == ip(source):
            continue
        before = node.drops.get(drops.MARTIAN)
        packet = udp_packet(ip(source), 1, target.address, 2)
        one.send(packet, to)
        assert bool(target.take()) is passes
        assert (node.drops.get(drops.MARTIAN) == before) is passes


def test_pieces_of_a_packet_from_anothers_address_do_not_wait() -> None:
    world = World()
    one, two = world.pod(1, 5), world.pod(2, 7)
    whole = udp_packet(ip("10.244.1.1"), 1, two.address, 2, bytes(3000))
    for piece in ipv4.fragments(whole, 1400):
        one.send(piece)
    assert one.node.datapath.drops.get(drops.MARTIAN) == 3
    assert one.node.datapath.drops.get(drops.REASSEMBLY) == 0


def test_the_nodes_own_stack_may_have_any_address() -> None:
    world = World(nat=False)
    node, two = world.nodes[0], world.pod(1, 7)
    frame = bytes(node.bridge) + HOST_MAC + b"\x08\x00"
    packet = udp_packet(node.address, 1, two.address, 2)
    world.carry(node, node.datapath.receive(world.now, HOST, Frame(frame + packet)))
    assert two.one().source == node.address
    assert at(node, HOST) == []


@pytest.mark.parametrize(("size", "passes"), [(1, False), (7, False), (8, True), (1000, True)])
@pytest.mark.parametrize("remote", [True, False])
def test_no_frame_is_cut_into_a_flood(size: int, passes: bool, remote: bool) -> None:
    world = World(nat=False)
    one = world.pod(1, 5)
    two = world.pod(2, 7) if remote else world.pod(1, 7)
    long = tcp_packet(one.address, 1, two.address, 2, tcp.ACK, bytes(4000))
    one.send(long, gso_size=size, csum_start=34, csum_offset=16)
    assert bool(two.take()) is passes
    assert one.node.datapath.drops.get(drops.MALFORMED) == (0 if passes else 1)


def test_only_a_kernel_of_another_machine_sends_from_any_port() -> None:
    world = World()
    one, two = world.pod(1, 5), world.pod(2, 7)
    target = two.node.datapath
    inner = bytes(target.vtep.mac) + b"\2" * 6 + b"\x08\x00"
    payload = vxlan.header(1) + inner + udp_packet(one.address, 1, two.address, 2)
    assert target.from_peer(world.now, ("127.9.0.2", 40000), [payload]) == []
    assert target.drops.get(drops.UNKNOWN_PEER) == 1
    kernel = dataclasses.replace(one.node.datapath.me, host="192.0.2.1")
    world.carry(two.node, target.set_peers(world.now, [kernel]))
    world.carry(two.node, target.from_peer(world.now, ("192.0.2.1", 40000), [payload]))
    assert two.one().source == one.address
