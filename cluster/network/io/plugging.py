"""An interface of a pod in a network namespace of its own, with a file descriptor as its other end.

A TAP device where `/dev/net/tun` may be opened, else a veth pair with a packet socket. All of it
is done by whoever is inside the namespace and has CAP_NET_ADMIN there, without a loop; the
descriptor then goes to who carries the frames (`device.Device`).
"""

import contextlib
import errno
import fcntl
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster.network.io import netlink
from cluster.network.wire import addresses, virtio

TUN: Final = Path("/dev/net/tun")
GSO_MAX: Final = 61_000
"""Bytes of the longest segment: cut for an MTU of 1450 it is one train, and whole one datagram."""
_TUNSETIFF, _TUNSETPERSIST = 0x400454CA, 0x400454CB
_TUNSETOFFLOAD, _TUNSETVNETHDRSZ = 0x400454D0, 0x400454D8
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
_OFFLOADS: Final = 0x1 | 0x2
"""TUN_F_CSUM and TUN_F_TSO4."""
_SOL_PACKET, _PACKET_VNET_HDR, _PACKET_IGNORE_OUTGOING = 263, 15, 23
_ALL: Final = 0x0003


@dataclass(frozen=True, slots=True)
class Interface:
    """What a pod's interface is to be."""

    name: str
    mac: bytes
    address: int
    length: int
    """Of the prefix that is on the link."""
    gateway: int
    mtu: int


def tap(wanted: Interface) -> int:
    """The descriptor of a TAP device, made where we are, or found there from before. OSError."""
    descriptor = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        flags = _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR
        asked = struct.pack("16sH22x", wanted.name.encode(), flags)
        fcntl.ioctl(descriptor, _TUNSETIFF, asked)
        # It outlives whoever carries its frames, so that the next one finds the pod as it was.
        fcntl.ioctl(descriptor, _TUNSETPERSIST, 1)
        fcntl.ioctl(descriptor, _TUNSETVNETHDRSZ, struct.pack("=i", virtio.HEADER))
        fcntl.ioctl(descriptor, _TUNSETOFFLOAD, _OFFLOADS)
        configure(wanted)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def veth(wanted: Interface, here: str, namespace: int) -> int:
    """The descriptor of a packet socket at `here`, whose other end is in a namespace. OSError.

    The interface is made, and has to be configured inside.
    """
    with contextlib.suppress(OSError):
        netlink.delete_link(here)
    netlink.add_veth(here, wanted.name, namespace)
    try:
        netlink.set_link(here, mtu=wanted.mtu, gso_max=GSO_MAX, up=True)
        return packet_socket(here)
    except BaseException:
        with contextlib.suppress(OSError):
            netlink.delete_link(here)
        raise


def packet_socket(name: str) -> int:
    """The descriptor of a socket that has all frames of an interface. OSError."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0) as made:
        # First of all: frames that come before it would be without the header.
        made.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
        made.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)  # Linux 4.20
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        made.bind((name, _ALL))
        return made.detach()


def configure(wanted: Interface) -> None:
    """Give a pod its address and routes, in the namespace that we are in.

    OSError. Doing it twice does no harm.
    """
    _narrow_loopback()
    netlink.set_link(wanted.name, up=False)
    netlink.set_link(wanted.name, mac=wanted.mac, mtu=wanted.mtu, gso_max=GSO_MAX)
    # Nodes have addresses of 127.0.0.0/8, which a kernel takes for its own or for forged.
    with contextlib.suppress(OSError):
        Path(f"/proc/sys/net/ipv4/conf/{wanted.name}/route_localnet").write_text("1")
    with contextlib.suppress(OSError):
        Path(f"/proc/sys/net/ipv6/conf/{wanted.name}/disable_ipv6").write_text("1")
    netlink.set_link(wanted.name, up=True)
    broadcast = addresses.Prefix(wanted.address & addresses.mask(wanted.length), wanted.length).last
    netlink.add_address(
        wanted.name,
        addresses.pack(wanted.address),
        wanted.length,
        broadcast=addresses.pack(broadcast),
    )
    netlink.add_route(
        wanted.name, addresses.pack(0), 0, addresses.pack(wanted.gateway), onlink=True
    )


def _narrow_loopback() -> None:
    """Have 127.0.0.0/16 only for the namespace's own: the rest are addresses of nodes."""
    own = bytes((127, 0, 0, 1))
    netlink.add_address("lo", own, 16)
    netlink.set_link("lo", up=True)
    with contextlib.suppress(OSError):
        netlink.delete_address("lo", own, 8)


def why_no_tap() -> str:
    """What this machine lacks for TAP devices, in a sentence; "" where it lacks nothing."""
    try:
        os.close(os.open(TUN, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        if error.errno == errno.ENOENT:
            return f"{TUN} is missing (modprobe tun, or run the container with --device {TUN})"
        return f"{TUN} cannot be opened: {error.strerror}"
    return ""
