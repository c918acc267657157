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
_TITLE: Final = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode\n"
)


def entries(kernel: "Kernel") -> Mapping[str, Made]:
    """What is in it, by name."""
    return {
        "arp": file(
            lambda: (
                "IP address       HW type     Flags       HW address            Mask     Device\n"
            )
        ),
        "dev": file(_devices),
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


def _devices() -> str:
    head = (
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
        "drop fifo colls carrier compressed\n"
    )
    zeros = "       0       0    0    0    0     0          0         0"
    return head + "".join(f"{name:>6}: {zeros} {zeros}\n" for name in ("lo", "eth0"))


def _routes(kernel: "Kernel") -> str:
    head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    first = next((one for one in kernel.addresses if ":" not in one), None)
    if first is None:
        return head
    network = ipaddress.ip_network(f"{first}/24", strict=False)
    gateway = _hex(str(network.network_address + 1))
    return head + (
        f"eth0\t00000000\t{gateway}\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        f"eth0\t{_hex(str(network.network_address))}\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    )


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
