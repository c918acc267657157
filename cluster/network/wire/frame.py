"""An Ethernet frame with what its offloads need to know."""

from dataclasses import dataclass
from typing import Final

LEAST_SEGMENT: Final = 8
"""Bytes that pieces of a long segment have at least, as Linux' own TCP has it (tcp_min_snd_mss, all
options taken off). Anybody with a packet socket may ask for less: a flood made of one frame."""


@dataclass(slots=True)
class Frame:
    """A frame, and what virtio-net's header would say of it.

    Within a node frames travel whole (up to 64 KB) and with partial checksums; `offload` cuts and
    completes them for the standard wire, for captures and for kernel devices. Treat it as a value:
    who changes a frame makes another.
    """

    data: bytes
    """From the Ethernet header on, without the frame check sequence."""
    gso_size: int = 0
    """Over 0: one TCP segment that is to be cut into segments of so many payload bytes."""
    csum_start: int = 0
    """Over 0: the checksum is still to be made, over `data[csum_start:]` (to the packet's end).

    Its field, `csum_offset` bytes further, holds the sum of the pseudo-header only (not inverted).
    """
    csum_offset: int = 0
    trusted: bool = False
    """Whether the transport's checksum is known to be right: made here, or verified by a device."""
