"""`netstat`, `ss`, `route` and `arp`: the open sockets, routes and neighbours of the pod."""

import ipaddress
from collections.abc import Sequence

from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.sockets import Endpoint, Open


def _chosen(call: Call, letters: str) -> list[Open]:
    """The sockets that -l, -a, -t and -u choose; without -l and -a those that are connected."""
    wanted = {name for letter, name in (("t", "tcp"), ("u", "udp")) if letter in letters}
    rows = [row for row in call.net.open_sockets() if row.protocol in (wanted or ("tcp", "udp"))]
    if "a" in letters:
        return rows
    waiting = [row for row in rows if row.peer is None]
    return waiting if "l" in letters else [row for row in rows if row.peer is not None]


def _local(row: Open) -> str:
    if row.local.address in ("", "::"):
        return f":::{row.local.port}"
    return str(row.local)


def _peer(row: Open) -> str:
    if row.peer is not None:
        return str(row.peer)
    return ":::*" if row.local.address in ("", "::") else "0.0.0.0:*"


async def netstat(call: Call) -> int:
    """`netstat [-lanrtu]`; names are never looked up."""
    letters = "".join(word[1:] for word in call.argv[1:] if word.startswith("-"))
    if "r" in letters:
        await call.out(_routes(call, netstat=True))
        return 0
    which = "servers and established" if "a" in letters else "w/o servers"
    if "l" in letters and "a" not in letters:
        which = "only servers"
    await call.out(
        f"Active Internet connections ({which})\n"
        "Proto Recv-Q Send-Q Local Address           Foreign Address         State       \n"
    )
    for row in _chosen(call, letters):
        proto = row.protocol
        await call.out(
            f"{proto:<5} {row.waiting:6d} {0:6d} {_local(row):<23} {_peer(row):<23} "
            f"{row.state:<11} \n"
        )
    return 0


async def route(call: Call) -> int:
    """`route [-n]`; names are never looked up."""
    if any(not word.startswith("-") for word in call.argv[1:]):
        return await call.complain("SIOCADDRT: Operation not permitted")
    await call.out(_routes(call, netstat=False))
    return 0


def _routes(call: Call, *, netstat: bool) -> str:
    last = "  MSS Window  irtt Iface" if netstat else "Metric Ref    Use Iface"
    lines = [
        "Kernel IP routing table\n",
        f"{'Destination':<15} {'Gateway':<15} {'Genmask':<15} Flags {last}\n",
    ]
    for one in call.net.routes():
        to = ipaddress.ip_network(one.to)
        if to.version == 4:
            flags = "U" + ("G" if one.gateway else "") + ("H" if to.prefixlen == 32 else "")
            rest = f"{0:5d} {0:<6d} {0:5d}" if netstat else f"{0:<6d} {0:<6d} {0:3d}"
            ends = f"{to.network_address!s:<15} {one.gateway or '0.0.0.0':<15} {to.netmask!s:<15}"
            lines.append(f"{ends} {flags:<5} {rest} {one.device}\n")
    return "".join(lines)


async def arp(call: Call) -> int:
    """`arp [-an]`."""
    for one in call.net.neighbours():
        mac = f"{one.mac} [ether]" if one.mac else "<incomplete>"
        await call.out(f"? ({one.address}) at {mac}  on {one.device}\n")
    return 0


async def ss(call: Call) -> int:
    """`ss [-lantu]`."""
    letters = "".join(word[1:] for word in call.argv[1:] if word.startswith("-"))
    rows = _chosen(call, letters)
    table = [("Netid", "State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port")]
    states = {"ESTABLISHED": "ESTAB", "": "UNCONN"}
    table += [
        (row.protocol, states.get(row.state, row.state), str(row.waiting), "0",
         _starred(row.local), _starred(row.peer))
        for row in rows
    ]  # fmt: skip
    await call.out(_columns(table))
    return 0


def _starred(one: Endpoint | None) -> str:
    if one is None:
        return "*:*"
    return f"*:{one.port}" if not one.address else str(one)


def _columns(table: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[number]) for row in table) for number in range(len(table[0]))]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
             for row in table)  # fmt: skip
    return "".join(line.rstrip() + "\n" for line in lines)
