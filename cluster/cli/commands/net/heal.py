"""`kubemu net heal`."""

import click

from cluster.cli import clusters
from cluster.cli.commands.net import common, linking


@click.command()
@click.argument("link", nargs=-1)
@clusters.name_option
def heal(link: tuple[str, ...], name: str) -> None:
    """Make links good again, partitions included: all of them, or LINK (as with impair)."""

    async def story(net: common.Net) -> None:
        from cluster.pb.cluster.v1 import netops_pb2 as pb

        if not link:
            for node in net.nodes:
                try:
                    await net.ask(node, "SetLinks", pb.SetLinksRequest(heal_all=True))
                except common.Failed:
                    click.echo(f"{node}: its machine is down, its own links are good", err=True)
            return
        good = pb.LinkImpairment()
        requests = {
            node: pb.SetLinksRequest(
                changes=[pb.LinkChange(link=one, impairment=good, cut=False) for one in links]
            )
            for node, links in linking.by_node(await linking.ends(net, link)).items()
        }
        await linking.tell(net, requests)

    common.run(name, story)
    click.echo(f"{', '.join(link) or 'all links'}: healed")
