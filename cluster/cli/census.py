"""What runs in a process, for who looks for a leak: `kill -USR1 PID` logs it in one line."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import structlog

_KINDS: Final = 30


def tell() -> None:
    """Log how many tasks this process's loop has, and of which kinds, most first."""
    tasks = asyncio.all_tasks()
    log = structlog.get_logger()
    log.info("tasks", total=len(tasks), kinds=dict(kinds(tasks).most_common(_KINDS)))


def kinds(tasks: Iterable[asyncio.Task[Any]]) -> Counter[str]:
    """How many tasks run each coroutine, by the name that it has in its module."""
    return Counter(_name(task.get_coro()) for task in tasks)


def _name(coro: object) -> str:
    return str(getattr(coro, "__qualname__", type(coro).__name__))
