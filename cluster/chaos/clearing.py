"""Undoing what is written down, whatever it is: a process, a link, what was made in the cluster."""

import asyncio
from typing import Final

from cluster.api import errors
from cluster.chaos import acts, loading
from cluster.chaos.acts import Act
from cluster.chaos.manifests import Made
from cluster.chaos.world import Unable, World, insist
from cluster.client.client import Client

_WITHIN: Final = 10.0


def removal(made: Made) -> Act:
    """What takes an object of a workload away."""
    meta = made.object["metadata"]
    return Act(acts.REMOVE, meta["name"], made.resource, namespace=meta.get("namespace", ""))


async def undo(world: World, act: Act) -> str:
    """Carry out an act that was written down, with some tries; why it cannot be, or ""."""

    async def do(act: Act) -> None:
        if act.op == acts.LOAD:
            await loading.clear(world.client)
        elif act.op == acts.REMOVE:
            await remove(world.client, act)
        else:
            await world.do(act)

    return await insist(do, act)


async def remove(client: Client, act: Act) -> None:
    """Delete an object of a workload; what is gone is no failure. Unable."""
    try:
        async with asyncio.timeout(_WITHIN):
            await client.delete(act.id, act.member, act.namespace, propagation="Background")
    except errors.NotFound:
        return
    except errors.StatusError as error:
        raise Unable(error.message) from error
    except TimeoutError as error:
        raise Unable(f"the API server did not answer within {_WITHIN:g} s") from error
