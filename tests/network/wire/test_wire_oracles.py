"""Others read our frames as we mean them, and we read theirs: scapy, dpkt, Wireshark."""

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from cluster.network.wire import (
    addresses,
    arp,
    ethernet,
    icmp,
    ipv4,
    mac,
    offload,
    pcap,
    tcp,
    udp,
    vxlan,
)
from cluster.network.wire.frame import Frame

dpkt = pytest.importorskip("dpkt")
pytest.importorskip("scapy")
inet = pytest.importorskip("scapy.layers.inet")
l2 = pytest.importorskip("scapy.layers.l2")
scapy_vxlan = pytest.importorskip("scapy.layers.vxlan")

ONE, TWO = addresses.parse("10.244.0.5"), addresses.parse("10.244.1.7")
MACS = mac.of_address(TWO), mac.of_address(ONE)
SYN = tcp.Options(1410, 7, True, (123, 456))


def framed(body: bytes, protocol: int, **header) -> bytes:
    packet = ipv4.header(ONE, TWO, protocol, len(body), **header) + body
    return ethernet.build(*MACS, ethernet.IPV4, packet)


def rebuilt(packet) -> bytes:
    """The packet as scapy makes it when all lengths and checksums are its own to find."""
    packet = packet.copy()
    layer = packet
    while layer:
        for field in ("chksum", "len", "ihl", "dataofs"):
            if field in layer.fields:
                delattr(layer, field)
        layer = layer.payload
    return bytes(packet)


FRAMES = {
    "syn": framed(
        tcp.build(
            ONE, TWO,
            tcp.Segment(40000, 80, 7, 0, tcp.SYN, 64240, 0, tcp.build_options(SYN), b""),
        ),
        ipv4.TCP,
    ),
    "data": framed(
        tcp.build(ONE, TWO, tcp.Segment(1, 2, 3, 4, tcp.ACK | tcp.PSH, 5, 0, b"", b"odd")),
        ipv4.TCP, ttl=3, tos=0x10, identification=77,
    ),
    "udp": framed(udp.build(ONE, TWO, 9998, 9999, b"hello"), ipv4.UDP),
    "echo": framed(icmp.build(icmp.ECHO_REQUEST, 0, 9 << 16 | 1, b"x" * 55), ipv4.ICMP),
    "fragment": framed(b"y" * 80, ipv4.UDP, fragment=ipv4.MORE_FRAGMENTS | 3),
    "options": framed(b"z" * 8, 200, options=b"\x94\x04\0\0"),
    "arp": arp.request(MACS[1], ONE, TWO),
    "vxlan": framed(udp.build(ONE, TWO, 55555, 4789, vxlan.header(77) + arp.request(
        MACS[1], ONE, TWO)), ipv4.UDP),
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
def test_scapy_makes_the_same_bytes(name: str) -> None:
    assert rebuilt(l2.Ether(FRAMES[name])) == FRAMES[name]


def test_scapy_reads_what_was_meant() -> None:
    read = l2.Ether(FRAMES["syn"])
    assert (read[inet.IP].src, read[inet.IP].dst) == ("10.244.0.5", "10.244.1.7")
    assert dict(read[inet.TCP].options) == {
        "MSS": 1410, "SAckOK": b"", "Timestamp": (123, 456), "NOP": None, "WScale": 7,
    }  # fmt: skip
    inner = l2.Ether(FRAMES["vxlan"])[scapy_vxlan.VXLAN]
    assert (inner.vni, inner[l2.ARP].pdst) == (77, "10.244.1.7")


def test_dpkt_reads_what_was_meant() -> None:
    segment = dpkt.ethernet.Ethernet(FRAMES["data"]).data.data
    assert (segment.sport, segment.dport, segment.seq, segment.ack) == (1, 2, 3, 4)
    assert segment.data == b"odd"
    message = dpkt.ethernet.Ethernet(FRAMES["echo"]).data.data
    assert (message.type, message.data.id, message.data.seq) == (8, 9, 1)


def test_we_read_scapy_s_segments() -> None:
    sack = [("NOP", None), ("SAck", (10, 20, 30, 40)), ("Timestamp", (9, 8)), ("EOL", None)]
    data = bytes(
        l2.Ether()
        / inet.IP(src="1.2.3.4", dst="5.6.7.8", options=inet.IPOption_Router_Alert())
        / inet.TCP(sport=1, dport=2, seq=3, ack=4, flags="FA", options=sack)
        / b"payload"
    )
    packet = ipv4.parse(data)
    assert packet is not None
    assert tcp.valid(data, packet.source, packet.destination, packet.payload, packet.end)
    segment = tcp.parse(data, packet.payload, packet.end)
    assert segment is not None
    assert (segment.flags, segment.payload) == (tcp.FIN | tcp.ACK, b"payload")
    options = tcp.options(segment.options)
    assert options.sack == ((10, 20), (30, 40))
    assert options.timestamps == (9, 8)


def test_scapy_s_fragments_are_ours() -> None:
    packet = ipv4.header(ONE, TWO, ipv4.UDP, 5000, fragment=0, identification=5) + bytes(5000)
    theirs = [bytes(one) for one in inet.fragment(inet.IP(packet), 1424)]
    ours = ipv4.fragments(packet, 1444)
    assert [one[:12] + one[20:] for one in ours] == [one[:12] + one[20:] for one in theirs]


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed (scripts/peers)")
def test_wireshark_finds_nothing_wrong(tmp_path: Path) -> None:
    body = tcp.build(
        ONE, TWO,
        tcp.Segment(4000, 9999, 1, 1, tcp.ACK | tcp.PSH, 500, 0,
                    tcp.build_options(tcp.Options(timestamps=(1, 2))),
                    random.Random(1).randbytes(20_001)),
        partial=True,
    )  # fmt: skip
    long = Frame(framed(body, ipv4.TCP), 1398, 34, tcp.CHECKSUM)
    wrapped = [
        framed(udp.build(ONE, TWO, 50000, vxlan.PORT, piece), ipv4.UDP)
        for train in offload.trains(long, vxlan.header(1))
        for piece in train.pieces
    ]
    frames = [*FRAMES.values(), *offload.cut(long), *wrapped]
    file = tmp_path / "all.pcap"
    records = (pcap.record(at / 7, frame, nanoseconds=True) for at, frame in enumerate(frames))
    file.write_bytes(pcap.header(nanoseconds=True) + b"".join(records))
    checked = [f"{name}.check_checksum:TRUE" for name in ("ip", "tcp", "udp")]
    said = subprocess.run(
        ["tshark", "-r", str(file), *(part for one in checked for part in ("-o", one)),
         "-T", "fields", "-e", "frame.protocols", "-e", "ip.checksum.status",
         "-e", "tcp.checksum.status", "-e", "udp.checksum.status", "-e", "icmp.checksum.status",
         "-e", "_ws.malformed"],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout.splitlines()  # fmt: skip
    assert len(said) == len(frames)
    for line in said:
        _protocols, *statuses, malformed = line.split("\t")
        assert not malformed, line
        assert all(set(status.split(",")) <= {"", "1"} for status in statuses), line
    assert sum(line.startswith("eth:ethertype:ip:udp:vxlan:eth") for line in said) == 16
