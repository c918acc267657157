"""`kubemu chaos random`."""

import asyncio
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cluster.api import objects
from cluster.cli import flags
from cluster.cli.commands.chaos import common, endings, run
from cluster.cli.commands.chaos.common import Where

if TYPE_CHECKING:
    from cluster.chaos.targets import View

_FILE = endings.Written()


@click.command("random")
@common.options
@flags.option(
    "seed", "Of chance: the same faults again, on a cluster of the same shape. Else one is drawn.",
    click.IntRange(0), default=None,
)  # fmt: skip
@flags.option("for", "How long.", flags.DURATION, default="5m")
@flags.option("write", "Write the plan to this file, and run nothing.", _FILE)
@flags.option("json", "Where to write the report as JSON.", _FILE)
@flags.option("svg", "Where to write the picture of the time line.", _FILE)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but the report.")
def random_command(
    seed: int | None, write: Path | None, json: Path | None, svg: Path | None, *, quiet: bool,
    **values: Any,
) -> int:  # fmt: skip
    """Do things at random for a while; nothing but the seed and the cluster's shape decides what.

    The plan is an experiment: --write gives its file, which `kubemu chaos run` repeats.
    """
    from cluster.chaos import drawing, writing

    seconds = values.pop("for")
    meant = common.where(values)
    chosen = random.SystemRandom().randrange(1 << 31) if seed is None else seed
    try:
        made = drawing.draw(chosen, asyncio.run(_view(meant)), seconds)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if write is not None:
        write.write_text(writing.text(made))
        click.echo(f"{write}: {len(made.faults)} faults, seed {chosen}")
        return 0
    return run.run(made, meant, json, svg, quiet=quiet)


async def _view(meant: Where) -> "View":
    from cluster.chaos.targets import View

    async with common.opened(meant) as world:
        nodes = (await world.client.list("nodes")).items
        labels = {objects.name(node): objects.labels(node) for node in nodes}
        return View(await world.members(), labels)
