"""A client that asks for much: the neighbour who is noisy, the storm of watches."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from cluster.aio import tasks
from cluster.api import errors
from cluster.chaos import experiment as ex
from cluster.chaos import pacing
from cluster.client.client import Client

_MAP: Final = "kubemu-chaos-load"
_UNDER_WAY: Final = 200
_PAUSE: Final = 0.5


async def press(client: Client, load: ex.Load) -> None:
    """Ask until cancelled. What fails is asked again."""
    async with tasks.Group("load") as group:
        for number in range(load.watches):
            group.spawn(_watch(client, load.reopen), f"watch {number}")
        if load.lists:
            group.spawn(_repeat(lambda: _list(client), load.lists), "lists")
        if load.writes:
            group.spawn(_repeat(lambda: _write(client), load.writes), "writes")


async def _watch(client: Client, reopen: float) -> None:
    """Watch pods from now on, and begin anew every `reopen` seconds (0: at its end alone)."""
    while True:
        try:
            start = (await client.list("pods", limit=1)).revision
            async with asyncio.timeout(reopen or None):
                watch = client.watch("pods", revision=start)
                async with contextlib.aclosing(watch):
                    async for _ in watch:
                        pass
        except TimeoutError:
            continue
        except errors.StatusError:
            await asyncio.sleep(_PAUSE)


async def _repeat(act: Callable[[], Awaitable[None]], rate: float) -> None:
    async def quietly() -> None:
        with contextlib.suppress(errors.StatusError):
            await act()

    await pacing.steadily(quietly, rate, _UNDER_WAY, "repeated")


async def _list(client: Client) -> None:
    await client.list("pods")


async def _write(client: Client) -> None:
    """One ConfigMap, written again and again."""
    patch = {
        "metadata": {"annotations": {"kubemu.dev/load": f"{asyncio.get_running_loop().time()}"}}
    }
    try:
        await client.patch("configmaps", _MAP, patch, "default")
    except errors.NotFound:
        made = {"apiVersion": "v1", "kind": "ConfigMap"}
        await client.create(
            "configmaps", {**made, "metadata": {"name": _MAP, "namespace": "default"}}
        )


async def clear(client: Client) -> None:
    """Remove what the writes left."""
    with contextlib.suppress(errors.StatusError):
        await client.delete("configmaps", _MAP, "default")
