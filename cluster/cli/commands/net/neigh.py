"""`kubemu net neigh`."""

from typing import Any

import click

from cluster.cli import clusters
from cluster.cli.commands.net import common


@click.command()
@click.argument("node")
@clusters.name_option
@common.output_option
def neigh(node: str, name: str, output: str) -> None:
    """Show the neighbours of NODE, as `ip neigh` does: the MACs of pods and of other VTEPs."""

    async def story(net: common.Net) -> tuple[Any, dict[str, str]]:
        from cluster.pb.cluster.v1 import netops_pb2 as pb

        where = await net.node(node)
        return await net.ask(where, "ListNeighbours", pb.ListNeighboursRequest()), await net.names()

    found, names = common.run(name, story)
    if output == "json":
        common.show((), (), common.document(found, "neighbours"), output)
        return
    for one in found.neighbours:
        link = f" lladdr {one.mac}" if one.mac else ""
        who = f" # {names[one.address]}" if one.address in names else ""
        click.echo(f"{one.address} dev {one.device}{link} {one.state}{who}")
