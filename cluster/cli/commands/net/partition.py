"""`kubemu net partition`."""

import click

from cluster.cli import clusters
from cluster.cli.commands.net import common, linking
from cluster.runtime import linkends


@click.command()
@click.argument("sides", nargs=-1, required=True, metavar="NODE,… [NODE,…]...")
@clusters.name_option
def partition(sides: tuple[str, ...], name: str) -> None:
    """Cut the pod network between sides, each a list of nodes: `partition node-1,node-2 node-3`.

    One side alone is cut off from all other nodes. Nodes that no side names keep their links. Only
    the pod network is cut: kubelets still reach the API server (kubemu pause kubelet-NODE stops
    that). kubemu net heal undoes it.
    """
    groups = [[node for node in side.split(",") if node] for side in sides]

    async def story(net: common.Net) -> int:
        from cluster.pb.cluster.v1 import netops_pb2 as pb

        try:
            cut = linkends.cuts(groups, net.nodes)
        except ValueError as error:
            raise common.Failed(str(error)) from error
        if not cut:
            raise common.Failed("there is nothing to cut: no node is on another side")
        requests = {
            node: pb.SetLinksRequest(changes=[pb.LinkChange(link=one, cut=True) for one in links])
            for node, links in linking.by_node(cut).items()
        }
        await linking.tell(net, requests)
        return len(cut) // 2

    count = common.run(name, story)
    click.echo(f"{' | '.join(sides)}: {count} {'link' if count == 1 else 'links'} cut")
