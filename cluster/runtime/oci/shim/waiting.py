"""Waiting for one of several things, or for all of them but not for ever."""

import asyncio
from collections.abc import Sequence
from typing import Any


async def first(*awaited: "asyncio.Future[Any]") -> None:
    """Wait until one is done. They all go on."""
    # What it returns are sets, whose order is nobody's: they are not looked at.
    await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)  # noqa: TID251


async def settled(awaited: Sequence["asyncio.Future[Any]"], seconds: float) -> None:
    """Wait until all are done, or so long."""
    if awaited:
        await asyncio.wait(awaited, timeout=seconds)  # noqa: TID251
