"""Ethernet addresses: six bytes."""

import random
import struct

BROADCAST = b"\xff" * 6
ZERO = bytes(6)
_TAIL = struct.Struct("!I")


def text(mac: bytes) -> str:
    """How an address is written: 0a:58:0a:f4:00:05."""
    return mac.hex(":")


def parse(text: str) -> bytes:
    """The address that `text` writes; ValueError where it writes none."""
    parts = text.split(":")
    if len(parts) != 6 or any(len(part) != 2 for part in parts):
        raise ValueError(f"{text!r} is no Ethernet address")
    try:
        return bytes.fromhex("".join(parts))
    except ValueError:
        raise ValueError(f"{text!r} is no Ethernet address") from None


def of_address(address: int) -> bytes:
    """The address of a pod's interface, of its IPv4 address: 0a:58 and its four bytes.

    What the bridge plugin of CNI gives its bridge and containers had from dockershim's networks.
    """
    return b"\x0a\x58" + _TAIL.pack(address)


def made_up(generator: random.Random) -> bytes:
    """A local unicast address, at random, as the kernel's `eth_random_addr`."""
    drawn = generator.getrandbits(48).to_bytes(6, "big")
    return bytes((drawn[0] & 0xFE | 0x02,)) + drawn[1:]


def is_group(mac: bytes) -> bool:
    """Whether it is a broadcast or multicast address."""
    return bool(mac[0] & 1)
