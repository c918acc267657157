"""/proc/net: interfaces, routes and sockets of the pod."""

import ipaddress
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cluster.runtime.vos.proc.pseudo import Made, file

if TYPE_CHECKING:
    from cluster.runtime.vos.kernel import Kernel
    from cluster.runtime.vos.sockets import Endpoint, Open

_STATES: Final = {"ESTABLISHED": 1, "LISTEN": 10, "": 7}
_FLAGS: Final = {"PERMANENT": "0x6", "INCOMPLETE": "0x0"}
_TITLE: Final = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode\n"
)


def entries(kernel: "Kernel") -> Mapping[str, Made]:
    """What is in it, by name."""
    return {
        "arp": file(lambda: _neighbours(kernel)),
        "dev": file(lambda: _devices(kernel)),
        "if_inet6": file(lambda: "00000000000000000000000000000001 01 80 10 80       lo\n"),
        "route": file(lambda: _routes(kernel)),
        "sockstat": file(lambda: f"sockets: used {len(_open(kernel))}\n"),
        "tcp": file(lambda: _sockets(kernel, "tcp", 4)),
        "tcp6": file(lambda: _sockets(kernel, "tcp", 6)),
        "udp": file(lambda: _sockets(kernel, "udp", 4)),
        "udp6": file(lambda: _sockets(kernel, "udp", 6)),
        "unix": file(lambda: "Num       RefCount Protocol Flags    Type St Inode Path\n"),
    }


def _open(kernel: "Kernel") -> "list[Open]":
    return [] if kernel.network is None else list(kernel.network.open_sockets())


def _devices(kernel: "Kernel") -> str:
    head = (
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
        "drop fifo colls carrier compressed\n"
    )
    zeros = "       0       0    0    0    0     0          0         0"
    links = () if kernel.network is None else kernel.network.links()
    names = [one.name for one in links] or ["lo", "eth0"]
    return head + "".join(f"{name:>6}: {zeros} {zeros}\n" for name in names)


def _neighbours(kernel: "Kernel") -> str:
    head = "IP address       HW type     Flags       HW address            Mask     Device\n"
    rows = () if kernel.network is None else kernel.network.neighbours()
    return head + "".join(
        f"{one.address:<16} 0x1         {_FLAGS.get(one.state, '0x2'):<12}"
        f"{one.mac or '00:00:00:00:00:00':<22}*        {one.device}\n"
        for one in rows
    )


def _routes(kernel: "Kernel") -> str:
    head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    lines = []
    for one in () if kernel.network is None else kernel.network.routes():
        to = ipaddress.ip_network(one.to)
        if to.version == 4 and one.device != "lo":
            gateway = one.gateway or "0.0.0.0"
            flags = 1 | (2 if one.gateway else 0) | (4 if to.prefixlen == 32 else 0)
            ends = f"{_hex(str(to.network_address))}\t{_hex(gateway)}"
            mask = _hex(str(to.netmask))
            lines.append(f"{one.device}\t{ends}\t{flags:04X}\t0\t0\t0\t{mask}\t0\t0\t0\n")
    return head + "".join(lines)


def _hex(address: str) -> str:
    packed = ipaddress.ip_address(address).packed
    words = struct.unpack(f"<{len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words)


def _family(one: "Open") -> int:
    return 6 if ":" in one.local.address or not one.local.address else 4


def _end(one: "Endpoint | None", family: int) -> str:
    address = one.address if one is not None else ""
    address = address or ("::" if family == 6 else "0.0.0.0")
    if family == 6 and ":" not in address:
        address = f"::ffff:{address}"
    return f"{_hex(address)}:{one.port if one is not None else 0:04X}"


def _sockets(kernel: "Kernel", protocol: str, family: int) -> str:
    title = _TITLE if family == 4 else _TITLE.replace("local_address", f"{'local_address':<38}")
    rows = [one for one in _open(kernel) if one.protocol == protocol and _family(one) == family]
    return title + "".join(
        f"{number:4d}: {_end(one.local, family)} {_end(one.peer, family)} "
        f"{_STATES.get(one.state, 7):02X} 00000000:{one.waiting:08X} 00:00000000 00000000 "
        f"    0        0 {50_000 + number} 1 0000000000000000 100 0 0 10 0\n"
        for number, one in enumerate(rows)
    )
