"""`kubemu net routes`."""

from typing import Any

import click

from cluster.cli import clusters
from cluster.cli.commands.net import common


@click.command()
@click.argument("node")
@clusters.name_option
@common.output_option
def routes(node: str, name: str, output: str) -> None:
    """Show the routing table of NODE, as `ip route` does: how packets leave it."""

    async def story(net: common.Net) -> Any:
        from cluster.pb.cluster.v1 import netops_pb2 as pb

        return await net.ask(await net.node(node), "ListRoutes", pb.ListRoutesRequest())

    found = common.run(name, story)
    if output == "json":
        common.show((), (), common.document(found, "routes"), output)
        return
    for one in found.routes:
        click.echo(_line(one))


def _line(one: Any) -> str:
    words = ["local"] if one.local else []
    words.append(one.destination.removesuffix("/32"))
    if one.gateway:
        words += ["via", one.gateway]
    words += ["dev", "lo" if one.local else one.device]
    if not one.gateway and not one.local:
        words += ["scope", "link"]
    if one.onlink:
        words.append("onlink")
    if one.node:
        words.append(f"# {one.node}")
    return " ".join(words)
