"""`kubemu net links`."""

from typing import Any, Final

import click

from cluster.cli import clusters
from cluster.cli.commands.net import common, linktexts

_POD: Final = "pod:"


@click.command()
@clusters.name_option
@common.output_option
def links(name: str, output: str) -> None:
    """Show the links that are impaired or cut, in each direction, and what became of packets."""
    found = common.run(name, _links)
    rows = [_row(one) for one in found]
    heads = ("FROM", "TO", "IMPAIRMENT", "SEED", "PASSED", "LOST", "DUPLICATED", "REORDERED")
    if not rows and output == "table":
        click.echo("All links are good.")
        return
    common.show(heads, rows, found, output)


async def _links(net: common.Net) -> list[dict[str, Any]]:
    from cluster.pb.cluster.v1 import netops_pb2 as pb

    names = await net.names()
    found: list[dict[str, Any]] = []
    for node in net.nodes:
        try:
            told = await net.ask(node, "ListLinks", pb.ListLinksRequest())
        except common.Failed as down:
            click.echo(f"{node}: {down}", err=True)
            continue
        for one in told.links:
            row = linktexts.document(node, one)
            address = one.link.removeprefix(_POD)
            if one.link.startswith(_POD):
                row["link"] = f"{_POD}{names.get(address, address)}"
            found.append(row)
    return found


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    counts = (str(one[name]) for name in ("passed", "lost", "duplicated", "reordered"))
    return one["node"], one["link"], one["impairment"], one["seed"] or "-", *counts
