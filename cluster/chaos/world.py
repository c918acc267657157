"""The seam to a cluster that is hurt: processes under `kubemu up`, services of compose, or a lab.

Everything else of chaos is the same for all of them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from cluster.api import faults
from cluster.chaos.acts import Act
from cluster.chaos.targets import Member
from cluster.client.client import Client

_TRIES: Final = 5
_PAUSE: Final = 1.0


class Unable(faults.Fault):
    """This cluster cannot be hurt like that, or did not let itself be; the message says why."""


class World(Protocol):
    """A cluster. Every call has a deadline of its own."""

    kind: str
    """`local`, `compose` or `lab`."""
    name: str
    client: Client
    """The administrator's."""

    async def members(self) -> Sequence[Member]:
        """The processes that there are. Unable."""
        ...

    def lacks(self, act: Act) -> str:
        """Why an act can never be carried out here, in words; "" where it may be."""
        ...

    async def do(self, act: Act) -> None:
        """Carry an act out, and return when it is done. What is so already is no failure. Unable,
        also for what this kind of cluster does not have.
        """
        ...

    async def struck(self, act: Act) -> int | None:
        """To how many requests an API server has done what an act told it (FAULTS); None where it
        does not know, as one that has been started again meanwhile.
        """
        ...

    async def ask(self, address: str, port: int, request: bytes, within: float) -> bytes:
        """Send a request to a port of a node, as a client outside of the cluster does; the first
        line of the answer, `within` seconds. OSError (TimeoutError is one).
        """
        ...


async def insist(do: Callable[[Act], Awaitable[None]], act: Act) -> str:
    """Carry an act out that has to be, with some tries; why it cannot be, "" when it is done."""
    complaint = ""
    for attempt in range(_TRIES):
        if attempt:
            await asyncio.sleep(_PAUSE)
        try:
            await do(act)
        except Unable as error:
            complaint = str(error)
        else:
            return ""
    return complaint
