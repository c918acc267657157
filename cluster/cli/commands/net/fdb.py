"""`kubemu net fdb`."""

from typing import Any

import click

from cluster.cli import clusters
from cluster.cli.commands.net import common


@click.command()
@click.argument("node")
@clusters.name_option
@common.output_option
def fdb(node: str, name: str, output: str) -> None:
    """Show the forwarding database of NODE, as `bridge fdb` does: where each MAC is.

    Ports of cni0 are named by their pods' addresses.
    """

    async def story(net: common.Net) -> tuple[Any, dict[str, str]]:
        from cluster.pb.cluster.v1 import netops_pb2 as pb

        return await net.ask(
            await net.node(node), "ListFdb", pb.ListFdbRequest()
        ), await net.names()

    found, names = common.run(name, story)
    if output == "json":
        common.show((), (), common.document(found, "entries"), output)
        return
    for one in found.entries:
        click.echo(_line(one, names))


def _line(one: Any, names: dict[str, str]) -> str:
    words = [one.mac, "dev", one.device]
    if one.destination:
        words += ["dst", one.destination, "self"]
    if one.bridge:
        words += ["master", one.bridge]
    words.append("permanent" if one.permanent else f"used {one.age_seconds:.0f}")
    who = names.get(one.destination or one.device)
    return " ".join([*words, f"# {who}"] if who else words)
