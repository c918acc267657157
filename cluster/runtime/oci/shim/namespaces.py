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
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cluster.runtime.oci.shim import kernel

if TYPE_CHECKING:
    from cluster.network.io import plugging

_IFF_UP: Final = 1
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCGIFINDEX = 0x8916, 0x891C, 0x8933
_LOOPBACK: Final = b"lo"
_OUTER: Final = "pod"
"""What the end of a veth that is not in a pod is called."""


def inside(path: str, work: Callable[[], Sequence[socket.socket]]) -> list[socket.socket]:
    """The sockets that `work` makes in the namespace at `path`. OSError. It must not wait."""
    return [socket.socket(fileno=one) for one in descriptors(path, work)]


def descriptors(path: str, work: Callable[[], Sequence[socket.socket | int]]) -> list[int]:
    """The descriptors that `work` makes in the namespace at `path`, or where we are if that is "".
    As `inside`.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = os.fork()
        if child == 0:
            _child(path, work, theirs)
        theirs.close()
        message, found, _, _ = socket.recv_fds(ours, 4096, 8)
    if message != b"ok":
        for one in found:
            os.close(one)
        number, _, text = message.decode(errors="replace").partition(" ")
        raise OSError(int(number) if number.isdigit() else errno.EIO, text or "a helper ended")
    return list(found)


def _child(
    path: str, work: Callable[[], Sequence[socket.socket | int]], channel: socket.socket
) -> None:
    """Never returns: nothing of the parent's may go on in the child."""
    try:
        signal.set_wakeup_fd(-1)
        if path:
            kernel.enter(path)
        made = work()
        numbers = [one if isinstance(one, int) else one.fileno() for one in made]
        socket.send_fds(channel, [b"ok"], numbers)
    except OSError as error:
        with contextlib.suppress(OSError):
            channel.send(f"{error.errno or errno.EIO} {error.strerror}".encode())
    finally:
        os._exit(0)


def plugged(path: str, told: Mapping[str, str | int]) -> int:
    """The descriptor of an interface for the pod whose namespace is at `path`.

    A veth's other end is in a namespace of its own, which its socket holds: that takes no right on
    the machine's. OSError, with a word on what this machine lacks.
    """
    # Imported here: a pod without an overlay needs none of it.
    from cluster.network.io import plugging

    wanted = _interface(told)

    def tap() -> Sequence[int]:
        made = plugging.tap(wanted)
        _alone(str(told["address"]))
        return (made,)

    def veth() -> Sequence[int]:
        pod = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        kernel.unshare(kernel.NEWNET)
        made = plugging.veth(wanted, _OUTER, pod)
        kernel.enter(path)
        plugging.configure(wanted)
        _alone(str(told["address"]))
        return (made,)

    lacking = plugging.why_no_tap()
    if not lacking:
        return descriptors(path, tap)[0]
    try:
        return descriptors("", veth)[0]
    except OSError as error:
        text = f"{lacking}, and no veth can be made: {error.strerror}"
        raise OSError(error.errno or errno.EIO, text) from error


def plugged_anew(path: str, told: Mapping[str, str | int]) -> None:
    """Give an interface that is there other settings. OSError."""
    from cluster.network.io import plugging

    def configured() -> Sequence[int]:
        plugging.configure(_interface(told))
        return ()

    descriptors(path, configured)


def _interface(told: Mapping[str, str | int]) -> "plugging.Interface":
    from cluster.network.io import plugging
    from cluster.network.wire import addresses, mac

    return plugging.Interface(
        str(told["name"]),
        mac.parse(str(told["mac"])),
        addresses.parse(str(told["address"])),
        int(told["length"]),
        addresses.parse(str(told["gateway"])),
        int(told["mtu"]),
    )


def _alone(address: str) -> None:
    """Take an address from the loopback interface, that a pod has there without a network."""
    from cluster.network.io import netlink

    with contextlib.suppress(OSError):
        netlink.delete_address("lo", socket.inet_aton(address), 32)


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
