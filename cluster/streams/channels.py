"""WebSocket messages as channels: a first byte names the channel, the rest is its bytes.

The protocols are Kubernetes' (k8s.io/apimachinery/pkg/util/httpstream/wsstream): in the base64
forms a message is text, the channel a digit and the rest base64; from v4 on the error channel
carries a Status; v5 can also close a channel (`\\xff` and the channel).
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Final

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
_CLOSE: Final = 0xFF


class Malformed(Exception):
    """A message that is no channel message."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A subprotocol. `status`: the error channel carries a Status; else it carries plain words."""

    name: str
    binary: bool
    status: bool = True
    closes: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a channel."""

    channel: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """No more bytes come on a channel."""

    channel: int


V5 = Protocol("v5.channel.k8s.io", binary=True, closes=True)
V4 = Protocol("v4.channel.k8s.io", binary=True)
V4_BASE64 = Protocol("v4.base64.channel.k8s.io", binary=False)
V1 = Protocol("channel.k8s.io", binary=True, status=False)
V1_BASE64 = Protocol("base64.channel.k8s.io", binary=False, status=False)
UNNAMED = Protocol("", binary=True, status=False)
"""What a client gets that asks for no subprotocol."""
FOR_COMMANDS = (V5, V4, V4_BASE64, V1, V1_BASE64)
FOR_PORTS = (V4, V4_BASE64, V1, V1_BASE64)


def choose(offered: list[str], known: tuple[Protocol, ...]) -> Protocol | None:
    """The first that is offered and known; UNNAMED where nothing is offered, None where none is."""
    if not offered:
        return UNNAMED
    by_name = {protocol.name: protocol for protocol in known}
    return next((by_name[name] for name in offered if name in by_name), None)


def encode(protocol: Protocol, channel: int, data: bytes) -> bytes | str:
    """The message that carries `data` on a channel: bytes for a binary one, str for text."""
    if protocol.binary:
        return bytes((channel,)) + data
    return f"{chr(ord('0') + channel)}{base64.b64encode(data).decode()}"


def decode(protocol: Protocol, message: bytes) -> Piece | Close:
    """What a message says. Malformed."""
    if not message:
        raise Malformed("an empty message")
    first = message[0]
    if protocol.closes and first == _CLOSE:
        if len(message) != 2:
            raise Malformed("a channel is closed by two bytes")
        return Close(message[1])
    if protocol.binary:
        return Piece(first, message[1:])
    if not ord("0") <= first <= ord("9"):
        raise Malformed("a channel is a digit")
    try:
        return Piece(first - ord("0"), base64.b64decode(message[1:], validate=True))
    except binascii.Error as error:
        raise Malformed(f"not base64: {error}") from None
