"""What a kernel's device says before a frame is believed as far as a kernel would say it."""

import struct

import pytest

from cluster.network.wire import offload, virtio

HEAD = 14 + 20
TCP_FIELD, UDP_FIELD = 16, 6


def given(gso: int, size: int, field: int, payload: int) -> bytes:
    header = struct.pack("=BBHHHH", virtio.NEEDS_CHECKSUM, gso, HEAD, size, HEAD, field)
    frame = virtio.parse(header, bytes(HEAD + 20 + payload))
    return b"" if frame is None else b"%d" % frame.gso_size


@pytest.mark.parametrize(
    ("gso", "size", "field", "payload", "believed"),
    [
        (virtio.TCPV4, 1448, TCP_FIELD, 60_000, True),
        (virtio.TCPV4, 8, TCP_FIELD, 60_000, True),
        (virtio.TCPV4, 7, TCP_FIELD, 60_000, False),
        (virtio.TCPV4, 0, TCP_FIELD, 60_000, False),
        (virtio.UDP_L4, 500, UDP_FIELD, 60_000, True),
        (virtio.UDP_L4, 100, UDP_FIELD, 60_000, False),
        (virtio.TCPV4, 100, UDP_FIELD, 60_000, False),
        (virtio.UDP_L4, 100, UDP_FIELD, 100, True),
        (3, 1448, UDP_FIELD, 60_000, False),
    ],
)
def test_one_frame_is_not_cut_into_a_flood(
    gso: int, size: int, field: int, payload: int, believed: bool
) -> None:
    assert given(gso, size, field, payload) == (b"%d" % size if believed else b"")


def test_what_is_given_is_what_was_said() -> None:
    header = struct.pack("=BBHHHH", virtio.NEEDS_CHECKSUM, virtio.TCPV4, HEAD + 20, 1448, HEAD, 16)
    data = bytearray(HEAD + 20 + 3000)
    data[12:14], data[14], data[23], data[HEAD + 12] = b"\x08\x00", 0x45, 6, 0x50
    frame = virtio.parse(header, bytes(data))
    assert frame is not None
    assert virtio.header(frame) == header
    assert virtio.header(virtio.parse(virtio.PLAIN, b"x")) == virtio.PLAIN
    assert offload.datagrams(frame) == []
