"""`kubemu chaos heal`; and what runs beside experiments: the guard, and the way into containers."""

import asyncio
import json
import os
import sys
from typing import Any

import click

from cluster.api import faults
from cluster.cli import flags
from cluster.cli.commands.chaos import common
from cluster.cli.commands.chaos.common import Where


class NotHealed(faults.Fault):
    """Something could not be undone; the message says what."""


@click.command("heal")
@common.options
def heal_command(**values: Any) -> None:
    """Undo whatever experiments have left: start what they stopped, mend links, end faults."""
    meant = common.where(values)
    with meant.alone(heals=True):
        count = asyncio.run(heal(meant))
    click.echo(f"undone: {count}" if count else "nothing was left to undo; faults of the API ended")


@click.command("guard", hidden=True)
@common.options
def guard_command(**values: Any) -> None:
    """Wait for the end of the input; undo then what an experiment that died has left."""
    meant = common.where(values)
    while os.read(sys.stdin.fileno(), 4096):
        pass
    with meant.alone(heals=True, waits=True):
        if meant.journal.path.exists():
            asyncio.run(heal(meant))


@click.command("links", hidden=True)
@flags.option("endpoint", "Where the node's runtime listens.", required=True)
@click.argument("act")
def links_command(endpoint: str, act: str) -> None:
    """Tell the runtime here of its node's links."""
    from cluster.chaos import acts
    from cluster.chaos.reaching import Doors

    told = acts.read(json.loads(act))

    async def story() -> None:
        doors = Doors(runtimes={told.member: endpoint})
        try:
            await doors.set_links(told)
        finally:
            await doors.close()

    asyncio.run(story())


async def heal(meant: Where) -> int:
    """Undo what the journal says, and end all faults of API servers; how much was undone."""
    from cluster.chaos import acts, clearing
    from cluster.chaos.acts import Act
    from cluster.chaos.world import insist

    journal = meant.journal
    try:
        left = journal.read()
    except ValueError as error:
        raise NotHealed(str(error)) from error
    async with common.opened(meant) as world:
        wrong: list[str] = []
        kept: list[Act] = []
        for place, act in enumerate(left, 1):
            complaint = await clearing.undo(world, act)
            if complaint:
                wrong.append(f"{act}: {complaint}")
                kept.append(act)
            journal.write([*kept, *left[place:]])
        for member in await world.members():
            if member.component == "apiserver" and member.running:
                await insist(world.do, Act(acts.FAULTS, member.name))
    if wrong:
        raise NotHealed("; ".join(wrong))
    return len(left)
