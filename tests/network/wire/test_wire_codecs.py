"""Every codec reads what it wrote, as scapy reads and writes it."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.network.wire import (
    addresses,
    arp,
    checksums,
    ethernet,
    icmp,
    ipv4,
    mac,
    pcap,
    tcp,
    udp,
    vxlan,
)

ONE = addresses.parse("10.244.0.5")
TWO = addresses.parse("10.244.1.7")
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)


def slow_sum(data: bytes) -> int:
    """RFC 1071, word by word."""
    padded = data + b"\0" * (len(data) & 1)
    value = 0
    for at in range(0, len(padded), 2):
        value += padded[at] << 8 | padded[at + 1]
        value = (value & 0xFFFF) + (value >> 16)
    return value


@given(st.binary(max_size=200))
@settings(max_examples=60)
def test_sums_are_those_of_the_rfc(data: bytes) -> None:
    assert checksums.total(data) == slow_sum(data)


@pytest.mark.parametrize("length", [0, 1, 2, 6144, 6145, 6146, 65535])
@pytest.mark.parametrize("fill", [None, 0, 0xFF])
def test_long_sums_are_those_of_short_ones(length: int, fill: int | None) -> None:
    data = random.Random(length).randbytes(length) if fill is None else bytes([fill]) * length
    assert checksums.total(data) == slow_sum(data)


@given(st.binary(min_size=20, max_size=60), u32, u16)
@settings(max_examples=60)
def test_a_checksum_follows_changes_without_the_rest(data: bytes, word: int, short: int) -> None:
    data += b"\1" + b"\0" * (len(data) + 1 & 1)
    changed = data[:4] + word.to_bytes(4, "big") + data[8:10] + short.to_bytes(2, "big") + data[12:]
    delta = checksums.delta32(int.from_bytes(data[4:8], "big"), word) + checksums.delta16(
        int.from_bytes(data[10:12], "big"), short
    )
    assert checksums.applied(checksums.checksum(data), delta) == checksums.checksum(changed)


def test_addresses_are_read_strictly() -> None:
    assert addresses.text(addresses.parse("192.168.0.255")) == "192.168.0.255"
    for wrong in ("1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1..2.3", " 1.2.3.4", "１.2.3.4"):
        with pytest.raises(ValueError, match="no IPv4 address"):
            addresses.parse(wrong)
    pods = addresses.prefix("10.244.1.9/24")
    assert str(pods) == "10.244.1.0/24"
    assert TWO in pods
    assert ONE not in pods
    assert addresses.text(pods.last) == "10.244.1.255"
    assert ONE in addresses.prefix("0.0.0.0/0")


def test_macs_of_pods_are_those_of_cni() -> None:
    assert mac.text(mac.of_address(ONE)) == "0a:58:0a:f4:00:05"
    assert mac.parse("0a:58:0a:f4:00:05") == mac.of_address(ONE)
    made = mac.made_up(random.Random(1))
    assert made[0] & 3 == 2
    assert not mac.is_group(made)


@given(u16, u16, u32, u32, st.integers(0, 255), u16, st.binary(max_size=64), st.booleans())
@settings(max_examples=50)
def test_tcp_segments_come_back(
    source: int,
    destination: int,
    sequence: int,
    acknowledgment: int,
    flags: int,
    window: int,
    payload: bytes,
    stamped: bool,
) -> None:
    options = tcp.build_options(tcp.Options(timestamps=(1, 2)) if stamped else tcp.NONE)
    segment = tcp.Segment(
        source, destination, sequence, acknowledgment, flags, window, 0, options, payload
    )
    data = tcp.build(ONE, TWO, segment)
    assert tcp.parse(data, 0, len(data)) == segment
    assert tcp.valid(data, ONE, TWO, 0, len(data))
    assert not tcp.valid(data[:-1] + bytes([data[-1] ^ 1]), ONE, TWO, 0, len(data))


def test_tcp_options_are_linux_s() -> None:
    syn = tcp.Options(1460, 7, True, (5, 6))
    raw = tcp.build_options(syn)
    assert raw.hex() == "020405b40402080a000000050000000601030307"
    assert tcp.options(raw) == syn
    blocks = tcp.Options(timestamps=(1, 2), sack=((1, 2), (3, 4), (5, 6), (7, 8)))
    assert tcp.options(tcp.build_options(blocks)).sack == blocks.sack[:3]
    assert tcp.options(b"\x01\x03\x03\xff").window_scale == 14
    assert tcp.options(b"\x02\x04\x05\xb4\x08\x00") == tcp.Options(mss=1460)


def test_sequence_numbers_wrap() -> None:
    assert tcp.before(0xFFFFFFFF, 3)
    assert not tcp.before(3, 0xFFFFFFFF)
    assert not tcp.before(3, 3)
    assert tcp.distance(0xFFFFFFFE, 3) == 5
    assert tcp.distance(3, 0xFFFFFFFE) == -5


def test_udp_datagrams_come_back_and_zero_means_no_checksum() -> None:
    data = udp.build(ONE, TWO, 53, 5353, b"odd")
    header = udp.parse(data, 0, len(data))
    assert header is not None
    assert header[:2] == (53, 5353)
    assert data[header.payload : header.end] == b"odd"
    assert udp.valid(data, ONE, TWO, header)
    assert not udp.valid(data, ONE, TWO + 1, header)
    bare = data[:6] + b"\0\0" + data[8:]
    unchecked = udp.parse(bare, 0, len(bare))
    assert unchecked is not None
    assert udp.valid(bare, ONE, TWO + 1, unchecked)
    assert udp.parse(data, 0, len(data) - 1) is None


def test_fragments_make_the_packet_again() -> None:
    payload = random.Random(2).randbytes(3001)
    packet = ipv4.header(ONE, TWO, ipv4.UDP, 3001, fragment=0, identification=7) + payload
    pieces = ipv4.fragments(packet, 1450)
    assert [len(piece) for piece in pieces] == [1444, 1444, 173]
    whole = bytearray(3001)
    for piece in pieces:
        header = ipv4.parse(piece, 0)
        assert header is not None
        assert header.identification == 7
        whole[header.fragment_offset :][: len(piece)] = b""
        start = header.fragment_offset
        whole[start : start + len(piece) - header.payload] = piece[header.payload :]
    assert bytes(whole) == payload


def test_only_options_to_be_copied_are_in_later_fragments() -> None:
    route, stamp = b"\x83\x07\x04\x01\x02\x03\x04", b"\x44\x08\x05\x00\x00\x00\x00\x00"
    options = route + stamp + b"\0"
    packet = ipv4.header(ONE, TWO, 17, 100, fragment=0, options=options) + bytes(100)
    first, second, *_ = ipv4.fragments(packet, 76)
    assert first[20:36] == options
    assert second[20:28] == route + b"\0"
    assert all(ipv4.parse(piece, 0) for piece in (first, second))


def test_icmp_errors_quote_and_are_never_about_errors() -> None:
    packet = ipv4.header(ONE, TWO, ipv4.UDP, 3000) + udp.build(ONE, TWO, 1, 2, bytes(2992))
    error = icmp.error(icmp.UNREACHABLE, icmp.FRAGMENTATION_NEEDED, packet, mtu=1450)
    message = icmp.parse(error)
    assert message is not None
    assert message.mtu == 1450
    assert len(error) <= 576 - 20
    about = icmp.quoted(message)
    assert about is not None
    assert (about.source, about.destination, about.protocol) == (ONE, TWO, ipv4.UDP)
    around = ipv4.header(TWO, ONE, ipv4.ICMP, len(error)) + error
    header = ipv4.parse(around, 0)
    assert header is not None
    assert not icmp.may_be_answered_by_error(around, header)
    inner = ipv4.parse(packet, 0)
    assert inner is not None
    assert icmp.may_be_answered_by_error(packet, inner)


def test_vxlan_is_strict() -> None:
    assert vxlan.header(1).hex() == "0800000000000100"
    assert vxlan.parse(vxlan.header(0xABCDEF) + b"frame") == 0xABCDEF
    assert vxlan.parse(b"\0" + vxlan.header(1)[1:]) is None
    assert vxlan.parse(vxlan.header(1)[:7]) is None


@pytest.mark.parametrize("nanoseconds", [False, True])
def test_captures_come_back(nanoseconds: bool) -> None:
    frames = [b"a" * 60, b"b" * 100]
    capture = pcap.header(nanoseconds=nanoseconds) + b"".join(
        pcap.record(1_700_000_000.25 + at, frame, nanoseconds=nanoseconds, snaplen=80)
        for at, frame in enumerate(frames)
    )
    read = list(pcap.read(capture))
    assert [(record.data, record.length) for record in read] == [(frames[0], 60), (b"b" * 80, 100)]
    assert read[1].time == pytest.approx(1_700_000_001.25)
    with pytest.raises(ValueError, match="cut"):
        list(pcap.read(capture[:-1]))


def test_arp_asks_and_answers() -> None:
    mine, theirs = mac.of_address(ONE), mac.of_address(TWO)
    question = arp.parse(arp.request(mine, ONE, TWO))
    assert question == arp.Packet(arp.REQUEST, mine, ONE, mac.ZERO, TWO)
    answer = arp.reply(question, theirs)
    assert ethernet.parse(answer) == (mine, theirs, ethernet.ARP)
    assert arp.parse(answer) == arp.Packet(arp.REPLY, theirs, TWO, mine, ONE)
