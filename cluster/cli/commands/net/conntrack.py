"""`kubemu net conntrack`."""

from typing import Any, Final

import click

from cluster.cli import clusters
from cluster.cli.commands.net import common

_ECHO: Final = ("icmp",)


@click.command()
@click.argument("node")
@clusters.name_option
@common.output_option
def conntrack(node: str, name: str, output: str) -> None:
    """Show the connections that NODE tracks, as `conntrack -L` does, each in both directions.

    The first is as the packets of who began it come in, the second as answers to them do: where the
    two are not each other's reverse, addresses are translated.
    """
    found = common.run(name, lambda net: _connections(net, node))
    if output == "json":
        common.show((), (), found, output)
        return
    for one in found:
        click.echo(_line(one))
    click.echo(f"{len(found)} flow entries have been shown.", err=True)


async def _connections(net: common.Net, node: str) -> list[dict[str, Any]]:
    from cluster.pb.cluster.v1 import netops_pb2 as pb

    where = await net.node(node)
    call = net.netops(where).ListConnections(pb.ListConnectionsRequest(), timeout=common.SECONDS)

    async def read() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async for chunk in call:
            found += common.document(chunk, "connections")
        return found

    rows: list[dict[str, Any]] = await net.answer(where, read())
    return rows


def _line(one: dict[str, Any]) -> str:
    words = [f"{one['protocol']:<8} {one['number']}", f"{one['seconds']:.0f}"]
    if one["state"]:
        words.append(one["state"])
    words.append(_way(one["original"], one["protocol"]))
    if not one["replied"]:
        words.append("[UNREPLIED]")
    words.append(_way(one["reply"], one["protocol"]))
    if one["assured"]:
        words.append("[ASSURED]")
    words.append("mark=0 use=1")
    if one["service"]:
        words.append(f"# {one['service']}")
    return " ".join(words)


def _way(way: dict[str, Any], protocol: str) -> str:
    ends = f"src={way['source']} dst={way['destination']}"
    if protocol in _ECHO:
        return f"{ends} type={way['destinationPort']} code=0 id={way['sourcePort']}"
    return f"{ends} sport={way['sourcePort']} dport={way['destinationPort']}"
