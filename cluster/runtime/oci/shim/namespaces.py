"""What is done inside a pod's network namespace: by a child that enters it, and hands over what it
made. The shim itself never changes its namespaces.
"""

import array
import contextlib
import errno
import fcntl
import ipaddress
import os
import signal
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Final

from cluster.runtime.oci.shim import kernel

_IFF_UP: Final = 1
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCGIFINDEX = 0x8916, 0x891C, 0x8933
_LOOPBACK: Final = b"lo"


def inside(path: str, work: Callable[[], Sequence[socket.socket]]) -> list[socket.socket]:
    """The sockets that `work` makes in the namespace at `path`. OSError. It must not wait."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = os.fork()
        if child == 0:
            _child(path, work, theirs)
        theirs.close()
        message, descriptors, _, _ = socket.recv_fds(ours, 4096, 8)
    found = [socket.socket(fileno=one) for one in descriptors]
    if message != b"ok":
        for one in found:
            one.close()
        number, _, text = message.decode(errors="replace").partition(" ")
        raise OSError(int(number) if number.isdigit() else errno.EIO, text or "a helper ended")
    return found


def _child(path: str, work: Callable[[], Sequence[socket.socket]], channel: socket.socket) -> None:
    """Never returns: nothing of the parent's may go on in the child."""
    try:
        signal.set_wakeup_fd(-1)
        kernel.enter(path)
        made = work()
        socket.send_fds(channel, [b"ok"], [one.fileno() for one in made])
    except OSError as error:
        with contextlib.suppress(OSError):
            channel.send(f"{error.errno or errno.EIO} {error.strerror}".encode())
    finally:
        os._exit(0)


def stream_sockets() -> Sequence[socket.socket]:
    """Two sockets to connect with: of IPv4, and of IPv6 where there is any."""
    found = [socket.socket(socket.AF_INET, socket.SOCK_STREAM)]
    with contextlib.suppress(OSError):
        found.append(socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
    return found


def addressed(addresses: Sequence[str]) -> Callable[[], Sequence[socket.socket]]:
    """Work that gives the loopback interface these addresses: a pod has no other interface until
    the cluster's network joins it.
    """

    def work() -> Sequence[socket.socket]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            _up(control, _LOOPBACK)
            number = 0
            for address in addresses:
                if ipaddress.ip_address(address).version == 4:
                    _give4(control, b"%s:%d" % (_LOOPBACK, number), address)
                    number += 1
                else:
                    with contextlib.suppress(OSError):  # a kernel without IPv6
                        _give6(control, address)
        return ()

    return work


def _up(control: socket.socket, name: bytes) -> None:
    asked = struct.pack("16sH14x", name, 0)
    flags = struct.unpack("16sH14x", fcntl.ioctl(control, _SIOCGIFFLAGS, asked))[1]
    fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", name, flags | _IFF_UP))


def _give4(control: socket.socket, name: bytes, address: str) -> None:
    for request, text in ((_SIOCSIFADDR, address), (_SIOCSIFNETMASK, "255.255.255.255")):
        packed = struct.pack("16sH2x4s8x", name, socket.AF_INET, socket.inet_aton(text))
        fcntl.ioctl(control, request, packed)


def _give6(control: socket.socket, address: str) -> None:
    asked = array.array("b", struct.pack("16si12x", _LOOPBACK, 0))
    fcntl.ioctl(control, _SIOCGIFINDEX, asked)
    index = struct.unpack("16si12x", asked.tobytes())[1]
    packed = struct.pack("=16sIi", socket.inet_pton(socket.AF_INET6, address), 128, index)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six:
        fcntl.ioctl(six, _SIOCSIFADDR, packed)
