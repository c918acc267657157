"""Frames are printed as tcpdump prints them."""

import pytest
from hostile_frames import frames
from test_pcap_filters import ARP, MACS, NODE, ONE, OTHER, PING, TCP, TUNNELLED, TWO, packet

from cluster.network.wire import (
    addresses,
    arp,
    ethernet,
    icmp,
    ipv4,
    pcapfilter,
    printing,
    tcp,
    udp,
)


def segment(flags: int, sequence: int, acknowledged: int, payload: bytes = b"") -> bytes:
    made = tcp.Segment(40000, 80, sequence, acknowledged, flags, 502, 0, b"", payload)
    return packet(ONE, TWO, ipv4.TCP, tcp.build(ONE, TWO, made))


def answer(flags: int, sequence: int, acknowledged: int) -> bytes:
    made = tcp.Segment(80, 40000, sequence, acknowledged, flags, 501, 0, b"", b"")
    return packet(TWO, ONE, ipv4.TCP, tcp.build(TWO, ONE, made))


def error(type_: int, code: int, mtu: int = 0) -> bytes:
    about = packet(ONE, TWO, ipv4.UDP, udp.build(ONE, TWO, 5000, 53, b"?"))[ethernet.HEADER :]
    return packet(NODE, ONE, ipv4.ICMP, icmp.error(type_, code, about, mtu=mtu))


QUESTION = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\3web\7default\0\0\1\0\1"
ANSWER = b"\x12\x34\x85\x83" + QUESTION[4:]

CASES = {
    "IP 10.244.1.5.40000 > 10.244.2.7.80: Flags [S], seq 1, win 1000, length 0": TCP,
    "IP 127.1.0.2.4789 > 127.1.0.3.4789: VXLAN, flags [I] (0x08), vni 1\n"
    "IP 10.244.1.5.40000 > 10.244.2.7.80: Flags [S], seq 1, win 1000, length 0": TUNNELLED,
    "IP 10.244.2.7 > 10.244.1.5: ICMP echo request, id 0, seq 1, length 9": PING,
    "ARP, Request who-has 10.244.2.7 tell 10.244.1.5, length 28": ARP,
    "ARP, Reply 10.244.2.7 is-at 02:02:02:02:02:02, length 28": arp.reply(
        arp.Packet(arp.REQUEST, MACS[0], ONE, MACS[0], TWO), MACS[1]
    ),
    "IP 127.1.0.2 > 10.244.1.5: ICMP 10.244.2.7 udp port 53 unreachable, length 37": error(3, 3),
    "IP 127.1.0.2 > 10.244.1.5: ICMP host 10.244.2.7 unreachable, length 37": error(3, 1),
    "IP 127.1.0.2 > 10.244.1.5: ICMP net 10.244.2.7 unreachable, length 37": error(3, 0),
    "IP 127.1.0.2 > 10.244.1.5: ICMP 10.244.2.7 unreachable - need to frag (mtu 1450), length 37":
    error(3, 4, 1450),
    "IP 127.1.0.2 > 10.244.1.5: ICMP time exceeded in-transit, length 37": error(11, 0),
    "IP 10.244.1.5.5000 > 10.244.2.7.9: UDP, length 3": packet(
        ONE, TWO, ipv4.UDP, udp.build(ONE, TWO, 5000, 9, b"abc")
    ),
    "IP 10.244.1.5.5000 > 10.244.2.7.53: 4660+ A? web.default. (29)": packet(
        ONE, TWO, ipv4.UDP, udp.build(ONE, TWO, 5000, 53, QUESTION)
    ),
    "IP 10.244.2.7.53 > 10.244.1.5.5000: 4660 NXDomain* q: A? web.default. 0/0/0 (29)": packet(
        TWO, ONE, ipv4.UDP, udp.build(TWO, ONE, 53, 5000, ANSWER)
    ),
    "IP 10.244.1.5 > 10.244.2.7: ip-proto-17, length 4": packet(
        ONE, TWO, ipv4.UDP, b"rest", fragment=10
    ),
    "[|ether]": b"short",
    "IP [|ip]": ethernet.build(*MACS, ethernet.IPV4, b"\x45"),
    "02:02:02:02:02:02 > 00:00:00:00:00:00, ethertype Unknown (0x88cc), length 16": ethernet.build(
        *MACS, 0x88CC, b"ab"
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", CASES)
def test_a_frame_is_printed(text: str) -> None:
    assert printing.Printer().text(CASES[text]) == text


def test_numbers_of_a_connection_count_from_its_begin() -> None:
    printer = printing.Printer()
    lines = [
        printer.text(one).partition(": ")[2]
        for one in (
            segment(tcp.SYN, 4_294_967_295, 0),
            answer(tcp.SYN | tcp.ACK, 7000, 0),
            segment(tcp.ACK, 0, 7001),
            segment(tcp.PSH | tcp.ACK, 0, 7001, b"GET /\x1b[2J HTTP/1.1\r\nHost: x\r\n\r\n"),
            answer(tcp.FIN | tcp.ACK, 7001, 32),
        )
    ]
    assert lines == [
        "Flags [S], seq 4294967295, win 502, length 0",
        "Flags [S.], seq 7000, ack 0, win 501, length 0",
        "Flags [.], ack 1, win 502, length 0",
        "Flags [P.], seq 1:32, ack 1, win 502, length 31: HTTP: GET /.[2J HTTP/1.1",
        "Flags [F.], seq 1, ack 33, win 501, length 0",
    ]


def test_options_are_told() -> None:
    told = tcp.build_options(
        tcp.Options(1410, 7, sack_permitted=True, timestamps=(5, 0), sack=((1, 2),))
    )
    made = tcp.Segment(1, 2, 9, 0, tcp.SYN, 10, 0, told, b"")
    text = printing.Printer().text(packet(ONE, OTHER, ipv4.TCP, tcp.build(ONE, OTHER, made)))
    assert "options [mss 1410,sackOK,TS val 5 ecr 0,wscale 7,sack 1 {1:2}]" in text


def test_hostile_frames_are_printed_and_filtered_without_a_fault() -> None:
    matches = pcapfilter.compiled("tcp port 80 or host 10.0.0.1 or arp and not icmp")
    assert matches is not None
    printer = printing.Printer()
    for data in frames(1, 5000):
        assert printer.text(data).replace("\n", "").isprintable()
        assert matches(data) in (True, False)
        inner = packet(NODE, OTHER, ipv4.UDP, udp.build(NODE, OTHER, 1, 4789, bytes(8) + data))
        assert printer.text(inner)
        matches(inner)
    assert addresses.text(NODE) == "127.1.0.2"
