"""Whatever comes: the flow cache does what the slow path would, and nothing hostile does harm."""

import random
from typing import NamedTuple

import pytest
from datapathnodes import SERVICE, Pod, World, echo_request, entry, ip, tcp_packet
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.network.stack import drops, fdb, flows, neigh
from cluster.network.stack.actions import ToCable, ToPeer
from cluster.network.wire import arp, checksums, ethernet, ipv4, tcp, udp, vxlan
from cluster.network.wire.frame import Frame
from cluster.network.wire.trains import Train


class Given(NamedTuple):
    """A packet that a pod sends."""

    sender: int
    target: int
    protocol: int
    port: int
    flags: int
    size: int
    ttl: int
    tos: int
    fragment: int
    checksum: str
    answer: bool


_PACKETS = st.builds(
    Given,
    sender=st.sampled_from([0, 0, 1, 2, 2]),
    target=st.sampled_from([0, 0, 1, 1, 2, 2, 3, 4, 5]),
    protocol=st.sampled_from([6, 6, 6, 17, 17, 1]),
    port=st.sampled_from([80, 8080]),
    flags=st.sampled_from(
        [tcp.SYN, tcp.SYN | tcp.ACK, tcp.ACK, tcp.ACK, tcp.ACK, tcp.ACK, tcp.FIN | tcp.ACK, tcp.RST]
    ),
    size=st.sampled_from([0, 1, 700, 1380, 1410, 1500, 4000]),
    ttl=st.sampled_from([64, 64, 64, 3, 2, 1]),
    tos=st.sampled_from([0, 0, 2]),
    fragment=st.sampled_from([ipv4.DONT_FRAGMENT, ipv4.DONT_FRAGMENT, 0]),
    checksum=st.sampled_from(["whole", "whole", "partial", "none", "wrong"]),
    answer=st.booleans(),
)


class _Case:
    def __init__(self, *, cached: bool, backend: str, turbo: bool) -> None:
        self.world = World(backend=backend, turbo=turbo)
        self.cached = cached
        self.pods = [self.world.pod(1, 5), self.world.pod(1, 6), self.world.pod(2, 7)]
        for node in self.world.nodes:
            assert node.nat is not None
            node.nat.replace_services(
                0.0, [entry(*self.pods[1:], protocol=17), _named(entry(self.pods[2], protocol=6))]
            )
        self._connect()

    def _connect(self) -> None:
        """TCP from the first pod to the service and to both others, from port 1080."""
        client = self.pods[0]
        for target, server in (
            (SERVICE, self.pods[2]), (self.pods[2].address, self.pods[2]),
            (self.pods[1].address, self.pods[1]),
        ):  # fmt: skip
            to = server.mac if target == self.pods[1].address else b""
            port = 80 if target == SERVICE else 8080
            for flags, back in ((tcp.SYN, tcp.SYN | tcp.ACK), (tcp.ACK, tcp.ACK)):
                client.send(tcp_packet(client.address, 1080, target, port, flags), to)
                back_to = client.mac if to else b""
                server.send(tcp_packet(server.address, 8080, client.address, 1080, back), back_to)
        assert all(node.nat and len(node.nat.conntrack) for node in self.world.nodes)

    def send(self, one: Given) -> None:
        pod = self.pods[one.sender]
        targets = [
            SERVICE, self.pods[2].address, self.pods[0].address, self.pods[1].address,
            ip("198.51.100.7"), pod.node.address,
        ]  # fmt: skip
        target = targets[one.target]
        if not self.cached:
            for node in self.world.nodes:
                node.datapath.forget_flows()
        to = pod.node.bridge
        for other in self.pods:
            if other.address == target and other is not pod and other.node is pod.node:
                to = other.mac
        pod.send_frame(_frame(pod, to, target, one))
        self.world.now += 0.01

    def outcome(self) -> object:
        got = [(node.name, sorted(node.got.items())) for node in self.world.nodes]
        counts = [dict(node.datapath.drops.counts) for node in self.world.nodes]
        return got, self.world.wire, counts


def _named(other):  # type: ignore[no-untyped-def]
    return other._replace(key="default/tcp")


def _frame(pod: Pod, to: bytes, target: int, one: Given) -> Frame:
    source, port = (8080, 1080) if one.answer else (1080, one.port)
    data = bytes(range(250)) * 20
    data = data[: one.size]
    offloads: dict[str, int] = {}
    if one.protocol == ipv4.TCP:
        segment = tcp.Segment(source, port, 1, 1, one.flags, 65535, 0, b"", data)
        partial = one.checksum == "partial"
        body = tcp.build(pod.address, target, segment, partial=partial)
        if partial:
            offloads = {"csum_start": 34, "csum_offset": 16}
            if one.size > 1410:
                offloads["gso_size"] = 1400
    elif one.protocol == ipv4.UDP:
        body = udp.build(pod.address, target, source, port, data)
        if one.checksum == "none":
            body = body[:6] + bytes(2) + body[8:]
        elif one.checksum == "partial":
            sum_ = checksums.pseudo(pod.address, target, ipv4.UDP, len(body))
            body = body[:6] + sum_.to_bytes(2, "big") + body[8:]
            offloads = {"csum_start": 34, "csum_offset": 6}
    else:
        whole = echo_request(pod.address, target, data)
        body = whole[20:]
    if one.checksum == "wrong":
        body = body[:-1] + b"\xaa"
    header = ipv4.header(
        pod.address, target, one.protocol, len(body),
        ttl=one.ttl, tos=one.tos, fragment=one.fragment, identification=7,
    )  # fmt: skip
    return Frame(ethernet.build(to, pod.mac, ethernet.IPV4, header + body), **offloads)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(_PACKETS, st.integers(1, 3)), min_size=1, max_size=12),
    st.sampled_from([("vxlan", False), ("vxlan", True), ("routed", False)]),
)
def test_the_cache_does_what_the_slow_path_would(
    packets: list[tuple[Given, int]], kind: tuple[str, bool]
) -> None:
    cases = [_Case(cached=cached, backend=kind[0], turbo=kind[1]) for cached in (True, False)]
    for packet, times in packets:
        for _ in range(times):
            for case in cases:
                case.send(packet)
    cached, slow = cases
    assert cached.outcome() == slow.outcome()


def _seeds(world: World, pods: list[Pod]) -> list[bytes]:
    """Frames that are right, to be spoiled."""
    one, _, two = pods
    seeds = [
        ethernet.build(one.node.bridge, one.mac, ethernet.IPV4, packet)
        for packet in (
            tcp_packet(one.address, 1000, SERVICE, 80, tcp.SYN),
            tcp_packet(one.address, 1000, two.address, 80, tcp.ACK, bytes(100)),
            echo_request(one.address, two.address),
            *ipv4.fragments(echo_request(one.address, two.address, bytes(2000), fragment=0), 576),
        )
    ]
    seeds.append(arp.request(one.mac, one.address, two.address))
    seeds.append(arp.announcement(one.mac, one.address))
    return seeds


def _spoiled(generator: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(generator.choice((0, 1, 1, 2, 4))):
        if changed:
            changed[generator.randrange(len(changed))] = generator.randrange(256)
    if generator.random() < 0.2:
        del changed[generator.randrange(len(changed) + 1) :]
    if generator.random() < 0.1:
        changed += generator.randbytes(generator.randrange(64))
    return bytes(changed)


def test_hostile_frames_never_raise_and_leave_nothing_behind() -> None:
    _attack(12_000)


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_ten_million_hostile_frames_never_raise_and_leave_nothing_behind() -> None:
    _attack(10_000_000)


def _attack(turns: int) -> None:
    """Let a node's ports and sockets take so many broken frames; what it keeps is bounded."""
    generator = random.Random(5)
    world = World(3, "mesh", turbo=True)
    pods = [world.pod(1, 5), world.pod(1, 6), world.pod(2, 7)]
    node = world.nodes[0]
    datapath = node.datapath
    for each in world.nodes:
        each.datapath.captures.add("any", lambda seen: None)
    seeds = _seeds(world, pods)
    inner = ethernet.build(
        datapath.vtep.mac,
        b"\x02abcde",
        ethernet.IPV4,
        echo_request(pods[2].address, pods[0].address),
    )
    plain = vxlan.header(1)
    peer, cable = ("127.9.0.3", 4789), ("127.9.0.3", 4790)
    gossip = ethernet.build(
        node.eth0, b"\x02abcde", 0x88B5, b"\x03\x02n9\x00" + generator.randbytes(60)
    )
    for turn in range(turns):
        world.now += 0.001
        data = _spoiled(generator, generator.choice(seeds))
        way = turn % 5
        if way == 0:
            port = generator.choice(("pod5", "pod6", "host", "outside"))
            offloads = {}
            if generator.random() < 0.3:
                offloads = {
                    "csum_start": generator.choice((34, 14, 60, 4000)),
                    "csum_offset": generator.choice((16, 6, 0)),
                    "gso_size": generator.choice((0, 1, 500, 70000)),
                }
            made = datapath.receive(world.now, port, Frame(data, **offloads))
        elif way == 1:
            made = datapath.from_peer(world.now, peer, [_spoiled(generator, plain + inner)])
        elif way == 2:
            payload = _spoiled(generator, b"\x08\x01\x05\x00\0\0\1\0" + inner)
            made = datapath.from_peer(world.now, peer, [payload])
        elif way == 3:
            train = Train(_spoiled(generator, (plain + inner) * 4), len(plain + inner))
            made = datapath.from_peer(world.now, peer, [train])
        else:
            made = datapath.from_cable(world.now, cable, [data, _spoiled(generator, gossip)])
        for action in made:
            assert isinstance(action, ToPeer | ToCable) or action.frames
        due = datapath.deadline
        if due is not None and due <= world.now:
            datapath.tick(world.now)
    assert datapath.drops.get(drops.MALFORMED) > 100
    assert datapath.flows <= flows.LARGEST
    assert len(list(datapath.fdb(world.now))) <= fdb.LARGEST + 2
    assert len(list(datapath.neighbours(world.now))) <= neigh.LARGEST + neigh.UNRESOLVED + 2
    world.pass_time(100, step=1)
    assert datapath._slow.reassembly._held == 0
    assert [row.state for row in datapath.neighbours(world.now)].count("INCOMPLETE") == 0


def test_a_pod_cannot_fill_tables() -> None:
    world = World(1)
    one = world.pod(1, 5)
    datapath = one.node.datapath
    for number in range(fdb.LARGEST + 500):
        source = b"\x02\x00" + number.to_bytes(4, "big")
        one.send_frame(Frame(ethernet.build(one.node.bridge, source, 0x9000, b"")))
    assert len(list(datapath.fdb(world.now))) == fdb.LARGEST + 1
    for number in range(2000):
        target = one.node.datapath.settings.network.network + 10 + number % 240
        one.send(tcp_packet(one.address, number + 1, target, 80, tcp.SYN))
    states = [row.state for row in datapath.neighbours(world.now)]
    assert states.count("INCOMPLETE") <= 240
    assert datapath.drops.get(drops.NEIGHBOUR_QUEUE) == 2000 - 240 * 0 - _room(2000)


def _room(sent: int) -> int:
    """Packets that may wait: a few an address."""
    return sum(min(neigh.WAITING, len(range(at, sent, 240))) for at in range(240))
