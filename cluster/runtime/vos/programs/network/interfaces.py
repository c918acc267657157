"""`ip` and `ifconfig`: the pod's interfaces, to be read and not changed."""

import ipaddress
from collections.abc import Sequence

from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.sockets import Link, Route

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


def _flags(link: Link, *, between: str = ",") -> str:
    if link.name == "lo":
        return between.join(("LOOPBACK", "UP", "LOWER_UP"))
    return between.join(("BROADCAST", "MULTICAST", "UP", "LOWER_UP"))


def _interfaces(link: Link) -> list[Interface]:
    return [ipaddress.ip_interface(one) for one in link.addresses]


async def ip(call: Call) -> int:
    """`ip [-4|-6] addr|route|link|neigh [show]`, `ip route get ADDRESS`."""
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
        if rest[:1] == ["get"]:
            return await _get(call, rest[1:])
        await call.out("".join(_routes(call, family or 4)))
        return 0
    if what and "neighbour".startswith(what.replace("neighbor", "neighbour")):
        await call.out("".join(_neighbours(call)))
        return 0
    return await call.complain("usage: ip [-4|-6] addr|link|route|neigh [show]")


async def _show(call: Call, names: Sequence[str], family: int, *, addresses: bool) -> int:
    links = [link for link in call.net.links() if not names or link.name == names[0]]
    if names and not links:
        return await call.complain(f"can't find device '{names[0][:40]}'")
    for link in links:
        kind = "loopback" if link.name == "lo" else "ether"
        broadcast = "00:00:00:00:00:00" if link.name == "lo" else "ff:ff:ff:ff:ff:ff"
        peer = "@if2" if link.name == "eth0" and link.mac.startswith("0a:58") else ""
        await call.out(
            f"{link.number}: {link.name}{peer}: <{_flags(link)}> mtu {link.mtu} qdisc noqueue "
            f"qlen 1000\n    link/{kind} {link.mac} brd {broadcast}\n"
        )
        for one in _interfaces(link) if addresses else ():
            if family in (0, one.version):
                await call.out(_address(one, link.name))
    return 0


def _address(one: Interface, name: str) -> str:
    scope = "host" if name == "lo" else "global"
    life = "       valid_lft forever preferred_lft forever\n"
    if one.version == 6:
        return f"    inet6 {one} scope {scope} \n{life}"
    if name == "lo":
        return f"    inet {one} scope host lo\n{life}"
    return f"    inet {one} brd {one.network.broadcast_address} scope {scope} {name}\n{life}"


def _routes(call: Call, family: int) -> list[str]:
    return [f"{_route(one)} \n" for one in call.net.routes() if (":" in one.to) == (family == 6)]


def _route(one: Route) -> str:
    default = one.to in ("0.0.0.0/0", "::/0")
    words = ["default" if default else one.to.removesuffix("/32").removesuffix("/128")]
    if one.gateway:
        words += ["via", one.gateway]
    words += ["dev", one.device]
    if not one.gateway:
        words += ["scope", "link", ""] if one.source else ["scope", "link"]
    if one.source:
        words += ["src", one.source]
    return " ".join([*words, "onlink"] if one.onlink else words)


async def _get(call: Call, rest: Sequence[str]) -> int:
    """The way to one address."""
    try:
        wanted = ipaddress.ip_address(rest[0] if rest else "")
    except ValueError:
        return await call.complain(
            "an inet address is expected rather than " + repr(rest[:1])[1:-1]
        )
    rows = [(ipaddress.ip_network(one.to), one) for one in call.net.routes()]
    fitting = [row for row in rows if row[0].version == wanted.version and wanted in row[0]]
    if str(wanted) in call.net.addresses or str(wanted).startswith(("127.0.", "::1")):
        await call.out(f"local {wanted} dev lo src {wanted} \n")
        return 0
    if not fitting:
        return await call.complain("RTNETLINK answers: Network is unreachable", 2)
    best = max(fitting, key=lambda row: row[0].prefixlen)[1]
    own = (one for one in call.net.addresses if (":" in one) == (wanted.version == 6))
    via = f"via {best.gateway} " if best.gateway else ""
    source = best.source or next(own, "")
    await call.out(f"{wanted} {via}dev {best.device} src {source} \n")
    return 0


def _neighbours(call: Call) -> list[str]:
    lines = []
    for one in call.net.neighbours():
        known = f"lladdr {one.mac} " if one.mac else ""
        lines.append(f"{one.address} dev {one.device} {known}{one.state}\n")
    return lines


async def ifconfig(call: Call) -> int:
    """`ifconfig [-a] [INTERFACE]`."""
    names = [word for word in call.argv[1:] if not word.startswith("-")]
    links = [link for link in call.net.links() if not names or link.name == names[0]]
    if names and not links:
        return await call.complain(f"{names[0][:40]}: error fetching interface information: "
                                   "Device not found")  # fmt: skip
    if len(names) > 1:
        return await call.complain("SIOCSIFADDR: Operation not permitted")
    for link in reversed(links):
        await call.out("".join(_described(link)) + "\n")
    return 0


def _described(link: Link) -> list[str]:
    loop = link.name == "lo"
    first = "Local Loopback" if loop else f"Ethernet  HWaddr {link.mac.upper()}"
    lines = [f"Link encap:{first}"]
    for one in _interfaces(link):
        if one.version == 4:
            mask = one.network.netmask
            cast = "" if loop else f"Bcast:{one.network.broadcast_address}  "
            lines.append(f"inet addr:{one.ip}  {cast}Mask:{mask}")
        else:
            lines.append(f"inet6 addr: {one} Scope:{'Host' if loop else 'Global'}")
    flags = "UP LOOPBACK RUNNING" if loop else "UP BROADCAST RUNNING MULTICAST"
    lines.append(f"{flags}  MTU:{link.mtu}  Metric:1")
    return [f"{link.name if number == 0 else '':<10}{line}\n" for number, line in enumerate(lines)]
