"""WebSocket channel messages, by hand and back and forth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.streams import channels
from cluster.streams.channels import V1, V4, V4_BASE64, V5, Close, Malformed, Piece

BY_HAND = [
    (V4, b"\x01hello", Piece(1, b"hello")),
    (V4, b"\x00", Piece(0, b"")),
    (V4, b"\xff\x00", Piece(255, b"\x00")),
    (V5, b"\xff\x00", Close(0)),
    (V5, b"\x04{}", Piece(4, b"{}")),
    (V4_BASE64, b"1aGVsbG8=", Piece(1, b"hello")),
    (V4_BASE64, b"0", Piece(0, b"")),
]
BAD = [(V4, b""), (V5, b"\xff"), (V5, b"\xff\x00\x00"), (V4_BASE64, b"x"), (V4_BASE64, b"0a")]


@pytest.mark.parametrize(("protocol", "message", "said"), BY_HAND)
def test_messages_as_clients_write_them(
    protocol: channels.Protocol, message: bytes, said: Piece | Close
) -> None:
    assert channels.decode(protocol, message) == said


@pytest.mark.parametrize(("protocol", "message"), BAD)
def test_what_is_no_message_is_refused(protocol: channels.Protocol, message: bytes) -> None:
    with pytest.raises(Malformed):
        channels.decode(protocol, message)


@given(st.sampled_from(channels.FOR_COMMANDS), st.integers(0, 9), st.binary(max_size=100))
def test_messages_survive_the_way(protocol: channels.Protocol, channel: int, data: bytes) -> None:
    message = channels.encode(protocol, channel, data)
    assert isinstance(message, bytes) == protocol.binary
    raw = message if isinstance(message, bytes) else message.encode()
    assert channels.decode(protocol, raw) == Piece(channel, data)


@pytest.mark.parametrize(
    ("offered", "name"),
    [
        ([], ""),
        (["v5.channel.k8s.io", "v4.channel.k8s.io"], "v5.channel.k8s.io"),
        (["v9.channel.k8s.io", "v4.channel.k8s.io"], "v4.channel.k8s.io"),
        (["base64.channel.k8s.io"], "base64.channel.k8s.io"),
    ],
)
def test_the_first_protocol_that_both_know_is_spoken(offered: list[str], name: str) -> None:
    chosen = channels.choose(offered, channels.FOR_COMMANDS)
    assert chosen is not None
    assert chosen.name == name


def test_a_client_that_offers_nothing_known_gets_nothing() -> None:
    assert channels.choose(["v5.channel.k8s.io"], channels.FOR_PORTS) is None
    assert V1.status is False
