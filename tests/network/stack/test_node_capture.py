"""What captures of a node show, and that Wireshark reads all of it."""

import shutil
import subprocess
from pathlib import Path

import pytest
from datapathnodes import OUTSIDE_MAC, Pod, World, entry, ip, tcp_packet, udp_packet

from cluster.network.stack.capture import Seen
from cluster.network.wire import ethernet, ipv4, pcap, tcp
from cluster.network.wire.frame import Frame


def watched(world: World, number: int, interface: str) -> list[Seen]:
    seen: list[Seen] = []
    world.nodes[number - 1].datapath.captures.add(interface, seen.append)
    return seen


def places(seen: list[Seen]) -> list[tuple[str, bool]]:
    return [(one.interface, one.inbound) for one in seen]


def test_a_packet_is_seen_once_at_each_place_that_it_passes() -> None:
    world = World()
    one, two = world.pod(1, 5), world.pod(2, 7)
    here, there = watched(world, 1, "any"), watched(world, 2, "any")
    pods, inner, wire = (watched(world, 2, name) for name in ("cni0", "flannel.1", "eth0"))
    for _ in range(3):
        one.send(udp_packet(one.address, 1, two.address, 2))
        two.take()
        assert places(here) == [("pod5", True), ("eth0", False)]
        assert places(there) == [("eth0", True), ("pod7", False)]
        assert places(pods) == [("pod7", False)]
        assert places(inner) == [("flannel.1", True)]
        assert places(wire) == [("eth0", True)]
        assert wire[0].data.endswith(inner[0].data)
        assert wire[0].data == here[1].data
        for list_ in (here, there, pods, inner, wire):
            list_.clear()


def test_a_capture_ends_and_takes_what_it_wants() -> None:
    world = World()
    one, two = world.pod(1, 5), world.pod(2, 7)
    seen: list[Seen] = []
    captures = one.node.datapath.captures
    capture = captures.add("pod5", seen.append, lambda data: data[36:38] == b"\x00\x02")
    for port in (2, 3, 2):
        one.send(udp_packet(one.address, 1, two.address, port))
    assert len(seen) == 2
    captures.remove(capture)
    captures.remove(capture)
    one.send(udp_packet(one.address, 1, two.address, 2))
    assert len(seen) == 2
    assert not captures.active


@pytest.mark.parametrize("backend", ["vxlan", "routed"])
def test_captures_show_what_a_wire_would_have_whatever_travels(backend: str) -> None:
    world = World(backend=backend, turbo=True)
    one, two = world.pod(1, 5), world.pod(2, 7)
    open_connection(one, two)
    seen = watched(world, 2, "eth0")
    data = bytes(range(256)) * 40
    send_long(one, two, data)
    assert len(seen) == 8
    assert max(len(one.data) for one in seen) <= 1514


def open_connection(one: Pod, two: Pod) -> None:
    for flags, back in [(tcp.SYN, tcp.SYN | tcp.ACK), (tcp.ACK, tcp.ACK)]:
        one.send(tcp_packet(one.address, 1000, two.address, 80, flags))
        two.send(tcp_packet(two.address, 80, one.address, 1000, back))
    one.take()
    two.take()


def send_long(one: Pod, two: Pod, data: bytes) -> None:
    segment = tcp.Segment(1000, 80, 1, 1, tcp.ACK | tcp.PSH, 65535, 0, b"", data)
    body = tcp.build(one.address, two.address, segment, partial=True)
    packet = ipv4.header(one.address, two.address, 6, len(body)) + body
    one.send(packet, gso_size=1400, csum_start=34, csum_offset=16)


def node_port_request(world: World) -> None:
    """A client's HTTP request by a node port, and its answer."""
    node, pod = world.nodes[0], world.pod(2, 7)
    assert node.nat is not None
    node.nat.replace_services(world.now, [entry(pod, node_port=30080, protocol=6)])
    client = ip("192.0.2.9")
    sent, answered = 100, 500

    def ask(flags: int, data: bytes = b"") -> None:
        nonlocal sent
        segment = tcp.Segment(4000, 30080, sent, answered, flags, 65535, 0, b"", data)
        body = tcp.build(client, node.address, segment)
        packet = ipv4.header(client, node.address, 6, len(body)) + body
        frame = Frame(ethernet.build(node.eth0, OUTSIDE_MAC, ethernet.IPV4, packet))
        world.carry(node, node.datapath.receive(world.now, "outside", frame))
        sent += len(data) + (flags & 3 > 0)

    def answer(flags: int, data: bytes = b"") -> None:
        nonlocal answered
        at = pod.one()
        segment = tcp.Segment(8080, at.source_port, answered, sent, flags, 65535, 0, b"", data)
        body = tcp.build(pod.address, at.source, segment, partial=True)
        packet = ipv4.header(pod.address, at.source, 6, len(body)) + body
        pod.send(packet, gso_size=1400 if len(data) > 1400 else 0, csum_start=34, csum_offset=16)
        answered += len(data) + (flags & 3 > 0)

    page = b"<p>" + b"kubemu " * 500
    ask(tcp.SYN)
    answer(tcp.SYN | tcp.ACK)
    ask(tcp.ACK | tcp.PSH, b"GET /index.html HTTP/1.1\r\nHost: web\r\n\r\n")
    answer(
        tcp.ACK | tcp.PSH,
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page),
    )
    ask(tcp.ACK | tcp.FIN)
    answer(tcp.ACK | tcp.FIN)
    ask(tcp.ACK)


def decoded(path: Path, seen: list[Seen], fields: list[str]) -> list[list[str]]:
    """What tshark says of frames."""
    records = (pcap.record(index / 1000, one.data) for index, one in enumerate(seen))
    path.write_bytes(pcap.header() + b"".join(records))
    command = ["tshark", "-r", str(path), "-T", "fields", "-E", "separator=|"]
    for check in ("ip.check_checksum", "tcp.check_checksum", "udp.check_checksum"):
        command += ["-o", f"{check}:TRUE"]
    for field in fields:
        command += ["-e", field]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [line.split("|") for line in run.stdout.splitlines()]


@pytest.mark.skipif(
    shutil.which("tshark") is None, reason="tshark is not installed (scripts/peers)"
)
@pytest.mark.parametrize("turbo", [False, True])
def test_tshark_decodes_a_node_port_request_without_a_fault(tmp_path: Path, turbo: bool) -> None:
    world = World(turbo=turbo)
    entrance, pod = watched(world, 1, "eth0"), watched(world, 2, "cni0")
    node_port_request(world)
    fields = [
        "_ws.malformed",
        "vxlan.vni",
        "ip.addr",
        "http.request.uri",
        "http.response.code",
        "ip.checksum.status",
        "tcp.checksum.status",
    ]
    outer = decoded(tmp_path / "outer.pcap", entrance, fields)
    inner = decoded(tmp_path / "inner.pcap", pod, fields)
    assert [len(outer), len(inner)] == [len(entrance), len(pod)] == [18, 9]
    for row in outer + inner:
        assert row[0] == ""
        assert set((row[5] + "," + row[6]).split(",")) == {"1"}
    tunnel = "127.9.0.2,127.9.0.3,10.244.1.0,10.244.2.7"
    back = "127.9.0.3,127.9.0.2,10.244.2.7,10.244.1.0"
    requests = [(row[1], row[2]) for row in outer if row[3] == "/index.html"]
    assert requests == [("", "192.0.2.9,127.9.0.2"), ("1", tunnel)]
    answers = [(row[1], row[2]) for row in outer if row[4] == "200"]
    assert answers == [("1", back), ("", "127.9.0.2,192.0.2.9")]
    assert [row[2] for row in inner if row[3]] == ["10.244.1.0,10.244.2.7"]
    assert [row[2] for row in inner if row[4]] == ["10.244.2.7,10.244.1.0"]
