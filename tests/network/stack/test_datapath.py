"""What becomes of packets in a node's data plane, and between nodes."""

import pytest
from datapathnodes import (
    OUTSIDE_MAC,
    SERVICE,
    Pod,
    Seen,
    World,
    at,
    echo_request,
    entry,
    ip,
    tcp_packet,
    udp_packet,
)

from cluster.network.stack import drops
from cluster.network.stack.actions import ToCable, ToPeer
from cluster.network.stack.nat import verdicts
from cluster.network.stack.peers import Peer
from cluster.network.stack.settings import Settings
from cluster.network.wire import addresses, arp, checksums, ethernet, icmp, ipv4, mac, tcp, vxlan
from cluster.network.wire.addresses import Prefix
from cluster.network.wire.frame import Frame
from cluster.network.wire.trains import Train


@pytest.mark.parametrize("backend", ["vxlan", "routed"])
@pytest.mark.parametrize("nat", [False, True])
def test_pods_of_two_nodes_reach_each_other_and_two_hops_are_counted(
    backend: str, nat: bool
) -> None:
    world = World(backend=backend, nat=nat)
    one, two = world.pod(1, 5), world.pod(2, 7)
    for turn in range(4):  # the first takes the slow path, the others the cache
        one.send(udp_packet(one.address, 1000, two.address, 53, bytes(turn)))
        seen = two.one()
        assert seen.flow == ("10.244.1.5", 1000, "10.244.2.7", 53)
        assert seen.ttl == 62
        assert seen.link[:2] == (two.mac, two.node.bridge)
        two.send(udp_packet(two.address, 53, one.address, 1000))
        assert one.one().flow == ("10.244.2.7", 53, "10.244.1.5", 1000)
    kinds = {type(action) for _, _, action in world.wire}
    assert kinds == {ToPeer if backend == "vxlan" else ToCable}
    assert not one.node.datapath.drops.total
    assert not two.node.datapath.drops.total


def test_inner_frames_are_addressed_as_flannel_does() -> None:
    world = World()
    one, two = world.pod(1, 5), world.pod(2, 7)
    one.send(udp_packet(one.address, 1000, two.address, 53))
    (_, _, action) = world.wire[0]
    assert isinstance(action, ToPeer)
    (payload,) = action.payloads
    assert action.address == ("127.9.0.3", 4789)
    assert isinstance(payload, bytes)
    assert vxlan.parse(payload) == 1
    link = ethernet.parse(payload[8:])
    assert link is not None
    assert link[:2] == (two.node.datapath.vtep.mac, one.node.datapath.vtep.mac)
    assert [str(route) for route in one.node.datapath.routes()] == [
        "default dev eth0 scope link",
        "10.244.1.0/24 dev cni0 scope link",
        "10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink",
        "local 10.244.1.0 dev lo",
        "local 10.244.1.1 dev lo",
        "local 127.9.0.2 dev lo",
        "127.9.0.3 dev eth0 scope link",
    ]


def test_pods_of_one_node_are_switched_without_losing_a_hop() -> None:
    world = World(1)
    one, two = world.pod(1, 5), world.pod(1, 6)
    for _ in range(3):
        one.send(udp_packet(one.address, 1, two.address, 2), to=two.mac)
        seen = two.one()
        assert seen.ttl == 64
        assert seen.link[:2] == (two.mac, one.mac)


def test_a_service_leads_to_another_node_and_its_answers_come_from_it() -> None:
    world = World()
    one, two = world.pod(1, 5), world.pod(2, 7)
    assert one.node.nat is not None
    one.node.nat.replace_services(world.now, [entry(two)])
    for _ in range(3):
        one.send(udp_packet(one.address, 1000, SERVICE, 80))
        assert two.one().flow == ("10.244.1.5", 1000, "10.244.2.7", 8080)
        two.send(udp_packet(two.address, 8080, one.address, 1000))
        assert one.one().flow == ("10.96.0.10", 80, "10.244.1.5", 1000)


def test_a_pod_behind_a_service_on_its_own_node_answers_by_the_bridge() -> None:
    world = World(1)
    one, two = world.pod(1, 5), world.pod(1, 6)
    assert one.node.nat is not None
    one.node.nat.replace_services(world.now, [entry(two)])
    for _ in range(3):
        one.send(udp_packet(one.address, 1000, SERVICE, 80))
        assert two.one().flow == ("10.244.1.5", 1000, "10.244.1.6", 8080)
        two.send(udp_packet(two.address, 8080, one.address, 1000), to=one.mac)
        assert one.one().flow == ("10.96.0.10", 80, "10.244.1.5", 1000)


def test_a_pod_reaches_itself_through_its_service() -> None:
    world = World(1)
    one = world.pod(1, 5)
    assert one.node.nat is not None
    one.node.nat.replace_services(world.now, [entry(one)])
    one.send(udp_packet(one.address, 1000, SERVICE, 80))
    seen = one.one()
    assert seen.flow[0] == "10.244.1.1"
    assert seen.flow[2:] == ("10.244.1.5", 8080)
    one.send(udp_packet(one.address, 8080, seen.source, seen.source_port))
    assert one.one().flow == ("10.96.0.10", 80, "10.244.1.5", 1000)


def test_a_service_without_endpoints_refuses() -> None:
    world = World(1)
    one = world.pod(1, 5)
    assert one.node.nat is not None
    one.node.nat.replace_services(world.now, [entry()])
    one.send(udp_packet(one.address, 1000, SERVICE, 80))
    seen = one.one()
    assert (seen.source, seen.destination) == (ip("10.244.1.1"), one.address)
    assert seen.message[:2] == (icmp.UNREACHABLE, icmp.PORT_UNREACHABLE)
    quoted = icmp.quoted(seen.message)
    assert quoted is not None
    assert quoted.destination == SERVICE
    assert one.node.datapath.drops.get(verdicts.NO_ENDPOINTS) == 1


def test_a_tcp_connection_passes_by_the_cache_once_it_stands_and_ends_in_conntrack() -> None:
    world = World()
    one, two = world.pod(1, 5), world.pod(2, 7)
    nat = one.node.nat
    assert nat is not None
    nat.replace_services(world.now, [entry(two, protocol=6)])

    def to(flags: int, data: bytes = b"") -> None:
        one.send(tcp_packet(one.address, 1000, SERVICE, 80, flags, data))
        assert two.one().flow == ("10.244.1.5", 1000, "10.244.2.7", 8080)

    def back(flags: int, data: bytes = b"") -> None:
        two.send(tcp_packet(two.address, 8080, one.address, 1000, flags, data))
        assert one.one().flow == ("10.96.0.10", 80, "10.244.1.5", 1000)

    to(tcp.SYN)
    back(tcp.SYN | tcp.ACK)
    assert not one.node.datapath.flows
    to(tcp.ACK)
    for turn in range(3):
        to(tcp.ACK | tcp.PSH, b"x" * turn)
        back(tcp.ACK | tcp.PSH, b"y" * turn)
    assert one.node.datapath.flows == 2
    (connection,) = nat.conntrack.connections()
    assert connection.original.packets == 5
    assert connection.answers.packets == 4
    to(tcp.FIN | tcp.ACK)
    back(tcp.FIN | tcp.ACK)
    to(tcp.ACK)
    assert connection.state.value == "TIME_WAIT"


def test_what_conntrack_forgets_leaves_the_cache() -> None:
    world = World()
    one, two, three = world.pod(1, 5), world.pod(2, 7), world.pod(2, 8)
    nat = one.node.nat
    assert nat is not None
    nat.replace_services(world.now, [entry(two)])
    for _ in range(2):
        one.send(udp_packet(one.address, 1000, SERVICE, 80))
        assert two.one().destination == two.address
    nat.replace_services(world.now, [entry(three)])
    one.send(udp_packet(one.address, 1000, SERVICE, 80))
    assert three.one().destination == three.address


def test_connections_that_only_the_cache_sees_are_not_forgotten() -> None:
    world = World()
    one, two = world.pod(1, 5), world.pod(2, 7)
    nat = one.node.nat
    assert nat is not None
    for _ in range(10):
        one.send(udp_packet(one.address, 1000, two.address, 80))
        two.send(udp_packet(two.address, 80, one.address, 1000))
        world.pass_time(25)
    assert len(nat.conntrack) == 1
    world.pass_time(200, step=5)
    assert len(nat.conntrack) == 0


def test_a_client_outside_reaches_a_pod_by_the_node_port_of_another_node() -> None:
    world = World()
    two = world.pod(2, 7)
    node = world.nodes[0]
    assert node.nat is not None
    node.nat.replace_services(world.now, [entry(two, node_port=30080)])
    client = ip("192.0.2.9")
    packet = udp_packet(client, 4000, node.address, 30080)
    data = ethernet.build(node.eth0, OUTSIDE_MAC, ethernet.IPV4, packet)
    for _ in range(2):
        world.carry(node, node.datapath.receive(world.now, "outside", Frame(data)))
        seen = two.one()
        assert seen.flow[0] == "10.244.1.0"
        assert seen.flow[2:] == ("10.244.2.7", 8080)
        two.send(udp_packet(two.address, 8080, seen.source, seen.source_port))
        (answer,) = at(node, "outside")
        assert answer.flow == ("127.9.0.2", 30080, "192.0.2.9", 4000)
        assert answer.link[:2] == (OUTSIDE_MAC, node.eth0)


def test_what_leaves_the_cluster_goes_outside_from_the_nodes_address() -> None:
    world = World()
    one = world.pod(1, 5)
    one.send(udp_packet(one.address, 1000, ip("198.51.100.1"), 53))
    (seen,) = at(one.node, "outside")
    assert seen.flow[0] == "127.9.0.2"
    assert seen.ttl == 63
    answer = udp_packet(ip("198.51.100.1"), 53, seen.source, seen.source_port)
    data = ethernet.build(one.node.eth0, OUTSIDE_MAC, ethernet.IPV4, answer)
    world.carry(one.node, one.node.datapath.receive(world.now, "outside", Frame(data)))
    assert one.one().flow == ("198.51.100.1", 53, "10.244.1.5", 1000)


def test_the_nodes_own_stack_is_reached_and_reaches_pods_and_nodes() -> None:
    world = World()
    one, two = world.pod(1, 5), world.pod(2, 7)
    node, other = world.nodes
    one.send(echo_request(one.address, node.address))
    (seen,) = at(node, "host")
    assert (seen.destination, seen.ttl) == (node.address, 64)
    for source, target, ttl in [
        (node.address, two.address, 63),
        (ip("10.244.1.1"), one.address, 64),
        (node.address, other.address, 64),
    ]:
        data = ethernet.build(node.bridge, bytes(6), ethernet.IPV4, echo_request(source, target))
        world.carry(node, node.datapath.receive(world.now, "host", Frame(data)))
        got = [*(Seen(frame) for frame in one.take() + two.take()), *at(other, "host")]
        assert [(seen.destination, seen.ttl) for seen in got] == [(target, ttl)]


def test_traceroute_sees_cni0_of_one_node_and_flannel_of_the_other() -> None:
    world = World(nat=False)
    one, two = world.pod(1, 5), world.pod(2, 7)
    hops = []
    for ttl in (1, 2, 3):
        one.send(udp_packet(one.address, 1000, two.address, 33434, ttl=ttl))
        got = one.take()
        hops += [addresses.text(Seen(frame).source) for frame in got]
        if got:
            assert Seen(got[0]).message[:2] == (icmp.TIME_EXCEEDED, icmp.TTL_EXCEEDED)
    assert hops == ["10.244.1.1", "10.244.2.0"]
    assert two.one().ttl == 1
    assert one.node.datapath.drops.counts == {drops.TTL: 1}


def test_too_long_packets_are_cut_or_refused_by_their_flag() -> None:
    world = World(nat=False)
    one, two = world.pod(1, 5), world.pod(2, 7)
    data = bytes(range(256)) * 6
    one.send(udp_packet(one.address, 1, two.address, 2, data))
    refused = one.one()
    assert refused.message[:2] == (icmp.UNREACHABLE, icmp.FRAGMENTATION_NEEDED)
    assert refused.message.mtu == 1450
    one.send(udp_packet(one.address, 1, two.address, 2, data, fragment=0, identification=9))
    pieces = [Seen(frame) for frame in two.take()]
    assert [seen.header.fragment_offset for seen in pieces] == [0, 1424]
    assert b"".join(seen.body for seen in pieces)[8:] == data
    assert all(len(payload) <= 1450 + 22 for payload in _payloads(world))


def _payloads(world: World) -> list[bytes]:
    found = []
    for _, _, action in world.wire:
        assert isinstance(action, ToPeer)
        for payload in action.payloads:
            assert isinstance(payload, bytes)
            found.append(payload)
    return found


def test_fragments_pass_address_translation_as_one_packet() -> None:
    world = World()
    one, two = world.pod(1, 5), world.pod(2, 7)
    assert one.node.nat is not None
    one.node.nat.replace_services(world.now, [entry(two)])
    whole = udp_packet(one.address, 1000, SERVICE, 80, bytes(3000), fragment=0, identification=3)
    for piece in reversed(ipv4.fragments(whole, 1450)):
        one.send(piece)
    pieces = [Seen(frame) for frame in two.take()]
    assert {seen.destination for seen in pieces} == {two.address}
    assert sum(len(seen.body) for seen in pieces) == 3008
    one.send(ipv4.fragments(whole, 1450)[0])
    world.pass_time(31, step=1)
    assert one.node.datapath.drops.counts == {drops.REASSEMBLY: 1}


def test_who_is_not_plugged_in_is_asked_for_and_then_unreachable() -> None:
    world = World(1)
    one, other = world.pod(1, 5), world.pod(1, 6)
    target = Pod(world, one.node, 77, plug=False)
    packet = udp_packet(one.address, 1, target.address, 2)
    one.send(packet)
    question = arp.parse(other.take()[0].data)
    assert question is not None
    assert question.target == target.address
    world.pass_time(4)
    asked = [frame for frame in other.take() if arp.parse(frame.data)]
    assert len(asked) == 2
    refused = [Seen(frame) for frame in one.take() if frame.data[12:14] == b"\x08\x00"]
    assert [seen.message[:2] for seen in refused] == [(icmp.UNREACHABLE, icmp.HOST_UNREACHABLE)]
    assert one.node.datapath.drops.get(drops.NO_NEIGHBOUR) == 1
    one.send(packet)
    late = Pod(world, one.node, 77)
    assert late.one().destination == target.address


def test_arp_goes_to_the_owner_alone_or_is_answered_while_he_sleeps() -> None:
    world = World(1)
    one, awake = world.pod(1, 5), world.pod(1, 6)
    sleeper = Pod(world, one.node, 7, plug=False)
    datapath = one.node.datapath
    datapath.add_port(world.now, "sleeper", sleeper.mac, [sleeper.address], asleep=True)

    def ask(target: int) -> None:
        one.send_frame(Frame(arp.request(one.mac, one.address, target)))

    ask(ip("10.244.1.1"))
    answer = arp.parse(one.take()[0].data)
    assert answer is not None
    assert answer.sender_mac == one.node.bridge
    ask(awake.address)
    assert not one.take()
    assert len(awake.take()) == 1
    ask(sleeper.address)
    answer = arp.parse(one.take()[0].data)
    assert answer is not None
    assert answer[:3] == (arp.REPLY, sleeper.mac, sleeper.address)
    assert "sleeper" not in one.node.got
    datapath.awaken("sleeper")
    ask(sleeper.address)
    assert not one.take()
    assert len(one.node.got["sleeper"]) == 1


def test_nobody_takes_an_address_that_is_anothers_by_arp() -> None:
    world = World(1)
    victim, thief = world.pod(1, 5), world.pod(1, 6)
    other = world.pod(1, 7)
    thief.send_frame(Frame(arp.announcement(thief.mac, victim.address)))
    stolen = ethernet.build(thief.node.bridge, victim.mac, ethernet.IPV4, b"")
    thief.send_frame(Frame(stolen))  # nor by its MAC
    other.send(udp_packet(other.address, 1, victim.address, 2))
    other.send(udp_packet(other.address, 1, victim.address, 2), to=victim.mac)
    assert len([f for f in victim.take() if f.data[12:14] == b"\x08\x00"]) == 2
    assert not [f for f in thief.take() if f.data[12:14] == b"\x08\x00"]


def test_an_address_that_is_only_known_by_arp_is_reached() -> None:
    world = World(1)
    one = world.pod(1, 5)
    guest = Pod(world, one.node, 99, plug=False)
    guest_mac = mac.of_address(1)
    one.node.datapath.add_port(world.now, "tap", guest_mac, [])
    one.send(udp_packet(one.address, 1, guest.address, 2))
    question = arp.parse(one.node.got["tap"][0].data)
    assert question is not None
    made = one.node.datapath.receive(world.now, "tap", Frame(arp.reply(question, guest_mac)))
    world.carry(one.node, made)
    assert Seen(one.node.got["tap"][1]).destination == guest.address


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (b"", drops.MALFORMED),
        (b"\x60" + bytes(39), drops.MALFORMED),
        (udp_packet(ip("10.244.1.5"), 1, ip("127.0.0.1"), 2), drops.MARTIAN),
        (udp_packet(ip("127.0.0.1"), 1, ip("10.244.2.7"), 2), drops.MARTIAN),
        (udp_packet(0, 1, ip("10.244.2.7"), 2), drops.MARTIAN),
        (udp_packet(ip("224.0.0.1"), 1, ip("10.244.2.7"), 2), drops.MARTIAN),
        (udp_packet(ip("10.244.1.5"), 1, ip("224.0.0.251"), 2), drops.MULTICAST),
        (udp_packet(ip("10.244.1.5"), 1, ip("10.244.1.255"), 2), drops.MULTICAST),
        (ipv4.header(ip("10.244.1.5"), ip("10.244.2.7"), 17, 3) + b"abc", drops.MALFORMED),
    ],
)
def test_packets_that_may_not_be_are_dropped_for_a_reason(packet: bytes, reason: str) -> None:
    world = World()
    one = world.pod(1, 5)
    one.send(packet)
    assert one.node.datapath.drops.counts == {reason: 1}
    assert not world.wire


def test_frames_that_are_no_ipv4_are_dropped_for_a_reason() -> None:
    world = World()
    one = world.pod(1, 5)
    bridge = one.node.bridge
    for data, reason in [
        (b"short", drops.MALFORMED),
        (ethernet.build(bridge, one.mac, ethernet.IPV6, bytes(40)), drops.IPV6),
        (ethernet.build(bridge, one.mac, 0x8847, bytes(40)), drops.PROTOCOL),
        (ethernet.build(b"\x02" * 6, one.mac, ethernet.IPV4, bytes(40)), drops.UNKNOWN_MAC),
        (ethernet.build(bridge, one.mac, ethernet.ARP, b"?"), drops.MALFORMED),
    ]:
        before = one.node.datapath.drops.get(reason)
        one.send_frame(Frame(data))
        assert one.node.datapath.drops.get(reason) == before + 1
    assert one.node.datapath.receive(1.0, "nobody", Frame(b"")) == []
    assert one.node.datapath.drops.get(drops.NO_PORT) == 1


def test_only_nodes_of_the_cluster_are_listened_to() -> None:
    world = World()
    one, two = world.pod(1, 5), world.pod(2, 7)
    one.send(udp_packet(one.address, 1, two.address, 2))
    two.take()
    (payload,) = _payloads(world)
    target = two.node.datapath
    frame = bytearray(payload)
    frame[8] ^= 2
    for address, data, reason in [
        (("192.0.2.1", 4789), payload, drops.UNKNOWN_PEER),
        (("127.9.0.2", 4789), b"\x00" + payload[1:], drops.VXLAN_HEADER),
        (("127.9.0.2", 4789), vxlan.header(2) + payload[8:], drops.VXLAN_HEADER),
        (("127.9.0.2", 4789), payload[:5], drops.VXLAN_HEADER),
        (("127.9.0.2", 4789), payload[:12], drops.MALFORMED),
        (("127.9.0.2", 4789), bytes(frame), drops.NOT_FOR_US),
    ]:
        before = target.drops.get(reason)
        assert target.from_peer(world.now, address, [data]) == []
        assert target.drops.get(reason) == before + 1
    assert target.from_cable(world.now, ("192.0.2.1", 4790), [payload[8:]]) == []
    assert target.from_cable(world.now, ("127.9.0.2", 4790), [payload[8:]]) == []
    # A VTEP of others may set bits that are reserved.
    made = target.from_peer(
        world.now, ("127.9.0.2", 4789), [b"\x08\x00\x00\x00\0\0\1\7" + payload[8:]]
    )
    assert len(made) == 1


def test_a_node_that_is_gone_is_reached_no_more() -> None:
    world = World()
    one, two = world.pod(1, 5), world.pod(2, 7)
    one.send(udp_packet(one.address, 1, two.address, 2))
    assert two.take()
    world.carry(one.node, one.node.datapath.set_peers(world.now, []))
    one.send(udp_packet(one.address, 1, two.address, 2))
    assert not two.take()


def test_a_pod_that_is_gone_gets_nothing_from_the_cache() -> None:
    world = World()
    one, two = world.pod(1, 5), world.pod(2, 7)
    for _ in range(2):
        one.send(udp_packet(one.address, 1, two.address, 2))
    two.take()
    two.node.datapath.remove_port(two.name)
    one.send(udp_packet(one.address, 1, two.address, 2))
    assert not two.take()
    world.pass_time(4)
    assert two.node.datapath.drops.counts == {drops.NO_NEIGHBOUR: 1}


def test_errors_are_sent_at_a_bounded_rate() -> None:
    world = World(nat=False)
    one = world.pod(1, 5)
    for _ in range(200):
        one.send(udp_packet(one.address, 1, ip("10.244.2.7"), 2, ttl=1))
    assert len(one.take()) == 50
    assert one.node.datapath.drops.get(drops.TTL) == 200


@pytest.mark.parametrize("nat", [False, True])
@pytest.mark.parametrize(
    ("backend", "turbo"), [("vxlan", False), ("vxlan", True), ("routed", False)]
)
def test_a_long_segment_is_cut_for_the_wire_or_goes_whole(
    backend: str, turbo: bool, nat: bool
) -> None:
    world = World(backend=backend, turbo=turbo, nat=nat)
    one, two = world.pod(1, 5), world.pod(2, 7)
    address = SERVICE if nat else two.address
    port = 80 if nat else 8080
    if one.node.nat is not None:
        one.node.nat.replace_services(world.now, [entry(two, protocol=6)])
    for flags, back in [(tcp.SYN, tcp.SYN | tcp.ACK), (tcp.ACK, tcp.ACK)]:
        one.send(tcp_packet(one.address, 1000, address, port, flags))
        two.send(tcp_packet(two.address, 8080, one.address, 1000, back))
    two.take(), one.take(), world.wire.clear()
    data = bytes(range(256)) * 100
    segment = tcp.Segment(1000, port, 1, 1, tcp.ACK | tcp.PSH, 65535, 0, b"", data)
    for _ in range(2):  # by the slow path, by the cache
        body = tcp.build(one.address, address, segment, partial=True)
        packet = ipv4.header(one.address, address, 6, len(body)) + body
        one.send(packet, gso_size=1410, csum_start=34, csum_offset=16)
        got = b""
        frames = two.take()
        assert len(frames) == 1
        for frame in frames:
            seen = Seen(frame)
            parsed = tcp.parse(frame.data, seen.header.payload, seen.header.end)
            assert parsed is not None
            assert parsed.sequence == 1 + len(got)
            assert seen.flow == ("10.244.1.5", 1000, "10.244.2.7", 8080)
            if frame.csum_start:
                field = checksum_field(frame)
                assert field == pseudo_of(seen)
            got += parsed.payload
        assert got == data
    for _, _, action in world.wire:
        assert isinstance(action, ToPeer | ToCable)
        for payload in action.payloads if isinstance(action, ToPeer) else action.frames:
            assert turbo == isinstance(payload, bytes)
            if not turbo:
                assert isinstance(payload, Train)
                assert max(len(piece) for piece in payload.pieces) <= 1500 + 14


def checksum_field(frame: Frame) -> int:
    at = frame.csum_start + frame.csum_offset
    return int.from_bytes(frame.data[at : at + 2], "big")


def pseudo_of(seen: Seen) -> int:
    return checksums.pseudo(seen.source, seen.destination, 6, len(seen.body))


def test_settings_say_what_is_wrong_with_them() -> None:
    network = Prefix(ip("10.244.1.0"), 24)
    for bad, words in [
        ({"name": ""}, "name"),
        ({"backend": "magic"}, "vxlan, routed, mesh"),
        ({"network": Prefix(ip("10.244.1.0"), 31)}, "too small"),
        ({"vni": 1 << 24}, "VNI"),
        ({"mtu": 1500}, "MTU"),
    ]:
        given = {"name": "n", "network": network, "address": ip("127.9.0.2")} | bad
        with pytest.raises(ValueError, match=words):
            Settings(**given)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="VTEP"):
        Peer("n", 1, network, b"\x01" * 6)


def test_traffic_is_counted_by_port_and_by_node() -> None:
    world = World()
    one, two = world.pod(1, 5), world.pod(2, 7)
    for _ in range(3):
        one.send(udp_packet(one.address, 1, two.address, 2))
    rows = [list(node.datapath.traffic()) for node in world.nodes]
    assert ("port", "pod5", 3, 0) in rows[0]
    assert ("node", "n2", 0, 3) in rows[0]
    assert ("port", "pod7", 0, 3) in rows[1]
    assert ("node", "n1", 3, 0) in rows[1]
    world.carry(one.node, one.node.datapath.set_peers(2.0, [two.node.datapath.me]))
    one.send(udp_packet(one.address, 1, two.address, 2))
    assert ("node", "n2", 0, 4) in list(one.node.datapath.traffic())


def test_broadcasts_reach_all_pods_that_are_there_and_nobody_else() -> None:
    world = World()
    one, other, far = world.pod(1, 5), world.pod(1, 6), world.pod(2, 7)
    sleeper = Pod(world, one.node, 8, plug=False)
    one.node.datapath.add_port(world.now, "sleeper", sleeper.mac, [sleeper.address], asleep=True)
    one.send(udp_packet(one.address, 68, addresses.BROADCAST, 67), to=mac.BROADCAST)
    assert [len(pod.take()) for pod in (one, other, far)] == [0, 1, 0]
    assert not {"sleeper", "host", "outside"} & set(one.node.got)
    assert not world.wire


def test_frames_of_other_protocols_are_switched_by_their_mac() -> None:
    world = World(1)
    one, other = world.pod(1, 5), world.pod(1, 6)
    one.send_frame(Frame(ethernet.build(other.mac, one.mac, 0x88CC, b"hello")))
    assert [frame.data[14:] for frame in other.take()] == [b"hello"]
