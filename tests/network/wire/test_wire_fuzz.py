"""No bytes make a codec raise, or say something that lies outside of them."""

import pytest
from hostile_frames import frames

from cluster.network.wire import (
    arp,
    ethernet,
    icmp,
    ipv4,
    offload,
    tcp,
    trains,
    udp,
    virtio,
    vxlan,
)
from cluster.network.wire.frame import Frame


def read_everything(data: bytes) -> int:
    """All that any codec makes of a frame; how many layers it had."""
    layers = 0
    if ethernet.parse(data) is not None:
        layers += 1
    layers += arp.parse(data) is not None
    vxlan.parse(data)
    device = virtio.parse(data[:10], data) if len(data) >= 10 else None
    assert device is None or device.csum_start + device.csum_offset <= len(data)
    header = ipv4.parse(data)
    if header is None:
        return layers
    assert 34 <= header.payload <= header.end <= len(data)
    if header.is_fragment:
        return layers + 1
    segment = tcp.parse(data, header.payload, header.end)
    if segment is not None:
        options = tcp.options(segment.options)
        assert options.window_scale <= 14
        assert len(options.sack) <= 4
    datagram = udp.parse(data, header.payload, header.end)
    assert datagram is None or header.payload + 8 <= datagram.payload <= datagram.end <= header.end
    message = icmp.parse(data, header.payload, header.end)
    if message is not None:
        about = icmp.quoted(message)
        assert about is None or about.payload <= len(message.payload)
    icmp.may_be_answered_by_error(data, header)
    return layers + 1 + (segment is not None)


def _cut_and_join(data: bytes, size: int) -> None:
    """A frame with whatever a hostile peer says of its segments comes out whole, or as it was."""
    for train in offload.trains(Frame(data, size), b"prefix.."):
        assert len(train.pieces) <= trains.MOST_PIECES
    joined = offload.join(trains.Train(data + data, max(len(data), 1)))
    assert joined


def test_fuzzed_frames_are_read_without_a_fault() -> None:
    layers = 0
    for number, data in enumerate(frames(1, 50_000)):
        layers += read_everything(data)
        if not number % 20:
            _cut_and_join(data, number % 1400 + 1)
    assert layers > 50_000  # enough of them reach the inner codecs


@pytest.mark.slow
def test_ten_million_fuzzed_frames_are_read_without_a_fault() -> None:
    for number, data in enumerate(frames(2, 10_000_000)):
        read_everything(data)
        if not number % 20:
            _cut_and_join(data, number % 1400 + 1)
