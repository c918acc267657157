"""Traces tell what the slow path would do, and change nothing."""

import pytest
from datapathnodes import SERVICE, Pod, World, entry, ip, tcp_packet, udp_packet

from cluster.network.stack import drops
from cluster.network.stack.forwarding import Answer
from cluster.network.stack.nat import verdicts
from cluster.network.stack.trace import Trace
from cluster.network.wire import ethernet, icmp, tcp
from cluster.network.wire.frame import Frame


def traced(pod: Pod, packet: bytes, to: bytes = b"") -> Trace:
    data = ethernet.build(to or pod.node.bridge, pod.mac, ethernet.IPV4, packet)
    return pod.node.datapath.trace(pod.world.now, pod.name, Frame(data))


def test_a_trace_leads_through_a_service_to_a_pod_of_another_node() -> None:
    world = World()
    one, two = world.pod(1, 5), world.pod(2, 7)
    assert one.node.nat is not None
    one.node.nat.replace_services(world.now, [entry(two, protocol=6)])
    packet = tcp_packet(one.address, 1000, SERVICE, 80, tcp.SYN)
    first = traced(one, packet)
    assert (first.end, first.where, first.device) == ("peer", "n2", "flannel.1")
    tables = [decision.table for decision in first.decisions]
    assert tables[0] == "conntrack"
    assert tables[-2:] != []
    assert "route" in tables
    assert tables[-1] == "neighbour"
    rules = " ".join(decision.rule for decision in first.decisions)
    assert "default/web" in rules
    assert "10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink" in rules
    assert first.frame is not None
    second = two.node.datapath.trace(world.now, "flannel.1", first.frame)
    assert (second.end, second.where, second.device) == ("port", "pod7", "cni0")
    assert not world.wire
    assert len(one.node.nat.conntrack) == 0
    one.send(packet)
    assert second.frame is not None
    (got,) = two.take()
    assert got.data == second.frame.data


@pytest.mark.parametrize(
    ("packet", "end", "reason", "answer"),
    [
        (
            udp_packet(ip("10.244.1.5"), 1, SERVICE, 81),
            "dropped",
            verdicts.NO_SUCH_PORT,
            Answer(icmp.UNREACHABLE, icmp.PORT_UNREACHABLE),
        ),
        (
            udp_packet(ip("10.244.1.5"), 1, ip("10.244.2.7"), 2, ttl=1),
            "dropped",
            drops.TTL,
            Answer(icmp.TIME_EXCEEDED, icmp.TTL_EXCEEDED),
        ),
        (udp_packet(ip("10.244.1.5"), 1, ip("127.0.0.1"), 2), "dropped", drops.MARTIAN, None),
        (udp_packet(ip("10.244.1.5"), 1, ip("10.244.1.99"), 2), "asked", "", None),
    ],
)
def test_a_trace_says_where_a_packet_ends_and_why(
    packet: bytes, end: str, reason: str, answer: Answer | None
) -> None:
    world = World()
    one, two = world.pod(1, 5), world.pod(2, 7)
    assert one.node.nat is not None
    one.node.nat.replace_services(world.now, [entry(two)])
    trace = traced(one, packet)
    assert (trace.end, trace.reason, trace.answer) == (end, reason, answer)
    assert not one.node.datapath.drops.total
    assert one.node.datapath.deadline is None
    one.send(packet)
    if reason:
        assert one.node.datapath.drops.counts == {reason: 1}


def test_a_trace_knows_ports_and_who_is_behind_them() -> None:
    world = World()
    one, other = world.pod(1, 5), world.pod(1, 6)
    packet = udp_packet(one.address, 1, other.address, 2)
    trace = traced(one, packet, to=other.mac)
    assert (trace.end, trace.where) == ("port", "pod6")
    assert trace.decisions[0].table == "bridge"
    assert traced(one, packet, to=b"\x02" * 6).reason == drops.UNKNOWN_MAC
    node = udp_packet(one.address, 1, one.node.address, 2)
    assert traced(one, node).where == "host"
    beyond = udp_packet(one.address, 1, ip("198.51.100.1"), 2)
    assert (traced(one, beyond).where, traced(one, beyond).device) == ("outside", "eth0")
    with pytest.raises(ValueError, match="no port"):
        one.node.datapath.trace(world.now, "pod9", Frame(bytes(60)))
