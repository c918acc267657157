"""`netstat` and `ss`: the open sockets of the pod."""

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
    """`netstat [-lantu]`; names are never looked up."""
    letters = "".join(word[1:] for word in call.argv[1:] if word.startswith("-"))
    if "r" in letters:
        return await call.complain("-r is not built: see ip route")
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
