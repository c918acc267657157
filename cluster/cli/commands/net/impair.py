"""`kubemu net impair`."""

import random

import click

from cluster.cli import clusters
from cluster.cli.commands.net import common, linking, linktexts


@click.command()
@click.argument("link", nargs=-1, required=True)
@clusters.name_option
@common.duration("delay", "Time that every packet is late (10ms).", default="0s")
@common.duration("jitter", "Each delay is drawn from --delay ± this.", default="0s")
@click.option("--loss", type=linktexts.SHARE, default=0.0, help="Share that is lost (1%).")
@click.option("--duplicate", type=linktexts.SHARE, default=0.0, help="Share that comes twice.")
@click.option(
    "--reorder", type=linktexts.SHARE, default=0.0,
    help="Share that overtakes the others; without --delay: that falls behind by 1ms.",
)  # fmt: skip
@click.option("--rate", type=linktexts.RATE, default=None, help="Bits a second (10mbit).")
@click.option(
    "--seed", type=click.IntRange(min=0), help="Of chance: the same again. Else one is drawn."
)
def impair(
    *, link: tuple[str, ...], name: str, delay: float, jitter: float, loss: float,
    duplicate: float, reorder: float, rate: float | None, seed: int | None,
) -> None:  # fmt: skip
    """Make links bad, as tc's netem does, both ways.

    LINK is NODE:NODE, NODE (all of its links to other nodes), or pod:NAMESPACE/NAME (between the
    pod and its node). What is said now takes the place of what was said of the link before; a
    partition stays. It holds until `kubemu net heal`, the end of the pod, or of the machine.
    """
    made = {
        "delay": delay, "jitter": jitter, "loss": loss, "duplicate": duplicate,
        "reorder": reorder, "rate": rate or 0.0,
    }  # fmt: skip
    if not any(made.values()):
        raise click.UsageError(
            "Say what is wrong with it: --delay, --jitter, --loss, --duplicate, --reorder or "
            "--rate. kubemu net heal makes links good again."
        )
    by = random.SystemRandom().randrange(1 << 31) if seed is None else seed

    async def story(net: common.Net) -> None:
        from cluster.pb.cluster.v1 import netops_pb2 as pb

        how = pb.LinkImpairment(**made)
        requests = {
            node: pb.SetLinksRequest(
                changes=[pb.LinkChange(link=one, impairment=how, seed=str(by)) for one in links]
            )
            for node, links in linking.by_node(await linking.ends(net, link)).items()
        }
        await linking.tell(net, requests)
        told = linktexts.words(pb.LinkState(impairment=how))
        for one in link:
            click.echo(f"{one}: {told} (seed {by})")

    common.run(name, story)
