"""Notices when a data plane begins anew."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

import structlog

from cluster.aio import backoff, rpc


class State(Protocol):
    """Which tables a data plane has."""

    @property
    def instance(self) -> str:
        """Another one in each life of a data plane."""

    @property
    def generation(self) -> int:
        """One more with each change."""


S = TypeVar("S", bound=State)


async def follow(
    watch: Callable[[], Awaitable[AsyncIterator[S]]],
    look: Callable[[S], None],
    retry: backoff.Backoff,
    log: structlog.stdlib.BoundLogger,
) -> None:
    """Show `look` each state that a data plane tells, over its deaths, until cancelled."""
    while True:
        try:
            async for state in await watch():
                retry.reset()
                look(state)
        except rpc.Failure as failure:
            log.info("data plane away", error=str(failure))
        await retry.wait()


def is_another(known: State | None, state: State) -> bool:
    """Whether a data plane has other tables than those that it is known to have.

    A later generation is our own change, whose answer is still under way; should it be somebody
    else's, the next update is refused and the tables are sent whole.
    """
    return known is not None and (
        state.instance != known.instance or state.generation < known.generation
    )
