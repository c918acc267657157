"""Filters of captures take what a part of pcap-filter's language says."""

import pytest

from cluster.network.wire import addresses, arp, ethernet, icmp, ipv4, pcapfilter, tcp, udp, vxlan

ONE, TWO = addresses.parse("10.244.1.5"), addresses.parse("10.244.2.7")
NODE, OTHER = addresses.parse("127.1.0.2"), addresses.parse("127.1.0.3")
MACS = bytes(6), b"\x02" * 6


def packet(source: int, destination: int, protocol: int, body: bytes, fragment: int = 0) -> bytes:
    header = ipv4.header(source, destination, protocol, len(body), fragment=fragment)
    return ethernet.build(*MACS, ethernet.IPV4, header + body)


def in_vxlan(frame: bytes) -> bytes:
    body = udp.build(NODE, OTHER, 4789, 4789, vxlan.header(1) + frame)
    return packet(NODE, OTHER, ipv4.UDP, body)


SEGMENT = tcp.Segment(40000, 80, 1, 0, tcp.SYN, 1000, 0, b"", b"")
TCP = packet(ONE, TWO, ipv4.TCP, tcp.build(ONE, TWO, SEGMENT))
UDP = packet(ONE, TWO, ipv4.UDP, udp.build(ONE, TWO, 5000, 53, b"?"))
PING = packet(TWO, ONE, ipv4.ICMP, icmp.build(icmp.ECHO_REQUEST, 0, 1, b"x"))
REST = packet(ONE, TWO, ipv4.UDP, b"\0\x35\0\x35rest", fragment=10)
ARP = arp.request(MACS[1], ONE, TWO)
TUNNELLED = in_vxlan(TCP)
ALL = {
    "tcp": TCP, "udp": UDP, "ping": PING, "rest": REST, "arp": ARP, "vxlan": TUNNELLED,
    "short": bytes(14), "none": b"",
}  # fmt: skip

CASES = {
    "tcp": "tcp vxlan",
    "udp": "udp rest vxlan",
    "icmp": "ping",
    "arp": "arp",
    "ip": "tcp udp ping rest vxlan",
    "port 80": "tcp vxlan",
    "port 53": "udp",
    "udp port 53": "udp",
    "tcp port 53": "",
    "dst port 80 and src port 40000": "tcp vxlan",
    "src port 80": "",
    "port 4789": "vxlan",
    "portrange 50-60": "udp",
    "host 10.244.1.5": "tcp udp ping rest arp vxlan",
    "10.244.1.5": "tcp udp ping rest arp vxlan",
    "src host 10.244.2.7": "ping",
    "src 10.244.2.7": "ping",
    "dst 10.244.2.7 and not arp": "tcp udp rest vxlan",
    "net 127.0.0.0/8": "vxlan",
    "arp host 10.244.2.7": "arp",
    "host 127.1.0.2 and port 80": "vxlan",
    "not ip": "arp short none",
    "icmp or arp": "ping arp",
    "tcp or icmp and not port 4789": "tcp ping",
    "tcp or (udp and not port 4789)": "tcp udp rest vxlan",
    "! ( tcp || udp ) && ip": "ping",
    "not not icmp": "ping",
}


@pytest.mark.parametrize("text", CASES)
def test_a_filter_takes_what_it_says(text: str) -> None:
    matches = pcapfilter.compiled(text)
    assert matches is not None
    assert " ".join(name for name, data in ALL.items() if matches(data)) == CASES[text]


def test_an_empty_filter_is_none() -> None:
    assert pcapfilter.compiled("  ") is None


@pytest.mark.parametrize(
    "text",
    ["port", "port http", "port 70000", "host web", "net 10.0.0.0", "tcp and", "(tcp", "tcp)",
     "tcp udp", "portrange 5", "port 5-6", "src", "not", "greater 5", "(" * 50 + "tcp" + ")" * 50,
     "x" * 3000, "&"],
)  # fmt: skip
def test_what_is_no_filter_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"filter|port|address|network"):
        pcapfilter.compiled(text)
