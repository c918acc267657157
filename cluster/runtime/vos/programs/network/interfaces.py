"""`ip` and `ifconfig`: the pod's interfaces, to be read and not changed."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cluster.runtime.vos.kernel import Call

MTU: Final = 1450
"""Of a VXLAN overlay on an underlay of 1500."""
_LOOPBACK_MTU: Final = 65536

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


@dataclass(frozen=True, slots=True)
class _Link:
    number: int
    name: str
    mtu: int
    flags: str
    mac: str
    addresses: tuple[Interface, ...]


def _links(call: Call) -> list[_Link]:
    loop = tuple(ipaddress.ip_interface(one) for one in ("127.0.0.1/8", "::1/128"))
    found = [_Link(1, "lo", _LOOPBACK_MTU, "LOOPBACK,UP,LOWER_UP", "00:00:00:00:00:00", loop)]
    own = tuple(ipaddress.ip_interface(one) for one in call.net.interfaces)
    if own:
        flags = "BROADCAST,MULTICAST,UP,LOWER_UP"
        found.append(_Link(2, "eth0", MTU, flags, _mac(own[0]), own))
    return found


def _mac(address: Interface) -> str:
    """The address that a bridge gives: 0a:58, and the end of the IP address."""
    return ":".join(f"{byte:02x}" for byte in b"\x0a\x58" + address.ip.packed[-4:])


async def ip(call: Call) -> int:
    """`ip [-4|-6] addr|route|link [show]`."""
    words = [word for word in call.argv[1:] if not word.startswith("-")]
    family = next((int(word[1]) for word in call.argv[1:] if word in ("-4", "-6")), 0)
    what = words[0] if words else ""
    rest = [word for word in words[1:] if word not in ("dev",)]
    if rest[:1] in (["show"], ["list"], ["ls"], ["sh"], ["s"]):
        rest = rest[1:]
    elif rest[:1] and rest[0] in ("add", "del", "delete", "set", "replace", "flush", "change"):
        return await call.complain("RTNETLINK answers: Operation not permitted", 2)
    if what and "address".startswith(what):
        return await _show(call, rest, family, addresses=True)
    if what and "link".startswith(what):
        return await _show(call, rest, family, addresses=False)
    if what and "route".startswith(what):
        await call.out("".join(_routes(call, family or 4)))
        return 0
    return await call.complain("usage: ip [-4|-6] addr|link|route [show]")


async def _show(call: Call, names: Sequence[str], family: int, *, addresses: bool) -> int:
    links = [link for link in _links(call) if not names or link.name == names[0]]
    if not links:
        return await call.complain(f"can't find device '{names[0][:40]}'")
    for link in links:
        kind = "loopback" if link.name == "lo" else "ether"
        broadcast = "00:00:00:00:00:00" if link.name == "lo" else "ff:ff:ff:ff:ff:ff"
        peer = "" if link.name == "lo" else "@if2"
        await call.out(
            f"{link.number}: {link.name}{peer}: <{link.flags}> mtu {link.mtu} qdisc noqueue "
            f"qlen 1000\n    link/{kind} {link.mac} brd {broadcast}\n"
        )
        for one in link.addresses if addresses else ():
            if family in (0, one.version):
                await call.out(_address(one, link.name))
    return 0


def _address(one: Interface, name: str) -> str:
    scope = "host" if one.ip.is_loopback else "global"
    life = "       valid_lft forever preferred_lft forever\n"
    if one.version == 6:
        return f"    inet6 {one} scope {scope} \n{life}"
    if one.ip.is_loopback:
        return f"    inet {one} scope host lo\n{life}"
    return f"    inet {one} brd {one.network.broadcast_address} scope {scope} {name}\n{life}"


def _routes(call: Call, family: int) -> list[str]:
    lines = []
    for text in call.net.interfaces:
        one = ipaddress.ip_interface(text)
        if one.version == family:
            gateway = one.network.network_address + 1
            lines += [f"default via {gateway} dev eth0 \n",
                      f"{one.network} dev eth0 scope link  src {one.ip} \n"]  # fmt: skip
    return lines


async def ifconfig(call: Call) -> int:
    """`ifconfig [-a] [INTERFACE]`."""
    names = [word for word in call.argv[1:] if not word.startswith("-")]
    links = [link for link in _links(call) if not names or link.name == names[0]]
    if not links:
        return await call.complain(f"{names[0][:40]}: error fetching interface information: "
                                   "Device not found")  # fmt: skip
    if len(names) > 1:
        return await call.complain("SIOCSIFADDR: Operation not permitted")
    for link in reversed(links):
        await call.out("".join(_described(link)) + "\n")
    return 0


def _described(link: _Link) -> list[str]:
    loop = link.name == "lo"
    first = "Local Loopback" if loop else f"Ethernet  HWaddr {link.mac.upper()}"
    lines = [f"Link encap:{first}"]
    for one in link.addresses:
        if one.version == 4:
            mask = one.network.netmask
            cast = "" if loop else f"Bcast:{one.network.broadcast_address}  "
            lines.append(f"inet addr:{one.ip}  {cast}Mask:{mask}")
        else:
            lines.append(f"inet6 addr: {one} Scope:{'Host' if loop else 'Global'}")
    flags = "UP LOOPBACK RUNNING" if loop else "UP BROADCAST RUNNING MULTICAST"
    lines.append(f"{flags}  MTU:{link.mtu}  Metric:1")
    return [f"{link.name if number == 0 else '':<10}{line}\n" for number, line in enumerate(lines)]
