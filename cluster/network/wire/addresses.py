"""IPv4 addresses as ints of 32 bits, and prefixes of them."""

import functools
import struct
from typing import NamedTuple

ANY = 0
BROADCAST = 0xFFFFFFFF
_WORD = struct.Struct("!I")


@functools.lru_cache(maxsize=65536)
def parse(text: str) -> int:
    """The address that `text` ("10.244.0.5") writes; ValueError where it writes none.

    As Kubernetes, strictly: four decimal numbers without leading zeros.
    """
    parts = text.split(".")
    if len(parts) != 4:
        raise ValueError(f"{text!r} is no IPv4 address")
    value = 0
    for part in parts:
        decimal = part.isascii() and part.isdigit() and len(part) <= 3
        if not decimal or (len(part) > 1 and part[0] == "0") or int(part) > 255:
            raise ValueError(f"{text!r} is no IPv4 address")
        value = value << 8 | int(part)
    return value


@functools.lru_cache(maxsize=65536)
def text(address: int) -> str:
    """How an address is written."""
    return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"


def pack(address: int) -> bytes:
    """The four bytes of an address, as packets have them."""
    return _WORD.pack(address)


def mask(length: int) -> int:
    """The mask of a prefix of `length` bits (0 to 32)."""
    return BROADCAST << (32 - length) & BROADCAST


def is_multicast(address: int) -> bool:
    """Whether it names a group (224.0.0.0/4)."""
    return address >> 28 == 0xE


def is_loopback(address: int) -> bool:
    """Whether it never leaves a stack of ours: 127.0.0.0/16.

    The rest of 127.0.0.0/8 is ordinary there, for nodes have addresses in it.
    """
    return address >> 16 == 0x7F00


class Prefix(NamedTuple):
    """A range of addresses: those whose first `length` bits are those of `network`."""

    network: int
    length: int

    def __contains__(self, address: object) -> bool:
        return isinstance(address, int) and address & mask(self.length) == self.network

    def __str__(self) -> str:
        return f"{text(self.network)}/{self.length}"

    @property
    def last(self) -> int:
        """The highest address of the range: of a link, its broadcast address."""
        return self.network | ~mask(self.length) & BROADCAST


@functools.lru_cache(maxsize=16384)
def prefix(text: str) -> Prefix:
    """The prefix that `text` ("10.244.0.0/24") writes; ValueError where it writes none.

    Bits past the length are cut off, as a CIDR's network is taken everywhere in Kubernetes.
    """
    base, slash, bits = text.partition("/")
    if not slash or not (bits.isascii() and bits.isdigit()) or len(bits) > 2 or int(bits) > 32:
        raise ValueError(f"{text!r} is no IPv4 prefix")
    length = int(bits)
    return Prefix(parse(base) & mask(length), length)
