"""Frames that nobody should send: whole ones broken in every way. Seeded."""

import random
from collections.abc import Iterator

from cluster.network.wire import addresses, arp, ethernet, icmp, ipv4, mac, tcp, udp, vxlan

ONE = addresses.parse("10.244.0.5")
TWO = addresses.parse("10.244.1.7")
_OPTIONS = tcp.build_options(tcp.Options(1410, 7, True, (1, 2), ((5, 9),)))


def framed(body: bytes, protocol: int, **header: int) -> bytes:
    packet = ipv4.header(ONE, TWO, protocol, len(body), **header) + body
    return ethernet.build(mac.of_address(TWO), mac.of_address(ONE), ethernet.IPV4, packet)


def whole() -> list[bytes]:
    """One right frame of each kind."""
    segment = tcp.Segment(40000, 80, 1, 2, tcp.ACK, 500, 0, b"", b"GET / HTTP/1.1\r\n\r\n")
    syn = tcp.Segment(40000, 80, 1, 0, tcp.SYN, 64000, 0, _OPTIONS, b"")
    datagram = udp.build(ONE, TWO, 5353, 53, b"who is there")
    data = framed(tcp.build(ONE, TWO, segment), ipv4.TCP)
    return [
        data,
        framed(tcp.build(ONE, TWO, syn), ipv4.TCP),
        framed(datagram, ipv4.UDP),
        framed(datagram, ipv4.UDP, fragment=ipv4.MORE_FRAGMENTS),
        framed(datagram, ipv4.UDP, fragment=100),
        framed(icmp.build(icmp.ECHO_REQUEST, 0, 1 << 16 | 1, b"x" * 56), ipv4.ICMP),
        framed(icmp.error(icmp.UNREACHABLE, 3, data[14:]), ipv4.ICMP),
        arp.request(mac.of_address(ONE), ONE, TWO),
        framed(udp.build(ONE, TWO, 1, vxlan.PORT, vxlan.header(1) + data), ipv4.UDP),
        ethernet.build(mac.BROADCAST, mac.of_address(ONE), ethernet.IPV6, bytes(60)),
    ]


def frames(seed: int, count: int) -> Iterator[bytes]:
    """`count` frames: some right, most cut, lengthened, changed in some bytes, or noise."""
    drawn = random.Random(seed)
    kinds = whole()
    for _ in range(count):
        frame = bytearray(kinds[int(drawn.random() * len(kinds))])
        way = drawn.random()
        if way < 0.1:
            yield drawn.randbytes(int(drawn.random() * 120))
            continue
        if way < 0.3:
            del frame[int(drawn.random() * len(frame)) :]
        elif way < 0.4:
            frame += drawn.randbytes(int(drawn.random() * 40))
        for _ in range(int(drawn.random() * 4) if frame else 0):
            # Mostly in the headers: there lengths and kinds are.
            most = len(frame) if drawn.random() < 0.2 else min(len(frame), 60)
            frame[int(drawn.random() * most)] = int(drawn.random() * 256)
        if way > 0.7 and len(frame) >= 34:
            frame[24:26] = b"\0\0"
            value = int.from_bytes(frame[14 : 14 + ((frame[14] & 15) << 2)], "big") % 0xFFFF
            frame[24:26] = (value ^ 0xFFFF).to_bytes(2, "big")
        yield bytes(frame)
